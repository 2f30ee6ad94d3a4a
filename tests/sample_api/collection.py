"""One endpoint's records, and the bytes that a GET answers, built once."""

import hashlib
import json
from array import array
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self

from tests.sample_api.records import encode

Sort = tuple[tuple[str, bool], ...]


class Collection:
    """`size` records, made one by one when they are needed, so that a large set exists once: as the body."""

    def __init__(self, size: int, at: Callable[[int], Any]) -> None:
        self.size = size
        self.at = at
        self._order: tuple[Sort, Sequence[int]] = ((), range(size))
        self._starts = array("Q")  # where each record is in the body, once that was built

    @classmethod
    def of(cls, content: Sequence[Any] | bytes) -> Self:
        """The collection of these records, or of the raw body of an answer, which is served byte for byte."""
        records = _list_in(content) if isinstance(content, bytes) else content
        collection = cls(len(records), records.__getitem__)
        if isinstance(content, bytes):
            collection.body = content
        return collection

    def changed(self, change: Callable[[Any], Any]) -> Self:
        """The same records, each changed when it is needed."""
        return type(self)(self.size, lambda index: change(self.at(index)))

    @cached_property
    def body(self) -> bytes | bytearray:
        """The whole list as JSON."""
        body, starts = bytearray(b"["), array("Q")
        for index in range(self.size):
            body += b"," if index else b""
            starts.append(len(body))
            body += encode(self.at(index)).encode()
        body += b"]"
        self._starts = array("Q", [*starts, len(body)])
        return body

    def encoded(self, index: int) -> bytes:
        """One record as JSON: a slice of the body where that was built, so that pages of a large set are cheap."""
        if not self._starts:
            return encode(self.at(index)).encode()
        return bytes(memoryview(self.body)[self._starts[index] : self._starts[index + 1] - 1])

    @cached_property
    def etag(self) -> str:
        """The strong ETag of the body."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    @cached_property
    def by_id(self) -> dict[str, Any]:
        """The records that have an id, by it."""
        records = map(self.at, range(self.size))
        return {record["id"]: record for record in records if isinstance(record, dict) and "id" in record}

    def order(self, sort: Sort) -> Sequence[int]:
        """The places of the records in this order; the last order is kept for the pages that follow."""
        if self._order[0] != sort:
            places: Sequence[int] = range(self.size)
            for field, descending in reversed(sort):
                places = sorted(places, key=self._key(field), reverse=descending)
            self._order = (sort, places)
        return self._order[1]

    def _key(self, field: str) -> Callable[[int], tuple[str, Any]]:
        name = "id" if field == "_id" else field

        def key(index: int) -> tuple[str, Any]:
            record = self.at(index)
            value = record.get(name) if isinstance(record, dict) else None
            if value is None or isinstance(value, int | float):
                return ("", float("-inf") if value is None else value)
            return (type(value).__name__, value if isinstance(value, str) else encode(value))

        return key


def _list_in(body: bytes) -> list[Any]:
    """The records in the body, none when it is no JSON list."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return content if isinstance(content, list) else []
