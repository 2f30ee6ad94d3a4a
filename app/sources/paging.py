"""What all paged APIs have in common: the pages of one reading must add up to one state of the list, or they are read again."""

from collections.abc import Callable
from typing import Any, TypeVar

from ..core.model import Body
from ..errors import SourceError

READINGS = 3
"""How often a paged list that changes while it is read is read at most."""

_Read = TypeVar("_Read")


class Shifted(Exception):
    """The pages do not add up to one state of the list."""


class Pages:
    """The pages of one reading, checked as they come."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.received = 0
        self.total: Any = None
        self._ids: set[str] = set()

    def add(self, body: Body, records: list[Any], total: Any) -> None:
        """Take up the next page, and the total that it states. Raises Shifted when it does not go with those before it."""
        number = len(self.bodies) + 1
        if self.bodies and total != self.total:
            raise Shifted(f"the total changed from {self.total} to {total} at page {number}")
        found = [r["id"] for r in records if isinstance(r, dict) and isinstance(r.get("id"), str)]
        if len(set(found)) < len(found) or not self._ids.isdisjoint(found):
            raise Shifted(f"page {number} holds ids twice, or again")
        self._ids.update(found)
        self.bodies.append(body)
        self.received += len(records)
        self.total = total

    def close(self) -> tuple[Body, ...]:
        """The pages, once there are no more. Raises Shifted when they do not add up."""
        if self.received != self.total:
            raise Shifted(f"{self.received} records came where the API states {self.total}")
        return tuple(self.bodies)


def settled(url: str, read: Callable[[], _Read]) -> _Read:
    """What `read` gives once the list holds still. Raises SourceError when it would not."""
    fault = ""
    for _ in range(READINGS):
        try:
            return read()
        except Shifted as error:
            fault = str(error)
    raise SourceError(f"{url}: {fault}", hint=f"read {READINGS} times; the list changes while it is read")
