"""Reads the records out of spooled answers batch by batch; each stays the bytes that were sent until it is parsed by itself."""

import codecs
import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..core.model import Response
from ..core.validate import in_batches, parsed
from ..errors import SourceError

MAX_RECORDS = 400_000
"""The most of one endpoint: their ids are kept in memory. SpaceX has flown some 600 launches."""
MAX_BODY_BYTES = 32 << 20
MAX_RECORD_BYTES = 16 << 20
MAX_PARTS = 4_000_000
"""The most in a body that a comma may part: each may be a record, and costs up to a hundred bytes of memory."""
MAX_VALUES = 1_000_000
"""The most in one record, counted by the marks `,` `:` `[` `{`: parsed, each costs up to a hundred bytes of memory."""
_FEW_BYTES = 2 << 20  # few enough to hold whatever they come to
_PIECE_BYTES = 1 << 16
_HINT = "what was sent is kept in the raw archive"
_BOM = b"\xef\xbb\xbf"
_LISTS = ("docs", "results")  # what APIs call the list in a page


class Glance(msgspec.Struct):
    """The few fields that are wanted of a record before it is validated; null where it is no object, or has others."""

    id: Any = None
    name: Any = None
    date_utc: Any = None
    net: Any = None
    upcoming: Any = None
    last_updated: Any = None


class Page(msgspec.Struct):
    """One page: what is asked for of the fields that one API or the other sends, and the records of its list at a glance."""

    page: Any = None
    total_docs: Any = msgspec.field(default=None, name="totalDocs")
    has_next_page: Any = msgspec.field(default=None, name="hasNextPage")
    count: Any = None
    next: Any = None
    docs: Sequence[Glance] | None = None
    results: Sequence[Glance] | None = None

    @property
    def records(self) -> Sequence[Glance]:
        """Those of the list, whatever the API calls it."""
        return (self.results if self.docs is None else self.docs) or ()


def read_records(response: Response, batch_size: int) -> Iterator[list[tuple[int, Any]]]:
    """An endpoint's records in batches, parsed, each with its place in the whole answer.

    A body is either one JSON array or one page, an object that holds the array (`read_page`). Raises SourceError when it is
    neither, or no JSON in UTF-8, or beyond the limits above. A record beyond Python's limits comes as `UnreadableRecord`.
    """
    for batch in read_texts(response, batch_size):
        yield [(place, parsed(record)) for place, record in batch]


def read_texts(response: Response, batch_size: int) -> Iterator[list[tuple[int, bytes]]]:
    """The same records as the JSON that was sent, which was checked."""
    return in_batches(_placed(response), batch_size)


def _placed(response: Response) -> Iterator[tuple[int, bytes]]:
    for place, record in enumerate(_all_records(response)):
        if place == MAX_RECORDS:
            raise SourceError(f"{response.name}: the answer has more than {MAX_RECORDS} records", hint=_HINT)
        yield place, record


def _all_records(response: Response) -> Iterator[bytes]:
    for body in response.bodies:
        try:
            text = _read(body.path)
            yield from _records(text) if text.startswith(b"[") else _listed(text)
        except UnicodeDecodeError as error:
            message = f"{response.name}: the answer is not UTF-8 text ({error.reason})"
            raise SourceError(message, hint=_HINT) from error
        except json.JSONDecodeError as error:
            near = error.doc[error.pos : error.pos + 40]
            message = f"{response.name}: the answer is not valid JSON ({error.msg} near {near!r})"
            raise SourceError(message, hint=_HINT) from error
        except ValueError as error:
            raise SourceError(f"{response.name}: the answer can't be read: {error}", hint=_HINT) from error


def read_page(path: Path) -> Page:
    """One page. Raises ValueError when it is none, or too large; the limits of a record are asked when the records are read."""
    text = _read(path)
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        page = _usual_page.decode(text)
        _check_count(page.records)
        if page.records:
            return page
    fields, records = _page(text)
    own = {field.name: fields[field.encode_name] for field in msgspec.structs.fields(Page) if field.encode_name in fields}
    return Page(**{**own, "docs": [_glance(record) for record in records], "results": None})


