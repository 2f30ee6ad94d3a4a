"""The change history: what was published of it is carried over, and what this run finds changed is added."""

import contextlib
from collections.abc import Mapping
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum.digest import EMPTY, Checksum, with_hashes
from ..core.diff import Difference, Unmatched, changed_columns, difference, gathered, unmatched
from ..core.model import PartitionKey, Run
from ..core.reconcile import CurrentState, checksum_named, is_mysql_ahead, object_fault
from ..core.schema import LAUNCH_CHANGES, LAUNCHES, SCHEMA_VERSION, Table
from ..core.transform import conform
from ..errors import UnreadableObject
from .adapters import Adapters
from .published import Published
from .spill import Spill

_NAME = LAUNCH_CHANGES.name


def carry_history(adapters: Adapters, current: CurrentState, published: Published, spill: Spill) -> None:
    """Carry all rows of `launch_changes` over: they only ever become more.

    A year that both stores hold as named is not even read. Raises PipelineError when a store does not answer.
    """
    keys = {key for key in (*current.files, *current.objects, *current.in_mysql) if key[0] == _NAME}
    for key in sorted(keys):
        file, named = current.files.get(key), checksum_named(current.files, key)
        has_more = _has_more(current, key, named)
        if named == EMPTY and not has_more:
            continue  # the file of a table without rows; there is none any more once it has some
        is_same_object = object_fault(file, current.objects.get(key)) is None
        if file and is_same_object and not has_more and _is_this_schema(current):
            spill.carry(key, named, partial(adapters.lake.rows, file))
            continue
        rows = published.rows(file) if file else None
        if rows is None:
            rows = published.sound_rows(LAUNCH_CHANGES, key[1]) if file or has_more else LAUNCH_CHANGES.arrow.empty_table()
        elif has_more:
            rows = pa.concat_tables([rows, difference(LAUNCH_CHANGES, rows, published.sound_rows(LAUNCH_CHANGES, key[1])).added])
        spill.add(_NAME, _with_sources(adapters, rows))


def _with_sources(adapters: Adapters, rows: pa.Table) -> pa.Table:
    """Rows that an earlier schema version wrote get the source of the run that found them, where that is still known."""
    without = rows.filter(pc.is_null(rows["source"]))
    if not without.num_rows:
        return rows
    sources: dict[str, str | None] = {**adapters.warehouse.runs_table.sources()}
    for run_id in set(without["run_id"].to_pylist()) - sources.keys():
        with contextlib.suppress(UnreadableObject):
            manifest = adapters.lake.manifest(run_id)
            sources[run_id] = manifest.source if manifest else None
    pairs = zip(rows["source"].to_pylist(), rows["run_id"].to_pylist(), strict=True)
    filled = pa.array([source or sources.get(run_id) for source, run_id in pairs], pa.string())
    return conform(LAUNCH_CHANGES, rows.set_column(rows.schema.get_field_index("source"), "source", filled))


def _has_more(current: CurrentState, key: PartitionKey, named: Checksum) -> bool:
    """Whether a store may hold rows of the history that the manifest does not name."""
    if current.manifest is None:
        return True  # nothing else knows of these rows
    return is_mysql_ahead(current) and current.in_mysql.get(key, named) != named


def _is_this_schema(current: CurrentState) -> bool:
    return current.manifest is not None and current.manifest.schema_version == SCHEMA_VERSION


def changes_of(adapters: Adapters, current: CurrentState, published: Published, spill: Spill, table: Table) -> Difference:
    """What the new state changes in a table, against what the stores held last; only partitions that differ are read.

    Of a partition that is lost nothing is known, and so no change.
    """
    new = {year: checksum for (name, year), checksum in spill.checksums.items() if name == table.name}
    is_ahead = is_mysql_ahead(current)
    held = current.in_mysql if is_ahead else {key: Checksum(f.rows, f.digest) for key, f in current.files.items()}
    old = {year: checksum for (name, year), checksum in held.items() if name == table.name}
    empty = table.arrow.empty_table()
    before, after = empty, empty
    for year in sorted(old.keys() | new.keys()):
        if old.get(year) == new.get(year):
            continue
        # Rows that stayed the same are dropped part by part; what is left is little, and may have moved between years.
        key = (table.name, year)
        known = spill.row_hashes(key)
        gone: Unmatched | None = unmatched(empty, known)
        if is_ahead:
            gone = unmatched(adapters.warehouse.rows_of_years(table.name, [year]), known)
        elif year in old:
            gone = published.unmatched(current.files[key], known)
        if gone is None:
            continue
        before = gathered(before, gone.rows)
        for part in spill.partition(key) if year in new else ():
            after = gathered(after, unmatched(part, gone.hashes).rows)
    return difference(table, before, after)


def launch_changes(run: Run, found: Difference) -> pa.Table:
    """The rows of `launch_changes` for a difference of `launches`."""
    columns: dict[str, list[object]] = {
        name: [] for name in ("launch_id", "column_name", "old_value", "new_value", "launch_year")
    }

    def add(rows: pa.Table, column: str, texts: Mapping[str, pa.ChunkedArray]) -> None:
        columns["launch_id"] += rows["launch_id"].to_pylist()
        columns["launch_year"] += rows["launch_year"].to_pylist()
        columns["column_name"] += [column] * rows.num_rows
        for side in ("old_value", "new_value"):
            columns[side] += texts[side].to_pylist() if side in texts else [None] * rows.num_rows

    add(found.added, "launch_id", {"new_value": found.added["launch_id"]})
    add(found.removed, "launch_id", {"old_value": found.removed["launch_id"]})
    for name, rows, old, new in changed_columns(LAUNCHES, found):
        add(rows, name, {"old_value": old, "new_value": new})
    count = len(columns["launch_id"])
    of_run: dict[str, list[object]] = {
        "run_id": [run.history_id] * count,
        "changed_at": [run.as_of] * count,
        "source": [run.source] * count,
    }
    return with_hashes(LAUNCH_CHANGES, {**columns, **of_run})
