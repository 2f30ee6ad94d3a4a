"""From raw records to rows and rejects: a record that does not fit is set aside with its reason, and the rest goes on."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from .fields import InvalidField, readable_id
from .model import Checked, Rejected
from .ports import Parser
from .schema import SNAPSHOT

_SHOWN_CHARS = 80


def validate(batch: Iterable[tuple[int, Any]], parser: Parser) -> Checked:
    """The verdict on one batch of launch records, each given with its place in the answer."""
    checked = Checked(rows={table: [] for table in SNAPSHOT})
    for index, raw in batch:
        try:
            rows = parser.parse(raw, checked)
        except (ValidationError, InvalidField) as error:
            checked.rejected.append(rejection("launches", index, raw, error))
            continue
        launch = rows["launches"][0]
        checked.ids.append(launch["launch_id"])
        checked.indexes.append(index)
        for table, found in rows.items():
            for row in found:
                row["launch_year"] = launch["date_utc"].year
            checked.rows[table] += found
    return checked


def rejection(endpoint: str, index: int, raw: Any, error: ValidationError | InvalidField) -> Rejected:
    """What is wrong with a record, in words that name the field and show the value."""
    if isinstance(error, InvalidField):
        path, value, reason = error.path, error.value, error.reason
    else:
        first = error.errors(include_url=False, include_context=False)[0]
        path, value, reason = path_of(first["loc"]), first["input"], first["msg"]
        value = "(no such field)" if first["type"] == "missing" else value
    return Rejected(endpoint, index, readable_id(raw), path, shortened(value), reason, raw)


def path_of(loc: Iterable[int | str]) -> str:
    """pydantic's location of a fault as a path: cores[0].flight."""
    path = ""
    for step in loc:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def shortened(value: Any) -> str:
    """A value as text of bounded length, safe to print."""
    text = value if isinstance(value, str) else repr(value)
    text = text[: _SHOWN_CHARS + 1].encode("unicode_escape").decode("ascii")
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
