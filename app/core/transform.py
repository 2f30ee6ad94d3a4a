"""From canonical rows to Arrow tables, and from those to DataFrames."""

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from .checksum.digest import hashed, row_hashes
from .model import Rows
from .schema import SNAPSHOT, Table

if TYPE_CHECKING:
    import pandas as pd


def no_rows() -> Rows:
    """Rows of no launch."""
    return {name: [] for name in SNAPSHOT}


def transform(rows: Rows) -> dict[str, pa.Table]:
    """The rows of a batch of launches as one Arrow table for each canonical table, hashed, in no order."""
    tables = {}
    for table in SNAPSHOT.values():
        facts = pa.array(rows[table.name], pa.struct([(c.name, c.kind.value.arrow) for c in table.facts]))
        tables[table.name] = hashed(table, facts.flatten())
    return tables


def conform(table: Table, rows: pa.Table) -> pa.Table:
    """Rows of a file, perhaps of an older schema, by the schema of today.

    A column is found by its former name too; those that the file lacks are null. The hashes are new.
    """
    facts = {}
    for column in table.facts:
        kind = column.kind.value.arrow
        name = next((n for n in (column.name, column.former_name) if n in rows.column_names), None)
        facts[column.name] = rows[name].cast(kind) if name else pa.nulls(len(rows), kind)
    return pa.table({**facts, "row_hash": row_hashes(table, pa.table(facts))}, schema=table.arrow)


def newest(table: Table, rows: pa.Table, count: int) -> pa.Table:
    """The newest rows: by the table's own time, or where it has none by its key, whose last are mostly the newest."""
    times = [name for name in ("changed_at", "date_utc") if name in rows.column_names]
    order = [(name, "descending") for name in times or table.key]
    order += [(name, "ascending") for name in table.key if times]
    return rows.take(pc.sort_indices(rows, order)[:count])


def frame_types(table: Table) -> dict[str, str]:
    """The types of the columns of `frame`, as pandas names them, known without importing it."""
    return {c.name: f"{c.kind.value.arrow}[pyarrow]" for c in table.columns}


def frame(rows: pa.Table) -> "pd.DataFrame":
    """Rows as a pandas DataFrame over the same Arrow memory: nullable integers, no NaN for null, no object column."""
    import pandas as pd  # only where a frame is wanted: it takes longer to import than a small run to do

    found: pd.DataFrame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    return found
