"""Rows into a table: streamed by LOAD DATA, then merged by key from where they were staged."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from ..core.reconcile import Scope
from ..core.runs import Merged
from ..core.schema import Table
from . import sql
from .session import Session

_ROWS_A_CHUNK = 1_000
_IDS_A_STATEMENT = 1_000


def load(session: Session, table: Table, parts: Iterable[pa.Table], statement: str, values: Iterable[Any] = ()) -> int:
    """Stream rows into a LOAD DATA statement; how many there were. Raises WarehouseError unless all arrived unaltered."""
    sent = 0

    def stream() -> Iterator[bytes]:
        nonlocal sent
        for rows in _chunks(parts):
            sent += rows.num_rows
            yield sql.load_lines(table, rows)

    session.load(statement, stream(), lambda: sent, list(values))
    return sent


def merge_staged(session: Session, table: Table, lineage: list[Any], scope: Scope) -> Merged:
    """Bring a table to what was staged: changed and new rows by key, and no others within the scope. Raises WarehouseError."""
    updated = session.execute(sql.update_changed(table), lineage)
    inserted = session.execute(sql.insert_new(table), lineage)
    deleted = session.execute(sql.delete_gone(table, scope.years)) if scope.years else 0
    launches = sorted(scope.launches) if scope.partly else []
    for start in range(0, len(launches), _IDS_A_STATEMENT):
        ids = launches[start : start + _IDS_A_STATEMENT]
        deleted += session.execute(sql.delete_gone_of(table, scope.partly, len(ids)), ids)
    return Merged(inserted, updated, deleted)


def _chunks(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of middling size: text takes several times the memory of Arrow, and small tables take long."""
    waiting: list[pa.Table] = []
    for part in parts:
        for start in range(0, part.num_rows, _ROWS_A_CHUNK):
            waiting.append(part.slice(start, _ROWS_A_CHUNK))
            if sum(rows.num_rows for rows in waiting) >= _ROWS_A_CHUNK:
                yield pa.concat_tables(waiting)
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
