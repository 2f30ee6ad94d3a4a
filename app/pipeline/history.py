"""The change history, and what differs from the state before."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from app.core.checksum.digest import Content, row_hashes, with_hashes
from app.core.diff import Difference, changed_columns, difference
from app.core.model import Run
from app.core.reconcile import Held, is_mysql_ahead
from app.core.schema import LAUNCH_CHANGES, LAUNCHES, Table
from app.core.transform import conform
from app.pipeline.adapters import Edges
from app.pipeline.history import launch_changes
from app.pipeline.published import read_files
from app.pipeline.spill import Snapshot


def _history(edges: Edges, held: Held) -> pa.Table:
    """All rows of `launch_changes`: they only ever become more."""
    name = LAUNCH_CHANGES.name
    if held.manifest:
        rows = read_files(edges.lake, LAUNCH_CHANGES, [f for f in held.manifest.files if f.table == name])
    else:  # the manifest was lost: nothing else knows of these rows when the database is new as well
        listed = [stored for (table, _), stored in sorted(held.objects.items()) if table == name]
        parts = [conform(LAUNCH_CHANGES, edges.lake.read(stored.key, None)) for stored in listed]
        rows = pa.concat_tables([LAUNCH_CHANGES.arrow.empty_table(), *parts])
    if is_mysql_ahead(held):
        in_mysql = edges.warehouse.rows_of_years(name, [year for table, year in held.rows if table == name])
        sound = in_mysql.filter(pc.equal(in_mysql["row_hash"], row_hashes(LAUNCH_CHANGES, in_mysql)))
        return pa.concat_tables([rows, difference(LAUNCH_CHANGES, rows, sound).added])
    return rows


def changes_of(edges: Edges, held: Held, snapshot: Snapshot, table: Table) -> Difference:
    """What the snapshot changes in a table, against what the stores held last; only partitions that differ are read."""
    new = {year: content for (name, year), content in snapshot.contents.items() if name == table.name}
    files = {f.year: f for f in held.manifest.files if f.table == table.name} if held.manifest else {}
    if is_mysql_ahead(held):
        keys = [key for key in held.rows if key[0] == table.name]
        old = {year: content for (_, year), content in edges.warehouse.contents(keys).items()}
    else:
        old = {year: Content(file.rows, file.digest) for year, file in files.items()}
    parts = [(table.arrow.empty_table(), table.arrow.empty_table())]
    for year in sorted(old.keys() | new.keys()):
        if old.get(year) == new.get(year):
            continue
        if is_mysql_ahead(held):
            before = edges.warehouse.rows_of_years(table.name, [year])
        else:
            before = read_files(edges.lake, table, [files[year]] if year in files else [])
        # Rows that stayed the same are dropped year by year; what is left is little, and may have moved between years.
        seen = [pa.array([], pa.string())]
        for after in snapshot.partition((table.name, year)) if year in new else ():
            parts.append((table.arrow.empty_table(), _without(after, before["row_hash"].combine_chunks())))
            seen.append(after["row_hash"].combine_chunks())
        parts.append((_without(before, pa.concat_arrays(seen)), table.arrow.empty_table()))
    return difference(table, pa.concat_tables([o for o, _ in parts]), pa.concat_tables([n for _, n in parts]))


def _without(rows: pa.Table, hashes: pa.Array) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows["row_hash"], hashes)))


def launch_changes(run: Run, found: Difference) -> pa.Table:
    """The rows of `launch_changes` for a difference of `launches`."""
    columns: dict[str, list[object]] = {name: [] for name in ("launch_id", "column", "old", "new", "launch_year")}

    def add(rows: pa.Table, column: str, texts: Mapping[str, pa.ChunkedArray]) -> None:
        columns["launch_id"] += rows["launch_id"].to_pylist()
        columns["launch_year"] += rows["launch_year"].to_pylist()
        columns["column"] += [column] * rows.num_rows
        for side in ("old", "new"):
            columns[side] += texts[side].to_pylist() if side in texts else [None] * rows.num_rows

    add(found.added, "launch_id", {"new": found.added["launch_id"]})
    add(found.removed, "launch_id", {"old": found.removed["launch_id"]})
    for name, rows, old, new in changed_columns(LAUNCHES, found):
        add(rows, name, {"old": old, "new": new})
    count = len(columns["launch_id"])
    return with_hashes(LAUNCH_CHANGES, {**columns, "run_id": [run.id] * count, "changed_at": [run.as_of] * count})
