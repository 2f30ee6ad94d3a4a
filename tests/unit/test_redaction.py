"""No secret is left in what is printed, whatever form it has there."""

import base64
import html
import json
import logging
import string
import sys
import time
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymysql.converters import escape_string

from app.telemetry.logs import JsonFormatter
from app.telemetry.redaction import MASK, redacted, redacted_value

SECRETS = st.text(min_size=4, max_size=30).filter(lambda secret: set(secret) - set(MASK))
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "json": lambda s: json.dumps(s)[1:-1],
    "json, not ascii": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "json in json": lambda s: json.dumps(json.dumps(s))[3:-3],
    "repr": lambda s: repr(s)[1:-1],
    "ascii": lambda s: ascii(s)[1:-1],
    "repr in json": lambda s: json.dumps(repr(s)[1:-1])[1:-1],
    "sql": escape_string,
    "sql, doubled quotes": lambda s: s.replace("'", "''"),
    "sql in repr": lambda s: repr(escape_string(s))[1:-1],
    "doubled quotes and backslashes": lambda s: s.replace("\\", "\\\\").replace('"', '""'),
    "unicode_escape": lambda s: s.encode("unicode_escape").decode(),
    "quote": lambda s: urllib.parse.quote(s, errors="surrogatepass"),
    "quote, all": lambda s: urllib.parse.quote(s, safe="", errors="surrogatepass"),
    "quote, lower": lambda s: "".join(f"%{byte:02x}" for byte in s.encode(errors="surrogatepass")),
    "quote, twice": lambda s: urllib.parse.quote(urllib.parse.quote(s, errors="surrogatepass")),
    "quote_plus": lambda s: urllib.parse.quote_plus(s, errors="surrogatepass"),
    "bytes": lambda s: repr(s.encode(errors="surrogatepass"))[2:-1],
    "hex": lambda s: s.encode(errors="surrogatepass").hex(),
    "base64": lambda s: base64.b64encode(s.encode(errors="surrogatepass")).decode(),
    "basic auth": lambda s: base64.b64encode(b"user:" + s.encode(errors="surrogatepass")).decode(),
    "basic auth, urlsafe": lambda s: base64.urlsafe_b64encode(b"me:" + s.encode(errors="surrogatepass") + b"!").decode(),
    "html": html.escape,
    "xml references": lambda s: s.encode("ascii", "xmlcharrefreplace").decode() if s.isprintable() else s,
    "read as latin-1": lambda s: s.encode(errors="surrogatepass").decode("latin-1"),
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=50, deadline=None)
@given(secret=SECRETS, before=st.sampled_from(["", "' ", "é=", "\\", "a"]), after=st.sampled_from(["", "'", "z", "\\n"]))
@example(secret="pa'ss\\w\"ord%", before="", after="")
@example(secret="\\\\\\\\''''\"\"\"\"", before="", after="")
@example(secret="größe🚀 und +/=", before="", after="")
@example(secret="\udcff\udcfeab", before="", after="")
@example(secret="ends in Ã", before="", after="")
def test_a_secret_is_masked_in_any_form(form: str, secret: str, before: str, after: str) -> None:
    written = FORMS[form](secret)
    left = redacted(f"{before}{written}{after}", (secret, ""))
    assert MASK in left
    # Nothing of it but what stood around it anyway.
    assert len(left) <= len(before) + len(MASK) + len(after) + (form.startswith("basic") and 4)


@settings(max_examples=50, deadline=None)
@given(secret=SECRETS, text=st.text(string.ascii_letters + " ", max_size=40))
def test_other_text_stays_as_it_is(secret: str, text: str) -> None:
    if secret not in text:
        assert redacted(text, (secret,)) == text
    assert redacted(text, ()) == text


@pytest.mark.parametrize(
    ("secret", "text", "left"),
    [
        (
            "a",
            "a password of a letter: 'a', as far as it can be told apart",
            "*** password of *** letter: '***', as far as it can be told apart",
        ),
        ("pw", "user:pw@host pwd wpw pw", "user:***@host pwd wpw ***"),
        ("ü", "für 'ü' in b=\\xfc", "für '***' in b=***"),
        (".", "127.0.0.1 is it.", "127.0.0.1 is it."),
        ("", "nothing is set", "nothing is set"),
    ],
)
def test_a_short_secret_is_masked_where_it_stands_alone(secret: str, text: str, left: str) -> None:
    assert redacted(text, (secret,)) == left


def test_a_codec_s_error_shows_no_character() -> None:
    for text, encoding in (("pass€word", "ascii"), ("pass\udc80", "utf-8"), ("it\"s'🚀", "latin-1")):
        with pytest.raises(UnicodeEncodeError) as error:
            text.encode(encoding)
        left = redacted(str(error.value), (text,))
        assert f"codec can't encode character {MASK} in position" in left
        assert redacted(repr(error.value), (text,)).count(MASK) >= 1
    with pytest.raises(UnicodeDecodeError) as undecoded:
        b"pass\xff".decode()
    assert "0xff" not in redacted(str(undecoded.value), ("pass\xff",))


def test_what_a_server_cuts_off_is_masked_too() -> None:
    secret = "correct-horse-battery-staple"
    assert redacted(f"near 'BY '{secret[:20]}' at line 1", (secret,)) == f"near 'BY '{MASK}' at line 1"
    assert redacted(f"…{secret[9:]}' at line 1", (secret,)) == f"…{MASK}' at line 1"


def test_values_are_redacted_at_any_depth_and_names_stay() -> None:
    value = {"state": ["my-secret", {"state": ("is my-secret!", 5, None, True, float("nan"))}], 7: ValueError("my-secret")}
    left = redacted_value(value, ("my-secret", "state"))
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert "nested too deeply" in str(redacted_value(deep, ()))
    assert left == {"state": [MASK, {"state": [f"is {MASK}!", 5, None, True, "nan"]}], "7": MASK}


def test_a_log_line_holds_no_secret_even_where_it_is_cut_and_in_a_traceback() -> None:
    secret = "correct-horse-battery"
    formatter = JsonFormatter((secret,))
    record = logging.LogRecord("x", logging.ERROR, "", 0, "x" * 7_990 + secret, (), None)
    assert secret[:4] not in formatter.format(record)
    try:
        raise ValueError(secret)  # noqa: TRY301
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    record.fields = {"names": [secret], "of": {"a": {"b": secret}}}
    line = json.loads(formatter.format(record))
    assert "ValueError: ***" in line["traceback"]
    assert (line["names"], line["of"]) == ([MASK], {"a": {"b": MASK}})


@pytest.mark.parametrize("secret", ["\\" * 40 + "x", "'" * 40 + "x", "%" * 40 + "x", "ab" * 20, " " * 40 + "x", "é" * 40 + "x"])
def test_no_text_makes_the_search_slow(secret: str) -> None:
    before = time.process_time()
    redacted(secret[:-1] * 500, (secret,))
    redacted("\\" * 20_000 + "%25" * 5_000 + "'" * 5_000, (secret,))
    assert time.process_time() - before < 5
