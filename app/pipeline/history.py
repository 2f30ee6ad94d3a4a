"""The change history, and what differs from the state before."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum.digest import Checksum, row_hashes, with_hashes
from ..core.diff import Difference, changed_columns, difference
from ..core.model import Run
from ..core.reconcile import CurrentState, is_mysql_ahead
from ..core.schema import LAUNCH_CHANGES, LAUNCHES, Table
from ..core.transform import conform
from .adapters import Adapters
from .published import read_files
from .spill import Spill


def history(adapters: Adapters, current: CurrentState) -> pa.Table:
    """All rows of `launch_changes`: they only ever become more."""
    name = LAUNCH_CHANGES.name
    if current.manifest:
        rows = read_files(adapters.lake, LAUNCH_CHANGES, [f for f in current.manifest.files if f.table == name])
    else:  # the manifest was lost: nothing else knows of these rows when the database is new as well
        listed = [stored for (table, _), stored in sorted(current.objects.items()) if table == name]
        parts = [conform(LAUNCH_CHANGES, adapters.lake.read(stored.key, None)) for stored in listed]
        rows = pa.concat_tables([LAUNCH_CHANGES.arrow.empty_table(), *parts])
    if is_mysql_ahead(current):
        in_mysql = adapters.warehouse.rows_of_years(name, [year for table, year in current.rows if table == name])
        sound = in_mysql.filter(pc.equal(in_mysql["row_hash"], row_hashes(LAUNCH_CHANGES, in_mysql)))
        return pa.concat_tables([rows, difference(LAUNCH_CHANGES, rows, sound).added])
    return rows


def changes_of(adapters: Adapters, current: CurrentState, spill: Spill, table: Table) -> Difference:
    """What the snapshot changes in a table, against what the stores held last; only partitions that differ are read."""
    new = {year: checksum for (name, year), checksum in spill.checksums.items() if name == table.name}
    files = {f.year: f for f in current.manifest.files if f.table == table.name} if current.manifest else {}
    if is_mysql_ahead(current):
        keys = [key for key in current.rows if key[0] == table.name]
        old = {year: checksum for (_, year), checksum in adapters.warehouse.checksums(keys).items()}
    else:
        old = {year: Checksum(file.rows, file.digest) for year, file in files.items()}
    parts = [(table.arrow.empty_table(), table.arrow.empty_table())]
    for year in sorted(old.keys() | new.keys()):
        if old.get(year) == new.get(year):
            continue
        if is_mysql_ahead(current):
            before = adapters.warehouse.rows_of_years(table.name, [year])
        else:
            before = read_files(adapters.lake, table, [files[year]] if year in files else [])
        # Rows that stayed the same are dropped year by year; what is left is little, and may have moved between years.
        seen = [pa.array([], pa.string())]
        for after in spill.partition((table.name, year)) if year in new else ():
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