def _glance(record: bytes) -> Glance:
    """A few fields of a record, whatever it is."""
    try:
        return _any_glance.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raw = parsed(record)
        return Glance(**{name: raw.get(name) for name in Glance.__struct_fields__}) if isinstance(raw, dict) else Glance()


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_BODY_BYTES:
        raise ValueError(f"it has more than {MAX_BODY_BYTES >> 20} MiB")
    text = path.read_bytes().removeprefix(_BOM).strip(b" \t\r\n")
    if len(text) > MAX_PARTS and text.count(b",") > MAX_PARTS:
        raise ValueError(f"it has more than {MAX_PARTS} values")
    if not text.isascii():
        _check_encoding(text)
    return text


def _check_encoding(text: bytes) -> None:
    """Raise UnicodeDecodeError unless it is UTF-8. In pieces: memory for all of it at once costs more than the check."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), _PIECE_BYTES):
        decoder.decode(text[start : start + _PIECE_BYTES])
    decoder.decode(b"", final=True)


def _listed(text: bytes) -> Iterator[bytes]:
    """The records of a page, read once where msgspec can."""
    try:
        found = _lists.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = _Lists()
    records = found.results if found.docs is None else found.docs
    return iter(_page(text)[1]) if records is None else _sound(records, is_checked=True)


def _page(text: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The fields of a page but for its list, and the records in that as they were sent."""
    try:
        fields = {name: bytes(value) for name, value in _object.decode(text).items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields = dict(map(_named, _elements(text, b"{}")))
    for name in _LISTS:
        if fields.get(name, b"").startswith(b"["):
            records = list(_records(fields.pop(name)))
            return {other: parsed(value) for other, value in fields.items()}, records
    raise ValueError(f"no object with a list {' or '.join(map(repr, _LISTS))}")


def _records(text: bytes) -> Iterator[bytes]:
    """The elements of a list, checked to be JSON."""
    try:
        return _sound(_list.decode(text), is_checked=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _sound(_elements(text, b"[]"), is_checked=False)  # it takes neither NaN nor lone surrogates nor deep nesting


def _check_count(records: Sequence[Any]) -> None:
    if len(records) > MAX_RECORDS:
        raise ValueError(f"it has more than {MAX_RECORDS} records")


def _sound(found: Sequence[Any], *, is_checked: bool) -> Iterator[bytes]:
    _check_count(found)
    for element in found:
        record = bytes(element)
        if len(record) > MAX_RECORD_BYTES:
            raise ValueError(f"a record has more than {MAX_RECORD_BYTES >> 20} MiB")
        if len(record) > _FEW_BYTES and sum(map(record.count, (b",", b":", b"[", b"{"))) > MAX_VALUES:
            raise ValueError(f"a record has more than {MAX_VALUES} values")
        if not is_checked:
            parsed(record)
        yield record


class _Lists(msgspec.Struct):
    """The list of a page; whatever its other fields are, they are checked to be JSON alone."""

    docs: list[msgspec.Raw] | None = None
    results: list[msgspec.Raw] | None = None


class _UsualGlance(Glance):
    id: str | None = None
    name: str | None = None
    date_utc: str | None = None
    net: str | bool | None = None  # of Launch Library a time, of SpaceX whether it is one
    upcoming: bool | None = None
    last_updated: str | None = None


class _UsualPage(Page):
    docs: list[_UsualGlance] | None = None
    results: list[_UsualGlance] | None = None


_lists = msgspec.json.Decoder(_Lists)
_any_glance = msgspec.json.Decoder(Glance)
_usual_page = msgspec.json.Decoder(_UsualPage)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[][{},]', re.DOTALL)
_NAMED = re.compile(rb'\s*("(?:[^"\\]++|\\.)*+")\s*:(.*)', re.DOTALL)


def _elements(text: bytes, brackets: bytes) -> list[bytes]:
    """The texts between the commas of a list or an object, whatever they hold."""
    found: list[bytes] = []
    depth = start = end = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        if (mark == b"," and depth == 1) or depth == 0:
            found.append(text[start + 1 : token.start()].strip(b" \t\r\n"))
            start = token.start()
        if depth == 0:
            end = token.end()
            break
    if end != len(text) or text[:1] + text[-1:] != brackets:
        raise json.JSONDecodeError(f"{brackets.decode()} expected", text[end:].decode(errors="replace"), 0)
    return [] if found == [b""] else found


def _named(member: bytes) -> tuple[str, bytes]:
    if not (found := _NAMED.fullmatch(member)):
        raise json.JSONDecodeError("a name and ':' expected", member.decode(errors="replace"), 0)
    return json.loads(found[1].decode()), found[2].strip(b" \t\r\n")
