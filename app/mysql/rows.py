"""What the server answers, as Arrow tables and checksums."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum import server
from ..core.checksum.digest import Checksum, have_hashes, with_hashes
from ..core.identifiers import quoted
from ..core.model import PartitionKey
from ..core.schema import SNAPSHOT, TABLES, Kind, Table
from . import ddl, sql
from .query import text_of
from .session import Session, checked

_IDS_A_QUERY = 500

Query = Callable[..., list[tuple[Any, ...]]]
"""A statement, and perhaps its values, to the rows of its answer."""


def found_tables(session: Session) -> list[ddl.FoundTable]:
    """The tables of ours that are there, by name. Raises WarehouseError."""
    names = [sql.RUNS_TABLE, *TABLES]
    listed = ", ".join(["%s"] * len(names))
    columns: dict[str, list[ddl.FoundColumn]] = {}
    keys: dict[str, list[str]] = {}
    for table, name, kind, charset, collation, nullable, default, extra, key, comment in session.query(
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, IS_NULLABLE, COLUMN_DEFAULT, "
        "EXTRA, COLUMN_KEY, COLUMN_COMMENT FROM information_schema.COLUMNS "
        f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({listed}) ORDER BY TABLE_NAME, ORDINAL_POSITION",
        names,
    ):
        # MariaDB says NULL where MySQL says nothing; EXTRA: auto_increment, generated, DEFAULT_GENERATED
        filled = default not in (None, "NULL") or bool(extra)
        found = ddl.FoundColumn(name, text_of(kind), charset, collation, nullable == "YES", filled, text_of(comment))
        columns.setdefault(table, []).append(found)
        if key == "PRI":
            keys.setdefault(table, []).append(name.lower())
    result = []
    for table, kind, comment in session.query(
        "SELECT TABLE_NAME, TABLE_TYPE, TABLE_COMMENT FROM information_schema.TABLES "
        f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({listed})",
        names,
    ):
        is_view = kind != "BASE TABLE"
        empty = is_view or not session.query(f"SELECT 1 FROM {quoted(table)} LIMIT 1")
        found_columns = tuple(columns.get(table, ()))
        result.append(ddl.FoundTable(table, is_view, empty, tuple(keys.get(table, ())), found_columns, text_of(comment)))
    return result


@checked
def checksums(query: Query, years: Mapping[str, set[int] | None]) -> dict[PartitionKey, Checksum]:
    """Rows and digest of the named years of each table, of all years where none are named. Raises WarehouseError."""
    found = {}
    for name, wanted in years.items():
        for year, rows, digest, altered in query(server.checksums(TABLES[name], wanted)):
            # A row whose stored hash is not that of its values is a difference, whatever the digest says.
            found[name, int(year)] = Checksum(int(rows), f"{altered} row hashes altered" if altered else text_of(digest))
    return found


def rows_of(query: Query, ids: Iterable[str]) -> dict[str, pa.Table]:
    """All rows of the given launches as stored, but for launches with a row whose facts no longer have its hash."""
    wanted = sorted(ids)
    found: dict[str, pa.Table] = {}
    altered: set[str] = set()
    for table in SNAPSHOT.values():
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(wanted), _IDS_A_QUERY):
            some = wanted[start : start + _IDS_A_QUERY]
            rows += query(sql.select_rows(table, len(some)), some)
        found[table.name], stored = _as_stored(table, rows)
        sound = have_hashes(table, found[table.name], stored)
        altered.update(found[table.name].filter(pc.invert(sound))["launch_id"].to_pylist())
    return {
        name: rows.filter(pc.invert(pc.is_in(rows["launch_id"], pa.array(sorted(altered), pa.string()))))
        for name, rows in found.items()
    }


def rows_of_years(query: Query, table: Table, years: Iterable[int]) -> pa.Table:
    """All rows of some years of a table, as stored: the hashes beside them too."""
    parts = [table.arrow.empty_table()]
    for year in sorted(years):
        rows, stored = _as_stored(table, query(sql.select_years(table, [year])))
        parts.append(rows.set_column(rows.schema.get_field_index("row_hash"), parts[0].field("row_hash"), stored))
    return pa.concat_tables(parts)


def _as_stored(table: Table, rows: list[tuple[Any, ...]]) -> tuple[pa.Table, pa.Array]:
    """Rows with the hashes of the facts that were read, and the hashes that were stored beside them."""
    columns = dict(
        zip(
            (c.name for c in table.columns),
            zip(*rows, strict=True) if rows else ((),) * len(table.columns),
            strict=True,
        )
    )
    stored = pa.array([text_of(h) for h in columns["row_hash"]], pa.string())
    return with_hashes(table, {c.name: [_value(c.kind, v) for v in columns[c.name]] for c in table.facts}), stored


def _value(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind is Kind.FLAG:
        return bool(value)
    if kind is Kind.TIME:
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None  # a zero date, which we never write
    return value
