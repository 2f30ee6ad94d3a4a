"""From records to tables and rejects: a record that does not fit is set aside with its reason, and the rest goes on."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from .columns import MAX_PENDING_ROWS, Counts, TooMuch
from .fields import InvalidField, Shown, readable_id
from .model import Checked, Rejected, UnreadableRecord
from .schema import LAUNCHES
from .source import ColumnParser, Parser, RowParser
from .transform import no_rows, transform

_SHOWN_CHARS = 80
MAX_BATCH_BYTES = 4 << 20
"""The most of records that are validated at once: parsed, they take several times as much."""

Words = str | Callable[[dict[str, Any]], str]
_REASONS: dict[str, Words] = {
    "missing": "is missing",
    "string_type": "must be text",
    "string_unicode": "must be text without lone surrogates",
    "string_too_long": lambda limits: f"must be text of at most {limits['max_length']} characters",
    "string_pattern_mismatch": "must be an id of 1 to 64 letters, digits, _ and -",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number of at most 64 bits",
    "greater_than_equal": lambda limits: f"must be a whole number of at least {limits['ge']}",
    "less_than": lambda limits: f"must be a whole number below {limits['lt']}",
    "less_than_equal": lambda limits: f"must be a whole number of at most {limits['le']}",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "list_type": "must be a list",
    "too_long": lambda limits: f"must be a list of at most {limits['max_length']}",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "value_error": lambda limits: str(limits["error"]),  # the words of `fields`
}
"""What pydantic finds, in our words."""


def in_batches(records: Iterable[tuple[int, bytes]], batch_size: int) -> Iterator[list[tuple[int, bytes]]]:
    """Records, each with its place, few and small enough to be validated at once."""
    batch: list[tuple[int, bytes]] = []
    batch_bytes = 0
    for place, record in records:
        batch.append((place, record))
        batch_bytes += len(record)
        if len(batch) == batch_size or batch_bytes > MAX_BATCH_BYTES:
            yield batch
            batch, batch_bytes = [], 0
    if batch:
        yield batch


def validate(batch: Iterable[tuple[int, Any]], parser: Parser) -> Iterator[Checked]:
    """The verdicts on a batch of launch records, each given with its place in the answer; several where there are many rows."""
    return _by_column(batch, parser) if isinstance(parser, ColumnParser) else _by_row(batch, parser)


@dataclass(frozen=True)
class _Read:
    """A record that its parser could read."""

    index: int
    record: Any
    launch: Any
    unknown_fields: Counter[str]


def _by_column(batch: Iterable[tuple[int, Any]], parser: ColumnParser) -> Iterator[Checked]:
    found, rejected = [], []
    for index, record in batch:
        try:
            found.append(_Read(index, record, *parser.read(record)))
        except (ValidationError, InvalidField) as error:
            rejected.append(_rejected(index, record, error))
    pending: list[Sequence[_Read]] = [found]
    while pending:
        some = pending.pop()
        try:
            checked = _transformed(some, parser)
        except TooMuch:
            half = len(some) // 2
            pending += [some[half:], some[:half]]
            continue
        except InvalidField:
            faults = _faults(some, parser)
            rejected += [_rejected(one.index, one.record, faults[one.index]) for one in some if one.index in faults]
            pending.append([one for one in some if one.index not in faults])
            continue
        checked.rejected, rejected = sorted(rejected, key=lambda pair: pair[0].index), []
        yield checked
        del checked  # before the next is made


def _transformed(some: Sequence[_Read], parser: ColumnParser) -> Checked:
    counts = Counts(len(some))
    tables = parser.tables([one.launch for one in some], counts)
    unknown: Counter[str] = Counter()
    for one in some:
        if one.unknown_fields:
            unknown.update(one.unknown_fields)
    return Checked(
        tables,
        ids=tables[LAUNCHES.name]["launch_id"].to_pylist(),
        indexes=[one.index for one in some],
        unknown_fields=unknown,
        notes=counts.notes,
        references=counts.references,
    )


def _faults(found: Sequence[_Read], parser: ColumnParser) -> dict[int, InvalidField]:
    """The faults that show in columns alone, by the place of their launch: halved until each stands by itself. They are few."""
    try:
        parser.tables([one.launch for one in found], Counts(len(found)))
    except InvalidField as error:
        if len(found) == 1:
            return {found[0].index: error}
    except TooMuch:
        pass
    else:
        return {}
    return _faults(found[: len(found) // 2], parser) | _faults(found[len(found) // 2 :], parser)


def _by_row(batch: Iterable[tuple[int, Any]], parser: RowParser) -> Iterator[Checked]:
    checked, rows = Checked(), no_rows()
    for index, raw in batch:
        try:
            found = parser.parse(raw, checked)
        except (ValidationError, InvalidField) as error:
            checked.rejected.append(_rejected(index, raw, error))
            continue
        launch = found["launches"][0]
        checked.ids.append(launch["launch_id"])
        checked.indexes.append(index)
        for table, some in found.items():
            for row in some:
                row["launch_year"] = launch["date_utc"].year
            rows[table] += some
        if sum(map(len, rows.values())) > MAX_PENDING_ROWS:
            yield replace(checked, tables=transform(rows))
            checked, rows = Checked(), no_rows()
    yield replace(checked, tables=transform(rows))


def _rejected(index: int, record: Any, error: ValidationError | InvalidField) -> tuple[Rejected, Any]:
    raw = parsed(record) if isinstance(record, bytes) else record
    return rejection("launches", index, raw, error), raw


def parsed(record: bytes) -> Any:
    """A record's JSON as Python has it; `UnreadableRecord` where that is beyond its limits. Raises JSONDecodeError."""
    text = record.decode()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        return UnreadableRecord(text, "nested too deeply")
    except ValueError:
        return UnreadableRecord(text, "a number of too many digits")


