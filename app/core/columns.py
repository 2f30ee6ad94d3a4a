"""Columns of launches and of their children, as a source's parser makes them, and the tables that they become."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from .checksum.digest import hashed
from .schema import LAUNCHES, SNAPSHOT, Column, Kind, Table

MAX_PENDING_CHARS = 4 << 20
"""How much text of lookups the rows of several launches may repeat before they are transformed apart."""
MAX_PENDING_ROWS = 20_000
_Child = TypeVar("_Child")
Columns = Mapping[str, Sequence[Any] | pa.Array]
"""Facts by column; one that is not there is null. Times may be texts in ISO 8601 with an offset."""


class TooMuch(Exception):
    """Several launches come to more rows or text than are to be in memory at once."""


@dataclass
class Counts:
    """What some launches come to in rows and repeated text, and what was met in them: lookups by kind, id and whether known."""

    launches: int
    rows: int = 0
    chars: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    references: Counter[tuple[str, str, bool]] = field(default_factory=Counter)

    def add(self, rows: int, chars: int = 0) -> None:
        """Raises TooMuch, where fewer launches would be less."""
        self.rows += rows
        self.chars += chars
        if self.launches > 1 and (self.rows > MAX_PENDING_ROWS or self.chars > MAX_PENDING_CHARS):
            raise TooMuch


class Children(Generic[_Child]):
    """What some launches have lists of, as boosters: one launch's after another's."""

    def __init__(self, lists: Sequence[Sequence[_Child] | None], counts: Counts) -> None:
        counts.add(sum(map(len, filter(None, lists))))
        self.lists = lists
        self.all: list[_Child] = list(chain.from_iterable(filter(None, lists)))
        self.launches = [place for place, parts in enumerate(lists) for _ in parts or ()]  # whose each is
        self.positions = [position for parts in lists for position in range(len(parts or ()))]

    def of_launches(self, values: Sequence[Any] | pa.Array) -> Iterable[list[Any] | None]:
        """Values of the children, a list for each launch; None where the source sent no list."""
        if isinstance(values, pa.Array):
            values = values.to_pylist()
        start = 0
        for parts in self.lists:
            end = start + len(parts or ())
            yield None if parts is None else list(values[start:end])
            start = end

    def path(self, name: str, field: str = "") -> Callable[[int], str]:
        """Where a child stands in its record, by its place among all: cores[0].core."""
        return lambda place: f"{name}[{self.positions[place]}]{field}"

    @property
    def count(self) -> list[int | None]:
        """How many each launch has; None where the source sent no list."""
        return [None if parts is None else len(parts) for parts in self.lists]


def tables_of(launches: Columns, children: Mapping[str, tuple[Children[Any], Columns]]) -> dict[str, pa.Table]:
    """All tables, hashed: that of the launches, and those of their children."""
    ids = _array(_column(LAUNCHES, "launch_id"), launches["launch_id"], 0)
    years = pc.year(_array(_column(LAUNCHES, "date_utc"), launches["date_utc"], 0))
    tables = {LAUNCHES.name: _table(LAUNCHES, {**launches, "launch_year": years}, len(ids))}
    for name, (found, facts) in children.items():
        of_launch = pa.array(found.launches, pa.int64())
        whose = {"launch_id": ids.take(of_launch), "position": found.positions, "launch_year": years.take(of_launch)}
        tables[name] = _table(SNAPSHOT[name], {**facts, **whose}, len(of_launch))
    return tables


def _table(table: Table, columns: Columns, rows: int) -> pa.Table:
    assert columns.keys() <= {column.name for column in table.facts}, columns.keys()
    return hashed(table, [_array(column, columns.get(column.name), rows) for column in table.facts])


def _column(table: Table, name: str) -> Column:
    return next(column for column in table.columns if column.name == name)


def _array(column: Column, values: Sequence[Any] | pa.Array | None, rows: int) -> pa.Array:
    kind = column.kind.value.arrow
    if values is None:
        return pa.nulls(rows, kind)
    if isinstance(values, pa.Array):
        return values
    if column.kind is Kind.TIME:
        return pa.array(values, pa.string()).cast(kind)
    found = pa.array(values, kind)
    return pc.add(found, 0.0) if column.kind is Kind.REAL else found  # no negative zero
