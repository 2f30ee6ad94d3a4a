"""The types of a record's fields, shared by all sources: what fits a column and what is rejected.

Nothing is coerced: a number in quotes is text, 1 is not true, and a date is only what `parse_utc` accepts. Limits are those
of `schema.Kind`, so that what passes here fits both stores unaltered.
"""

import contextlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StringConstraints
from pydantic_core import to_json

from .schema import Kind

_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.(\d+))?)?(?:Z|[+-]\d\d:?[0-5]\d)?)?", re.ASCII)
KEY_PATTERN = "[A-Za-z0-9_-]{1,64}"
_KEY = re.compile(KEY_PATTERN)
_FIRST_YEAR = 1000  # MySQL's DATETIME starts here
MAX_PARTS = 1000  # of one kind on one launch, or names in one list; the most that ever flew at once were 143 payloads
_Part = TypeVar("_Part")
assert Kind.TEXT.value.max_chars
_TEXT_CHARS = Kind.TEXT.value.max_chars


def newest_past(dated: Iterable[tuple[Any, Any]], now: datetime) -> str:
    """The latest of dates with names that is over, in words; dates that can't be read are passed over."""
    found: list[tuple[datetime, Any]] = []
    for text, name in dated:
        with contextlib.suppress(ValueError):
            found.append((parse_utc(text), name))
    newest = max((one for one in found if one[0] <= now), key=lambda one: one[0], default=None)
    return f"the newest past one {newest[0]:%Y-%m-%d}, {newest[1]}" if newest else "no past one among the latest"


def parse_utc(value: Any) -> datetime:
    """The instant that an ISO 8601 text names, in UTC; without an offset it is UTC already.

    Raises ValueError for anything else: other types, a precision below a microsecond, years before 1000.
    """
    if not isinstance(value, str) or not (form := _ISO.fullmatch(value)):
        raise ValueError("must be an ISO 8601 date or time such as 2020-05-30T19:22:00Z")
    if (form[1] or "")[6:].strip("0"):
        raise ValueError("must be no finer than a microsecond")
    try:
        instant = datetime.fromisoformat(value)
        utc = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a date or time that exists") from None
    if utc.year < _FIRST_YEAR:
        raise ValueError(f"must be in the year {_FIRST_YEAR} or later")
    return utc


class Shown(str):
    """What is shown of a value that is not kept."""

    __slots__ = ()


class InvalidField(ValueError):
    """A field holds what the contract has no place for."""

    def __init__(self, path: str, value: Any, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.value = value
        self.reason = reason


def as_json_array(path: str, values: list[Any] | None) -> str | None:
    """A list as the text of a JSON array, which keeps it whole in one column; None stays None, and is left out of a list."""
    if not values:
        return None if values is None else "[]"
    text = to_json([value for value in values if value is not None]).decode()
    if len(text) > _TEXT_CHARS:
        raise InvalidField(path, values, f"must be at most {_TEXT_CHARS} characters as one JSON text")
    return text


def _whole(value: Any) -> Any:
    """5.0 as 5, as some writers of JSON know no integers; all else as it is."""
    return int(value) if type(value) is float and value.is_integer() and abs(value) <= 2**53 else value


def _number_key(value: Any) -> str:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("must be a whole number")
    return str(value)


def _reference(value: Any) -> Any:
    if value is None or isinstance(value, dict) or (isinstance(value, str) and _KEY.fullmatch(value)):
        return value
    raise ValueError("must be an id of 1 to 64 letters, digits, _ and -, or an object")


def _limited(kind: Kind) -> StringConstraints:
    return StringConstraints(strict=True, max_length=kind.value.max_chars)


Key = Annotated[str, StringConstraints(strict=True, pattern=f"^{KEY_PATTERN}$")]
NumberKey = Annotated[str, PlainValidator(_number_key)]
"""A number as the text of a key."""
Label = Annotated[str, _limited(Kind.LABEL)]
Text = Annotated[str, _limited(Kind.TEXT)]
Prose = Annotated[str, _limited(Kind.PROSE)]
Flag = Annotated[bool, Field(strict=True)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(lambda v: v + 0.0)]  # no negative zero
Integer = Annotated[int, BeforeValidator(_whole), Field(strict=True, ge=-(2**63), lt=2**63)]
Amount = Annotated[int, Field(strict=True, ge=0, le=MAX_PARTS)]
"""How many parts are alike."""
Reference = Annotated[Any, PlainValidator(_reference)]
"""An id, or the whole object that it stands for; null and an empty object name nothing."""
Parts = Annotated[list[_Part | None], Field(max_length=MAX_PARTS, fail_fast=True)]
"""A list of parts; null is a part of which nothing is known. One fault is enough: each would be kept, of millions."""
Time = Annotated[datetime, PlainValidator(parse_utc)]


class _WithId(msgspec.Struct):
    id: Any = None


_with_id = msgspec.json.Decoder(_WithId)


def record_id(record: bytes) -> str | None:
    """The id of a record that is JSON text, when it is an object and its id can be read."""
    try:
        found = _with_id.decode(record).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, str) and _KEY.fullmatch(found) else None


def readable_id(raw: Any) -> str | None:
    """A record's id when it can be read, whatever else is wrong with the record."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and _KEY.fullmatch(found) else None
