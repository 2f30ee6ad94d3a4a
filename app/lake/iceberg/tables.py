"""The canonical tables as Iceberg tables: for each publication that changes one, one snapshot over immutable copies of its files.

Iceberg names paths and not versions. So its tables never name a partition's own key, which the next run replaces, but a copy that
the server makes of the version that the manifest names.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import FileScanTask, Table
from pyiceberg.typedef import Record

from ...core.checksum.digest import Checksum
from ...core.model import Manifest, WrittenFile
from ...core.schema import TABLES
from ...errors import UnreadableObject
from ...settings import Settings
from ..bucket import Bucket
from ..layout import iceberg_key
from ..partitions import Partitions
from ..workers import workers
from .catalog import IcebergCatalog, evolve, is_evolved
from .maintenance import maintain

RUN_ID = "run-id"
"""The property of a snapshot that names the run that made it."""


Tasks = dict[str, FileScanTask]
"""The files that a snapshot names, by path, each with what was deleted from it."""


class IcebergTables:
    """The canonical tables in the catalog that the settings name.

    `made_anew` are those that could not be read, and why, since the tables were opened.
    """

    def __init__(self, settings: Settings, bucket: Bucket, partitions: Partitions) -> None:
        self._bucket, self._partitions = bucket, partitions
        self._catalog = IcebergCatalog(settings, bucket.url())
        self.made_anew: list[str] = []

    def commit(self, manifest: Manifest, *, anew: bool) -> dict[str, int]:
        """Let every table hold what the manifest names; the id of each one's snapshot. Raises LakeError.

        A table that does so already keeps its snapshot. `anew`: copy every file again, whatever seems to be there.
        """
        return {name: self._commit(name, manifest, anew=anew) for name in TABLES}

    def _commit(self, name: str, manifest: Manifest, *, anew: bool) -> int:
        table, held = self._opened(name)
        wanted = {self._bucket.url(iceberg_key(file)): file for file in _with_rows(name, manifest)}
        sound = {path for path, task in held.items() if path in wanted and not task.delete_files}
        added = {path: file for path, file in wanted.items() if path not in sound}
        gone = [task.file for path, task in held.items() if path not in sound]
        self._copy(wanted.values() if anew else added.values())
        snapshot = table.current_snapshot()
        if snapshot and not added and not gone and is_evolved(table, name):
            return snapshot.snapshot_id
        with self._catalog.asked(self._catalog.name(name)), table.transaction() as transaction:
            evolve(transaction, name)
            with transaction.update_snapshot({RUN_ID: manifest.run_id}).overwrite() as overwrite:
                for data_file in gone:
                    overwrite.delete_data_file(data_file)
                for path, file in added.items():
                    overwrite.append_data_file(_data_file(path, file, table.spec().spec_id))
            return overwrite.snapshot_id

    def maintain(self, manifest: Manifest, before: datetime) -> dict[str, dict[str, int]]:
        """Take away snapshots and files that are older and that nothing needs any more; how many, by table. Raises LakeError."""
        return maintain(self._catalog, self._bucket, manifest, before)

    def _opened(self, name: str) -> tuple[Table, Tasks]:
        """A table and what its current snapshot names; one that can't be read is made anew, its files can be had again."""
        found = self._catalog.table(name, tasks_of)
        if isinstance(found, tuple):
            return found
        if found is not None:
            self.made_anew.append(f"{self._catalog.name(name)}: {found}")
            self._catalog.drop(name)
        return self._catalog.create(name), {}

    def _copy(self, files: Iterable[WrittenFile]) -> None:
        with workers() as pool:
            list(pool.map(lambda file: self._bucket.copy(file.key, file.version_id, iceberg_key(file)), files))

    def check(self) -> str:
        """What the catalog has of our tables, for the doctor. Raises LakeError."""
        found = {name: self._catalog.table(name, Table.current_snapshot) for name in TABLES}
        there = [name for name, table in found.items() if table is not None]
        return f"{len(there)} of {len(TABLES)} tables are there" + ("" if there else "; the next run makes them")

    def faults(self, manifest: Manifest) -> Iterator[str]:
        """Where the snapshots that a manifest names, read back by their values, are not what it says. Raises LakeError."""
        for name, snapshot_id in manifest.iceberg.items():
            for fault in self._faults(name, snapshot_id, manifest):
                yield f"Iceberg {name}: {fault}"

    def _faults(self, name: str, snapshot_id: int, manifest: Manifest) -> Iterator[str]:
        found = self._catalog.table(name, partial(tasks_of, snapshot_id=snapshot_id))
        if not isinstance(found, tuple):
            yield f"the table can't be read: {found}" if found else "the table is gone"
            return
        table, held = found
        snapshot = table.current_snapshot()
        if snapshot is None or snapshot.snapshot_id != snapshot_id:
            yield f"the current snapshot is {snapshot.snapshot_id if snapshot else 'none'}, not {snapshot_id}"
        wanted = {self._bucket.url(iceberg_key(file)): file for file in _with_rows(name, manifest)}
        altered = [path for path, task in held.items() if path not in wanted or task.delete_files]
        yield from (f"{path} is not in snapshot {snapshot_id}" for path in wanted if path not in held)
        yield from (f"{path} is not what run {manifest.run_id} published" for path in altered)
        with workers() as pool:
            faults = list(pool.map(self._fault_of_copy, (file for path, file in wanted.items() if path in held)))
        yield from (fault for fault in faults if fault)

    def _fault_of_copy(self, file: WrittenFile) -> str | None:
        try:
            found = self._partitions.checksum_of_copy(file, iceberg_key(file))
        except UnreadableObject as error:
            return str(error)
        named = Checksum(file.rows, file.digest)
        return None if found == named else f"{iceberg_key(file)} holds {found}, not {named}"


def tasks_of(table: Table, snapshot_id: int | None = None) -> Tasks:
    """The files that a snapshot names, the current one if none is given, by path, each with what is deleted from it."""
    if snapshot_id is None and table.current_snapshot() is None:
        return {}
    return {task.file.file_path: task for task in table.scan(snapshot_id=snapshot_id).plan_files()}


def _with_rows(name: str, manifest: Manifest) -> list[WrittenFile]:
    """A table's files; one without rows is there for readers by path, who would find no columns without it."""
    return [file for file in manifest.files if file.table == name and file.rows]


def _data_file(path: str, file: WrittenFile, spec_id: int) -> DataFile:
    """What Iceberg notes of a file: partition, rows and size, as the manifest knows them; column statistics may be left out."""
    found = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(file.year),
        record_count=file.rows,
        file_size_in_bytes=file.size,
    )
    found.spec_id = spec_id
    return found
