"""Text that a terminal or a log viewer shows as it is: nothing in it moves the cursor, hides, or turns the reading direction."""

import json
import re
from typing import Any

# Control characters (C0, DEL, C1), every format character (bidirectional marks, zero width, tags), line and paragraph separators,
# surrogates, and letters that are invisible. A test holds the list to the Unicode database, which takes long to search.
_CONTROLS = "\x00-\x1f"
_OTHERS = (
    "\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_UNPRINTABLE = re.compile(f"[{_CONTROLS}{_OTHERS}]")
_UNPRINTABLE_IN_JSON = re.compile(f"[{_OTHERS}]")  # json escapes the first 32, and its own line ends must stay


def printable(text: str) -> str:
    r"""The text on one line, with everything escaped that is not simply seen, as Python writes it: `\x1b`, `\u202e`."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON that can be read as it is; what JSON does not know is written as text."""
    text = json.dumps(value, default=str, ensure_ascii=False, indent=indent)
    return _UNPRINTABLE_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], text)
