"""What the server answers, as Arrow tables and checksums."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ..core.checksum import server
from ..core.checksum.digest import Checksum, with_hashes
from ..core.identifiers import quoted
from ..core.model import PartitionKey
from ..core.schema import TABLES, Kind, Table
from . import ddl, sql
from .query import text_of
from .session import Session, checked


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
def checksums(
    query: Callable[[str], list[tuple[Any, ...]]], years: Mapping[str, set[int] | None]
) -> dict[PartitionKey, Checksum]:
    found = {}
    for name, wanted in years.items():
        for year, rows, digest, altered in query(server.checksums(TABLES[name], wanted)):
            # A row whose stored hash is not that of its values is a difference, whatever the digest says.
            found[name, int(year)] = Checksum(int(rows), f"{altered} row hashes altered" if altered else text_of(digest))
    return found


def as_stored(table: Table, rows: list[tuple[Any, ...]]) -> tuple[pa.Table, pa.Array]:
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