def rejection(endpoint: str, index: int, raw: Any, error: ValidationError | InvalidField) -> Rejected:
    """What is wrong with a record, in words that name the field and show the value."""
    fault = error if isinstance(error, InvalidField) else invalid_field(error)
    is_text = isinstance(fault.value, str) and not isinstance(fault.value, Shown)
    return Rejected(endpoint, index, readable_id(raw), fault.path, shown(fault.value), fault.reason, is_text)


def invalid_field(error: ValidationError) -> InvalidField:
    """The first fault that pydantic found, in our words."""
    first = error.errors(include_url=False)[0]
    words = _REASONS.get(first["type"], "is not what the contract has")
    reason = words if isinstance(words, str) else words(first.get("ctx", {}))
    return InvalidField(path_of(first["loc"]), "(no such field)" if first["type"] == "missing" else first["input"], reason)


def path_of(loc: Iterable[int | str]) -> str:
    """pydantic's location of a fault as a path: cores[0].flight."""
    path = ""
    for step in loc:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def shown(value: Any) -> str:
    """A value of a record as text of bounded length, safe to print: text as it is, all else as JSON has it."""
    if isinstance(value, str):
        return value if isinstance(value, Shown) else shortened(value)
    text = ""
    try:
        for piece in json.JSONEncoder(default=str).iterencode(value):  # piece by piece: it may be huge
            text += piece
            if len(text) > _SHOWN_CHARS:
                break
    except (ValueError, RecursionError):
        text += "…"
    return shortened(text)


def clipped(name: str) -> str:
    """A name of bounded length that can be encoded; what a terminal must not see is escaped where it is printed."""
    sound = name[: _SHOWN_CHARS + 1].encode("utf-8", "backslashreplace").decode()
    return sound if len(sound) <= _SHOWN_CHARS else sound[: _SHOWN_CHARS - 1] + "…"


def shortened(text: str) -> str:
    """Text of bounded length, safe to print."""
    text = text[: _SHOWN_CHARS + 1].encode("unicode_escape").decode("ascii")
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def in_words(reject: Rejected) -> str:
    """A reject as one line: where it stood, which field, what is wrong, and what is there instead."""
    where = f"{reject.endpoint}[{reject.index}] {reject.id or 'without a readable id'}"
    value = repr(reject.value) if reject.is_text else reject.value
    instead = f", not {value}" if reject.reason.startswith("must ") else ""
    return f"rejected {where}: {reject.path or 'the record'} {reject.reason}{instead}"


def strict_json(raw: Any) -> str:
    """A record as JSON by the letter: NaN and Infinity, which Python reads and writes, become texts."""
    try:
        return json.dumps(raw, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(raw), parse_constant=str))
    except RecursionError:
        return json.dumps(shown(raw))  # the whole of it is in the raw archive
