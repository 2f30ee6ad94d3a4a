"""Which rows, and which of their values, a store does not hold as they were published; read one partition at a time."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from ..core.checksum.digest import EMPTY, checksum_of
from ..core.diff import changed_columns, difference
from ..core.model import PartitionKey
from ..core.reconcile import CurrentState, checksum_named, object_fault
from ..core.results import Key, RowDifference
from ..core.schema import TABLES, Table
from ..core.transform import conform
from ..errors import UnreadableObject
from .adapters import Adapters
from .published import Published

_FIELDS = {"MySQL": "in_mysql", "S3": "in_s3"}


def row_differences(adapters: Adapters, current: CurrentState, unequal_in_s3: set[PartitionKey]) -> list[RowDifference]:
    """Every value and row that differs; `unequal_in_s3` are the partitions whose named versions do not hold what is named.

    Raises PipelineError when a store does not answer.
    """
    if current.manifest is None:
        return []
    published = Published(adapters, current)
    keys = sorted(current.files.keys() | current.in_mysql.keys() | current.objects.keys())
    return _with_moves([one for key in keys for one in _of_partition(adapters, current, published, key, unequal_in_s3)])


def _of_partition(
    adapters: Adapters, current: CurrentState, published: Published, key: PartitionKey, unequal_in_s3: set[PartitionKey]
) -> Iterator[RowDifference]:
    table, year = TABLES[key[0]], key[1]
    in_mysql_differs = current.in_mysql.get(key, EMPTY) != checksum_named(current.files, key)
    fault = object_fault(current.files.get(key), current.objects.get(key))
    in_s3_differs = key in unequal_in_s3 or fault is not None
    if not in_mysql_differs and not in_s3_differs:
        return
    rows = _rows_published(adapters, current, published, key)
    if rows is None:
        yield _of_whole(key, "neither store holds what was published")
        return
    if in_mysql_differs:
        stored = adapters.warehouse.rows_of_years(table.name, [year])
        yield from _between(table, year, rows, conform(table, stored), "MySQL")
        yield from _altered_hashes(table, year, rows, stored)
    if in_s3_differs:
        try:
            in_s3 = _rows_in_s3(adapters, current, key)
        except UnreadableObject:
            yield _of_whole(key, "the object in S3 can't be read")
        else:
            yield from _between(table, year, rows, in_s3, "S3")


def _rows_published(adapters: Adapters, current: CurrentState, published: Published, key: PartitionKey) -> pa.Table | None:
    """The rows that were published, from whichever store holds what the manifest names; None where neither does."""
    file, named = current.files.get(key), checksum_named(current.files, key)
    if file is None:
        return TABLES[key[0]].arrow.empty_table()
    rows = published.rows(file)
    if rows is not None and checksum_of(rows) != named:
        equal = current.in_mysql.get(key, EMPTY) == named
        rows = adapters.warehouse.rows_of_years(file.table, [file.year]) if equal else None
    return rows


def _rows_in_s3(adapters: Adapters, current: CurrentState, key: PartitionKey) -> pa.Table:
    """The rows that a reader by path finds. Raises UnreadableObject."""
    stored, table = current.objects.get(key), TABLES[key[0]]
    return adapters.lake.current_rows(stored, table) if stored else table.arrow.empty_table()


def _between(table: Table, year: int, published: pa.Table, stored: pa.Table, store: str) -> Iterator[RowDifference]:
    found = difference(table, published, stored)
    for what, some_rows in ((f"missing in {store}", found.removed), (f"only in {store}", found.added)):
        for key in _keys(table, some_rows):
            yield {"table": table.name, "year": year, "key": key, "difference": what}
    for column, after, old, new in changed_columns(table, found):
        for key, before, now in zip(_keys(table, after), old.to_pylist(), new.to_pylist(), strict=True):
            yield _of_value(table, year, key, column, before, now, store)


def _altered_hashes(table: Table, year: int, published: pa.Table, stored: pa.Table) -> Iterator[RowDifference]:
    """Rows beside whose values another hash is stored than was published."""
    wanted = dict(zip(map(tuple, _keys(table, published)), published["row_hash"].to_pylist(), strict=True))
    for key, found in zip(_keys(table, stored), stored["row_hash"].to_pylist(), strict=True):
        named = wanted.get(tuple(key), found)
        if named != found:
            yield _of_value(table, year, key, "row_hash", named, found, "MySQL")


def _with_moves(found: list[RowDifference]) -> list[RowDifference]:
    """The same, but a row that is missing in one year and there in another is one whose `launch_year` differs."""

    def identity(one: RowDifference, store: str) -> tuple[Any, ...]:
        return (one["table"], *one["key"], store)

    places = {identity(one, store): one["year"] for store in _FIELDS for one in _whole(found, f"only in {store}")}
    moved = {
        identity(one, store): one["year"]
        for store in _FIELDS
        for one in _whole(found, f"missing in {store}")
        if identity(one, store) in places
    }
    result = []
    for one in found:
        what, _, store = one.get("difference", "").rpartition(" in ")
        if store not in _FIELDS or identity(one, store) not in moved:
            result.append(one)
        elif what == "missing":
            years = (str(one["year"]), str(places[identity(one, store)]))
            result.append(_of_value(TABLES[one["table"]], one["year"], one["key"], "launch_year", *years, store))
    return result


def _whole(found: Iterable[RowDifference], what: str) -> Iterator[RowDifference]:
    return (one for one in found if one.get("difference") == what)


def _of_whole(key: PartitionKey, what: str) -> RowDifference:
    return {"table": key[0], "year": key[1], "key": [], "difference": what}


def _of_value(
    table: Table, year: int, key: Key, column: str, published: str | None, now: str | None, store: str
) -> RowDifference:
    one: RowDifference = {"table": table.name, "year": year, "key": key, "column": column, "published": published}
    return {**one, "in_mysql": now} if store == "MySQL" else {**one, "in_s3": now}


def _keys(table: Table, rows: pa.Table) -> list[Key]:
    return [list(row.values()) for row in rows.select(table.key).to_pylist()]
