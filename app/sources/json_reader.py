"""Reads the records out of spooled answers batch by batch, so that a large one never stands in memory as a whole."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pydantic_core import from_json

from ..core.model import Response, UnreadableRecord
from ..errors import SourceError

MAX_RECORDS = 400_000
"""The most of one endpoint: their ids are kept in memory. SpaceX has flown some 600 launches."""
MAX_RECORD_CHARS = 16 << 20  # the longest text that a column holds may be sent as twelve million
MAX_VALUES = 1_000_000
"""The most that may be parsed at once, counted by the marks `,` `:` `[` `{`: each costs up to a hundred bytes of memory."""
MAX_BATCH_BYTES = 4 << 20
_CHUNK_CHARS = 1 << 20
_TOO_MUCH = "the answer takes more memory to read than there is"
_HINT = "what was sent is kept in the raw archive"
_BOM = b"\xef\xbb\xbf"
MAX_PAGE_BYTES = 32 << 20
_LISTS = ("docs", "results")  # what APIs call the list in a page
_decoder = json.JSONDecoder()


def read_records(response: Response, batch_size: int) -> Iterator[list[tuple[int, Any]]]:
    """An endpoint's records in batches, each with its place in the whole answer.

    A body is either one JSON array or one page, an object that holds the array (`read_page`). Raises SourceError when it is
    neither, or no JSON in UTF-8, or beyond the limits above. A record beyond Python's limits comes as `UnreadableRecord`.
    """
    batch: list[tuple[int, Any]] = []
    batch_bytes = 0
    for place, (record, size) in enumerate(_all_records(response)):
        if place == MAX_RECORDS:
            raise SourceError(f"{response.name}: the answer has more than {MAX_RECORDS} records", hint=_HINT)
        batch.append((place, record))
        batch_bytes += size
        if len(batch) == batch_size or batch_bytes > MAX_BATCH_BYTES:
            yield batch
            batch, batch_bytes = [], 0
    if batch:
        yield batch


def _all_records(response: Response) -> Iterator[tuple[Any, int]]:
    """Each record, and about how long its text is."""
    for body in response.bodies:
        try:
            if _is_page(body.path):
                records = read_page(body.path)[1]
                size = body.path.stat().st_size // max(1, len(records))
                yield from ((record, size) for record in records)
            else:
                with body.path.open(encoding="utf-8-sig", newline="") as file:
                    yield from _elements(file)
        except UnicodeDecodeError as error:
            message = f"{response.name}: the answer is not UTF-8 text ({error.reason} at byte {error.start})"
            raise SourceError(message, hint=_HINT) from error
        except json.JSONDecodeError as error:
            near = error.doc[error.pos : error.pos + 40]
            message = f"{response.name}: the answer is not valid JSON ({error.msg} near {near!r})"
            raise SourceError(message, hint=_HINT) from error
        except ValueError as error:
            raise SourceError(f"{response.name}: the answer can't be read: {error}", hint=_HINT) from error
        except (RecursionError, MemoryError) as error:
            raise SourceError(f"{response.name}: {_TOO_MUCH}", hint=_HINT) from error


def read_page(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """One page: its fields, and the records in its list. Raises ValueError when it is none, or too large.

    A record beyond Python's limits comes as `UnreadableRecord` here too.
    """
    if path.stat().st_size > MAX_PAGE_BYTES:
        raise ValueError(f"the page has more than {MAX_PAGE_BYTES >> 20} MiB")
    body = path.read_bytes()
    _check_values(sum(map(body.count, (b",", b":", b"[", b"{"))))
    try:
        try:
            page = from_json(body.removeprefix(_BOM))  # the same values as Python's own parser, in half the time
        except ValueError:
            page = _careful_page(body.decode("utf-8-sig"))  # names what is wrong and where, or sets one record aside
    except (RecursionError, MemoryError):
        raise ValueError(_TOO_MUCH) from None
    for name in _LISTS:
        if isinstance(page, dict) and isinstance(page.get(name), list):
            return page, page[name]
    raise ValueError(f"no object with a list {' or '.join(map(repr, _LISTS))}")


def _careful_page(text: str) -> dict[str, Any]:
    """A page's fields, read field by field and record by record. Raises ValueError when it is no object."""
    page: dict[str, Any] = {}
    at, opener = _after_space(text, 0), "{"
    while not (opener == "," and text.startswith("}", at)):
        if not text.startswith(opener, at):
            raise json.JSONDecodeError(f"{opener!r} expected", text, at)
        at = _after_space(text, at + 1)
        if opener == "{" and text.startswith("}", at):
            break
        name, at = _decoder.raw_decode(text, at)
        at = _after_space(text, at)
        if not isinstance(name, str) or not text.startswith(":", at):
            raise json.JSONDecodeError("a name and ':' expected", text, at)
        page[name], at = _field(text, _after_space(text, at + 1))
        at, opener = _after_space(text, at), ","
    if text[at + 1 :].strip():
        raise json.JSONDecodeError("text after the page", text, at + 1)
    return page


