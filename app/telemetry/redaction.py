"""Secrets are taken out of everything that is printed, logged or stored, in whatever form they are written there.

A secret is recognised character by character: as it is, or as JSON, Python, SQL, a URL or HTML would write that character,
escaped once or several times. Base64 and hexadecimal are recognised as a whole.
"""

import base64
import functools
import html.entities
import itertools
import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

MASK = "***"
_WHOLE_WORDS_BELOW = 4
"""A shorter secret is masked only where it stands alone. Masked within words it would garble every line, and inside a word it
can't be distinguished from the word. It is not refused: the server decides which passwords it takes."""
_FRAGMENT_CHARS = 12  # servers cut what they quote in an error: a part as long as this is masked too
_DEEPEST = 100  # of values in values: Python gives up at a thousand
_LEAST_CODED = 4  # of base64 or hexadecimal: fewer characters stand in any word
_WORD = r"[A-Za-z0-9+/_=-]"
_BEFORE, _AFTER = r"""(?<![^\s'"`=:(\[{,>/@])""", r"""(?![^\s'"`)\]},;:.<@])"""  # where a short secret stands alone
# A codec names the character that it could not handle.
_CODEC = re.compile(r"(codec can't (?:en|de)code (?:character|byte)) (?:'[^']*'|\"[^\"]*\"|0x[0-9a-f]+)")
_REPEATED = "\\'\"`"  # to escape these is to repeat them
_LETTERS = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\a": "a", "\0": "0", "\x1a": "Z"}


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """A text without the secrets. What a codec says of a character goes too: it may be a secret's."""
    text = _CODEC.sub(rf"\1 {MASK}", text)
    for remove in _removers(secrets):
        text = remove(text)
    return text


def redacted_value(value: Any, secrets: tuple[str, ...], clip: Callable[[str], str] = str, depth: int = 0) -> Any:
    """What is to be written as JSON: every text in it redacted, and clipped only then; names of fields are the program's own."""
    if depth > _DEEPEST:
        return "nested too deeply to be shown"
    if isinstance(value, dict):
        return {str(name): redacted_value(each, secrets, clip, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted_value(each, secrets, clip, depth + 1) for each in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return clip(redacted(text, secrets))


@functools.lru_cache(maxsize=8)
def _removers(secrets: tuple[str, ...]) -> list[Callable[[str], str]]:
    known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    coded = {word for secret in known for word in _coded(secret) if len(word) >= _LEAST_CODED}
    return [
        *([functools.partial(_without_words, re.compile("|".join(map(re.escape, sorted(coded)))))] if coded else []),
        *(functools.partial(re.compile(_pattern(secret)).sub, MASK) for secret in known),
        *(functools.partial(_without_fragments, secret) for secret in known if len(secret) > _FRAGMENT_CHARS),
    ]


def _without_words(coded: re.Pattern[str], text: str) -> str:
    """Whole words go: the letters beside the coded secret hold a part of its first and last character."""
    if not coded.search(text):
        return text
    return re.sub(rf"{_WORD}+", lambda word: MASK if coded.search(word[0]) else word[0], text)


def _without_fragments(secret: str, text: str) -> str:
    for start in range(len(secret) - _FRAGMENT_CHARS + 1):
        at = text.find(secret[start : start + _FRAGMENT_CHARS])
        while at >= 0:
            length = _FRAGMENT_CHARS
            while text[at : at + length + 1] == secret[start : start + length + 1] and start + length < len(secret):
                length += 1
            text = text[:at] + MASK + text[at + length :]
            at = text.find(secret[start : start + _FRAGMENT_CHARS], at + len(MASK))
    return text


def _coded(secret: str) -> Iterator[str]:
    """The secret in base64, wherever it begins in what is encoded, and in hexadecimal; what its neighbours alter is left out."""
    for data in _encoded(secret):
        for before in range(3):
            standard = base64.b64encode(bytes(before) + data).rstrip(b"=").decode()
            whole = standard[math.ceil(before * 8 / 6) : len(standard) - bool((before + len(data)) % 3)]
            yield from {whole, whole.replace("+", "-").replace("/", "_")}
        yield from (data.hex(), data.hex().upper())


def _encoded(text: str) -> list[bytes]:
    """Its bytes in the encodings that are used on the wire."""
    found = []
    for encoding, errors in (("utf-8", "surrogateescape"), ("utf-8", "surrogatepass"), ("latin-1", "strict")):
        try:
            found.append(text.encode(encoding, errors))
        except UnicodeEncodeError:
            continue
    return list(dict.fromkeys(found))


def _pattern(secret: str) -> str:
    mixed = not secret.isascii() and any(character.isascii() for character in secret)
    runs = [(character, len(list(run))) for character, run in itertools.groupby(secret)]
    pattern = "".join(_run(character, count, mixed=mixed, first=not at) for at, (character, count) in enumerate(runs))
    return f"{_BEFORE}{pattern}{_AFTER}" if len(secret) < _WHOLE_WORDS_BELOW else pattern


def _run(character: str, count: int, *, mixed: bool, first: bool) -> str:
    """One character, as often as it follows itself, in every way to write it.

    A quote may be doubled and a backslash escaped any number of times. No two ways may match the same text, or the search would
    try them all.
    """
    ways = list(dict.fromkeys(_escapes(character)))
    if mixed and not character.isascii():
        ways.append(
            "[?\N{REPLACEMENT CHARACTER}]"
        )  # how a codec that lacks it writes it; the rest of the secret stands around it
    escaped = "|".join(way for way in ways if way != re.escape(character))
    if character in _REPEATED:
        # At the beginning a row is matched as a whole: to search a long one from each place takes the square of its length.
        row = f"(?<!{re.escape(character)})" if first else ""
        return rf"(?:(?:{escaped}){{{count}}}|{row}{re.escape(character)}{{{count},}})"
    return rf"(?:{escaped}|{re.escape(character)}){{{count}}}"


def _escapes(character: str) -> Iterator[str]:
    """Ways to escape it; one that begins like another, longer one comes after it."""
    code = ord(character)
    if character != "\\":
        yield rf"\\{{1,16}}{re.escape(character)}"
    if character in _LETTERS:
        yield rf"\\{{1,16}}{_LETTERS[character]}"
    if character == " ":
        yield r"\+"
    units = character.encode("utf-16-be", "surrogatepass").hex()
    yield "".join(rf"\\{{1,16}}u{_any_case(units[i : i + 4])}" for i in range(0, len(units), 4))
    yield rf"\\{{1,16}}U{_any_case(f'{code:08x}')}"
    for data in _encoded(character):
        yield "".join(rf"%(?:25){{0,3}}{_any_case(f'{byte:02x}')}" for byte in data)
        if len(data) > 1 or not character.isascii():
            yield "".join(rf"\\{{1,16}}x{_any_case(f'{byte:02x}')}" for byte in data)
            yield re.escape(data.decode("latin-1"))  # UTF-8 taken for another encoding
    if code <= 0xFF:  # noqa: PLR2004  # what \x and the octal form can write
        yield rf"\\{{1,16}}x{_any_case(f'{code:02x}')}"
        yield rf"\\{{1,16}}{code:03o}"
    yield rf"&(?:amp;){{0,3}}#(?:{code}|[xX]{_any_case(f'{code:x}')});"
    if name := html.entities.codepoint2name.get(code):
        yield rf"&(?:amp;){{0,3}}{name};"


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)
