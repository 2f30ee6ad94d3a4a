"""A published snapshot for programs in Python: tables as datasets over exactly the object versions that a manifest names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import FileInfo, FileSelector, FileSystemHandler, FileType, PyFileSystem

from ..core.model import Manifest, WrittenFile
from ..core.schema import SCHEMA_VERSION, TABLES
from ..core.transform import frame
from ..errors import UnreadableObject
from ..settings import aws_region, key_prefix
from .bucket import Bucket, MissingObject
from .manifests import Manifests

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


@dataclass(frozen=True)
class SnapshotTable:
    """One table of a snapshot. `dataset` is a pyarrow dataset that knows the launch year of each file.

    Reading raises LakeError when S3 does not answer, and UnreadableObject when a file is gone.
    """

    name: str
    rows: int
    dataset: ds.FileSystemDataset

    def to_pandas(self, columns: list[str] | None = None, filter: ds.Expression | None = None) -> "pd.DataFrame":  # noqa: A002  # as pyarrow calls it
        """A DataFrame over Arrow's memory, with its types: all columns and rows, or those that are asked for."""
        return frame(self.dataset.to_table(columns=columns, filter=filter))

    def to_duckdb(self, connection: "duckdb.DuckDBPyConnection | None" = None) -> "duckdb.DuckDBPyRelation":
        """A relation of DuckDB, in its default connection if no other is given; files are read when it is queried."""
        import duckdb  # only where it is asked for: this package does not need it

        files = list(self.dataset.get_fragments())
        dataset = _ReadByOneThread(files, self.dataset.schema, self.dataset.format, self.dataset.filesystem)
        return (connection or duckdb.default_connection()).from_arrow(dataset)


@dataclass(frozen=True)
class Snapshot:
    """All tables as one run published them. It may be pickled, and is then read wherever it arrives."""

    run_id: str
    published_at: datetime
    tables: Mapping[str, SnapshotTable]


def open_snapshot(bucket: str, prefix: str, run: str) -> Snapshot:
    """The snapshot of a run, or the latest. Raises LakeError; UnreadableObject when there is none."""
    manifest = _manifest(Bucket(bucket, key_prefix(prefix), aws_region()), run)
    files = _NamedFiles(bucket, key_prefix(prefix), manifest.run_id, {file.key: file for file in manifest.files})
    tables = {name: _table(name, manifest, PyFileSystem(files)) for name in TABLES}
    return Snapshot(manifest.run_id, manifest.published_at, tables)


def _manifest(bucket: Bucket, run: str) -> Manifest:
    manifests = Manifests(bucket)
    if run == "latest":
        pointer = manifests.latest()
        found, why = pointer.manifest, pointer.fault or f"nothing is published in {bucket.url()}"
    else:
        found, why = manifests.one(run), f"no run {run} has published in {bucket.url()}"
    if found is None:
        raise UnreadableObject(why, hint="`spacex-pipeline snapshot` lists the snapshots that there are")
    return found


def _table(name: str, manifest: Manifest, filesystem: PyFileSystem) -> SnapshotTable:
    files = [file for file in manifest.files if file.table == name]
    layout = ds.ParquetFileFormat()
    fragments = [
        layout.make_fragment(file.key, filesystem, ds.field("launch_year") == file.year, file_size=file.size) for file in files
    ]
    # A snapshot of another version of the schema has the columns of its time, not nulls where one was renamed since.
    is_of_today = manifest.schema_version == SCHEMA_VERSION or not files
    schema = TABLES[name].arrow if is_of_today else fragments[0].physical_schema
    dataset = ds.FileSystemDataset(fragments, schema, layout, filesystem)
    return SnapshotTable(name, sum(file.rows for file in files), dataset)


class _ReadByOneThread(ds.FileSystemDataset):  # type: ignore[misc]  # pyarrow carries no types
    """A dataset for DuckDB: where a file is gone, DuckDB and Arrow's other threads would wait for each other for ever."""

    def scanner(self, *args: Any, **options: Any) -> ds.Scanner:
        """As of any dataset, which DuckDB asks for with what it wants of the rows."""
        return super().scanner(*args, **options | {"use_threads": False})


class _NamedFiles(FileSystemHandler):  # type: ignore[misc]  # pyarrow carries no types
    """A file system of the files that one manifest names, each at that version, to be read and nothing else.

    A file is read by one GET: ranges of it would save no time before it has many megabytes.
    """

    def __init__(self, bucket: str, prefix: str, run_id: str, files: Mapping[str, WrittenFile]) -> None:
        self._identity = (bucket, prefix, run_id, files)
        self._bucket, self._run_id, self._files = Bucket(bucket, prefix, aws_region()), run_id, files

    def __reduce__(self) -> tuple[Any, ...]:
        return _NamedFiles, self._identity  # a client of S3 can't be pickled, and is made anew

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _NamedFiles) and self._identity == other._identity

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # Arrow asks for equality alone

    def get_type_name(self) -> str:
        return "spacex-pipeline-snapshot"

    def normalize_path(self, path: str) -> str:
        return path

    def open_input_file(self, path: str) -> pa.NativeFile:
        file = self._files.get(path)
        if file is None:
            raise FileNotFoundError(path)
        url = self._bucket.url(path)
        try:
            body, answer = self._bucket.read(path, file.size, file.version_id)
        except MissingObject as error:
            message = f"run {self._run_id} can't be read any more: the version of {url} that it published is gone"
            raise UnreadableObject(message, hint="old versions are kept for a time; open a newer snapshot") from error
        if (len(body), answer["ETag"]) != (file.size, file.etag):
            raise UnreadableObject(f"{url} has not the size and ETag that run {self._run_id} published")
        return pa.BufferReader(body)

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def get_file_info(self, paths: list[str]) -> list[FileInfo]:
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: FileSelector) -> list[FileInfo]:
        folder = selector.base_dir.strip("/")
        return [self._info(path) for path in sorted(self._files) if path.startswith(f"{folder}/" if folder else "")]

    def _info(self, path: str) -> FileInfo:
        file = self._files.get(path)
        return FileInfo(path, FileType.File, size=file.size) if file else FileInfo(path, FileType.NotFound)

    def _refuse(self, *_: Any) -> NoReturn:
        raise PermissionError("a snapshot is never altered")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = move = copy_file = _refuse
    open_output_stream = open_append_stream = _refuse