def _field(text: str, at: int) -> tuple[Any, int]:
    """One field's value and where it ends; a list is read record by record."""
    if not text.startswith("[", at):
        try:
            return _decoder.raw_decode(text, at)
        except RecursionError:
            raise ValueError("nested too deeply") from None
    values: list[Any] = []
    opener = "["
    while True:
        value, at = _next(text, at, opener)
        if value is _END:
            return values, at
        values.append(value)
        opener = ","


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).removeprefix(_BOM).lstrip().startswith(b"{")


def _check_values(count: int) -> None:
    if count > MAX_VALUES:
        raise ValueError(f"it has more than {MAX_VALUES} values, or a record of so many")


def _elements(file: TextIO) -> Iterator[tuple[Any, int]]:
    text, at, opener, ended = "", 0, "[", False
    while True:
        try:
            value, end = _next(text, at, opener)
            whole = ended or text.startswith(_AFTER, end)  # else the rest of it is still in the file
        except json.JSONDecodeError:
            if ended:
                raise
            whole = False
        if not whole:
            chunk = file.read(max(_CHUNK_CHARS, min(len(text) - at, _MOST_MORE_CHARS)))  # few readings of one huge element
            ended = not chunk
            text, at = text[at:] + chunk, 0
            if len(text) > MAX_RECORD_CHARS + _CHUNK_CHARS:
                raise ValueError(f"a record has more than {MAX_RECORD_CHARS >> 20} Mi characters")
            if len(text) > _FEW_CHARS:
                _check_values(sum(map(text.count, ",:[{")))
            continue
        size, at, opener = end - at, end, ","
        if value is _END:
            break
        yield value, size
    rest = text[at:] + file.read(_CHUNK_CHARS)
    while rest.isspace():
        rest = file.read(_CHUNK_CHARS)
    if rest:
        raise json.JSONDecodeError("text after the list", text, at)


_END = object()
_MOST_MORE_CHARS = 4 << 20
_FEW_CHARS = 2 << 20  # few enough to hold whatever they come to
_AFTER = (",", "]", " ", "\n", "\r", "\t")
_space = re.compile(r"[ \n\r\t]*")


def _next(text: str, at: int, opener: str) -> tuple[Any, int]:
    """The element behind `opener` (or `_END`), and where it ends."""
    at = _after_space(text, at)
    if opener == "," and text.startswith("]", at):
        return _END, at + 1
    if not text.startswith(opener, at):
        raise json.JSONDecodeError(f"{opener!r} expected", text, at)
    at = _after_space(text, at + 1)
    if opener == "[" and text.startswith("]", at):
        return _END, at + 1
    try:
        return _decoder.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except (RecursionError, ValueError) as error:
        end = _skip_value(text, at)
        reason = "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"
        return UnreadableRecord(text[at:end], reason), end


def _after_space(text: str, at: int) -> int:
    return _space.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too


def _skip_value(text: str, at: int) -> int:
    """Where the value at `at` ends, by counting brackets outside strings."""
    depth, in_string, escaped = 0, False, False
    for i in range(at, len(text)):
        char = text[i]
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
            if depth < 0:
                return i
            if depth == 0:
                return i + 1
        elif char == "," and depth == 0:
            return i
    raise json.JSONDecodeError("unterminated value", text, at)
