"""What is published, read back: from the versions that the manifest names, or from what is left of them."""

import contextlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum.digest import EMPTY, Checksum, have_hashes
from ..core.diff import Unmatched, unmatched
from ..core.model import Manifest, PartitionKey, WrittenFile
from ..core.reconcile import CurrentState, checksum_named
from ..core.schema import SCHEMA_VERSION, TABLES, Table
from ..core.transform import conform, newest
from ..errors import UnreadableObject
from ..lake.store import S3Lake
from ..lake.workers import workers
from .adapters import Adapters


class Published:
    """The rows of the last publication. Call it from the main thread: it may ask MySQL.

    A file whose named version is gone is replaced by the object at its key, if that has the same bytes, or by MySQL's rows, if
    they have the checksum that the manifest names. `lost` are the partitions of which nothing fits.
    """

    def __init__(self, adapters: Adapters, current: CurrentState) -> None:
        self._adapters = adapters
        self._current = current
        self.lost: set[PartitionKey] = set()

    def table(self, name: str) -> pa.Table:
        """All rows of a table, but those of lost partitions. Raises PipelineError when a store does not answer."""
        files = [file for key, file in sorted(self._current.files.items()) if key[0] == name]
        with workers() as pool:
            found = list(pool.map(self._in_lake, files))
        parts = [rows if rows is not None else self._in_mysql(file) for file, rows in zip(files, found, strict=True)]
        return pa.concat_tables([TABLES[name].arrow.empty_table(), *(rows for rows in parts if rows is not None)])

    def rows(self, file: WrittenFile) -> pa.Table | None:
        """The rows of one file, or None when they are lost. Raises PipelineError when a store does not answer."""
        found = self._in_lake(file)
        return self._in_mysql(file) if found is None else found

    def unmatched(self, file: WrittenFile, known: pa.Array) -> Unmatched | None:
        """The rows of one file but those with known hashes, or None when they are lost. Raises as `rows` does."""
        with contextlib.suppress(UnreadableObject):
            return self._adapters.lake.unmatched(file, known)
        rows = self.rows(file)
        return None if rows is None else unmatched(rows, known)

    def _in_lake(self, file: WrittenFile) -> pa.Table | None:
        with contextlib.suppress(UnreadableObject):
            return self._adapters.lake.rows(file)
        stored = self._current.objects.get((file.table, file.year))
        if (
            stored is not None and stored.etag == file.etag
        ):  # the same bytes under another version, as in a bucket that was copied
            with contextlib.suppress(UnreadableObject):
                return self._adapters.lake.current_rows(stored, TABLES[file.table])
        return None

    def _in_mysql(self, file: WrittenFile) -> pa.Table | None:
        key, manifest = (file.table, file.year), self._current.manifest
        is_comparable = manifest is not None and manifest.schema_version == SCHEMA_VERSION
        if is_comparable and self._current.in_mysql.get(key, EMPTY) == checksum_named(self._current.files, key):
            return self._adapters.warehouse.rows_of_years(file.table, [file.year])
        self.lost.add(key)
        return None

    def sound_rows(self, table: Table, year: int) -> pa.Table:
        """The rows of the history that are left in a store: MySQL's that fit their hash, and S3's but for failed runs."""
        left = [table.arrow.empty_table()]
        if stored := self._current.objects.get((table.name, year)):
            with contextlib.suppress(UnreadableObject):
                in_lake = self._adapters.lake.current_rows(stored, table)
                failed = pa.array(sorted(self._adapters.warehouse.runs_table.failed_run_ids()), pa.string())
                left.append(in_lake.filter(pc.invert(pc.is_in(in_lake["run_id"], failed))))  # those put it and were rolled back
        if (table.name, year) in self._current.in_mysql:
            in_mysql = self._adapters.warehouse.rows_of_years(table.name, [year])
            left.append(conform(table, in_mysql.filter(have_hashes(table, in_mysql, in_mysql["row_hash"]))))
        rows = pa.concat_tables(left)
        first = {hashed: place for place, hashed in reversed(list(enumerate(rows["row_hash"].to_pylist())))}
        return rows.take(pa.array(sorted(first.values()), pa.int64()))


def published_manifest(adapters: Adapters, merged_id: str | None) -> Manifest | None:
    """The newest manifest that can be read, when the pointer names none: the last merged run's, else the one numbered highest.

    Raises LakeError when S3 does not answer.
    """
    lake = adapters.lake
    if merged_id is not None:
        with contextlib.suppress(UnreadableObject):
            if manifest := lake.manifest(merged_id):
                return manifest
    newest: Manifest | None = None
    for run_id in lake.published_run_ids():
        with contextlib.suppress(UnreadableObject):
            manifest = lake.manifest(run_id)
            if manifest and (newest is None or manifest.number >= newest.number):
                newest = manifest
    return newest


def published_rows(lake: S3Lake, manifest: Manifest, table: str, count: int) -> pa.Table:
    """The newest rows of a table as the lake holds them."""
    rows = TABLES[table].arrow.empty_table()
    for file in sorted((file for file in manifest.files if file.table == table), key=lambda file: -file.year):
        if rows.num_rows < count:
            rows = pa.concat_tables([rows, newest(TABLES[table], lake.rows(file), count - rows.num_rows)])
    return rows


def rows_by_table(partitions: Mapping[PartitionKey, Checksum] | Mapping[PartitionKey, WrittenFile]) -> dict[str, int]:
    """How many rows each table has."""
    return {table: sum(held.rows for (name, _), held in partitions.items() if name == table) for table in TABLES}
