"""What is shown holds nothing that a terminal would obey."""

import json
import sys
import unicodedata

import pytest

from app.telemetry.text import json_text, printable

INVISIBLE = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u2800\u3164\ufe00\ufe0f\uffa0\U000e0100\U000e01ef"  # letters and marks to the database
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Kármán line, 火箭 🚀 “quoted” 5 €", "Kármán line, 火箭 🚀 “quoted” 5 €"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("two\nlines\r\tand a tab", r"two\nlines\r\tand a tab"),
        ("\x9b31m by C1", r"\x9b31m by C1"),
        ("txt.\u202egpj", r"txt.\u202egpj"),
        ("\u2066isolated\u2069", r"\u2066isolated\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("next\u2028line\u2029", r"next\u2028line\u2029"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("half \ud800", r"half \ud800"),
        ("\x00\x7f\xad", r"\x00\x7f\xad"),
        ("[red]markup[/] :smile:", "[red]markup[/] :smile:"),
    ],
)
def test_what_is_not_seen_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_character_that_unicode_calls_control_or_format_is_escaped() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        unseen = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in INVISIBLE
        if unseen:
            assert printable(character).isascii(), hex(ord(character))
        elif unicodedata.category(character)[0] in "LNSP":
            assert printable(character) == character or character in "\u2800\u3164\uffa0\u115f\u1160", hex(ord(character))


def test_json_is_escaped_too_and_stays_the_same_value() -> None:
    every = "".join(map(chr, range(0x3000))) + "\ud800\ufeff\U000e0001🚀"
    for indent in (None, 1):
        text = json_text({"name": every}, indent)
        assert json.loads(text)["name"] == every
        assert all(printable(line) == line for line in text.split("\n"))
        assert "🚀" in text
