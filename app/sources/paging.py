"""What all paged APIs have in common: the pages of one reading must add up to one state of the list, or they are read again."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from ..core.model import Body
from ..errors import SourceError
from .json_reader import MAX_RECORDS

READINGS = 3
"""How often a paged list that changes while it is read is read at most."""
MAX_PAGES = 10_000
"""The most pages of one list: some are served one record at a time, none of a sound list is this long."""

_Read = TypeVar("_Read")


class Shifted(Exception):
    """The pages do not add up to one state of the list.

    `ids` is set where the only sign is ids that came twice: if a second reading has the same ids, the list itself repeats them.
    """

    def __init__(self, message: str, ids: Iterable[str] | None = None) -> None:
        super().__init__(message)
        self.ids = None if ids is None else frozenset(ids)


class _TooLong(Exception):
    """No sound list has so many records or pages."""


class Pages:
    """The pages of one reading, checked as they come.

    `last_ids` are those of an earlier reading that held some twice: when this one has the same, the list did not change.
    """

    def __init__(self, last_ids: frozenset[str] | None = None) -> None:
        self.bodies: list[Body] = []
        self.received = 0
        self.total: Any = None
        self.twice: set[str] = set()
        self._ids: set[str] = set()
        self._last_ids = last_ids

    def add(self, body: Body, ids: Sequence[Any], total: Any) -> None:
        """Add the next page, by the ids of its records, and the total that it states.

        Raises Shifted when it does not go with those before it.
        """
        number = len(self.bodies) + 1
        if self.bodies and total != self.total:
            raise Shifted(f"the total changed from {self.total!r:.40} to {total!r:.40} at page {number}")
        self.received += len(ids)
        if self.received > MAX_RECORDS or number > MAX_PAGES:
            raise _TooLong(f"the list has more than {MAX_RECORDS} records or {MAX_PAGES} pages")
        for found in ids:
            if isinstance(found, str):
                (self.twice if found in self._ids else self._ids).add(found)
        self.bodies.append(body)
        self.total = total
        if isinstance(total, int) and self.received > total:
            raise Shifted(f"{self.received} records came where the API states {total}")

    def close(self) -> tuple[Body, ...]:
        """The pages, once there are no more. Raises Shifted when they do not add up."""
        if self.received != self.total:
            raise Shifted(f"{self.received} records came where the API states {self.total!r:.40}")
        if self.twice and self._last_ids != frozenset(self._ids):
            raise Shifted(f"{len(self.twice)} records are on two pages", self._ids)
        return tuple(self.bodies)


def settled(url: str, read: Callable[[frozenset[str] | None], _Read], warn: Callable[[str], None]) -> _Read:
    """What `read` gives once the list holds still. It receives the ids of the reading before, where that held some twice.

    `warn` receives a line for a list that was read several times.

    Raises SourceError when the list would not hold still, or is too long.
    """
    fault, ids = "", None
    for reading in range(1, READINGS + 1):
        try:
            found = read(ids)
        except Shifted as error:
            fault, ids = str(error), error.ids
        except _TooLong as error:
            raise SourceError(f"{url}: {error}", hint="no more of it is read") from error
        else:
            if fault:
                warn(f"{url}: read {reading} times; before: {fault}")
            return found
    raise SourceError(f"{url}: {fault}", hint=f"read {READINGS} times; the list changes while it is read")
