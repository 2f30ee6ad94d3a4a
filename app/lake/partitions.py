"""Partitions: one Parquet object for each table and year, replaced by one PUT."""

import contextlib
import hashlib
import io
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..core.checksum.digest import EMPTY, Checksum, add_rows_as_stored
from ..core.diff import Unmatched, gathered, unmatched
from ..core.model import PartitionKey, Run, StoredObject, WrittenFile
from ..core.schema import TABLES, Table
from ..core.transform import conform
from ..errors import UnreadableObject
from .bucket import Bucket
from .layout import parse_partition_key, partition_key

OBJECT_LIMIT = 256 << 20
"""Most bytes of one partition's object."""

ROWS_LIMIT = 5_000_000
"""Most rows of one partition."""

UNPACKED_LIMIT = 512 << 20
"""Most bytes that one partition's rows may take, unpacked."""

# Without dictionaries files are made and read in two thirds of the time, and are a twelfth larger.
_PARQUET: dict[str, Any] = {"version": "2.6", "compression": "zstd", "use_dictionary": False}
_ROWS_A_BATCH = 1_000  # read at once: with more, the texts under their hashes take tens of megabytes
_MANY_ROWS = 200  # with fewer, the time to give memory back is not worth it
_PLAIN = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_timestamp,
)
# Whatever a library raises that is given bytes from outside.
_UNREADABLE = (pa.ArrowException, OSError, LookupError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError)


class Partitions:
    """The objects of the canonical tables."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._making = threading.Lock()

    def listed(self) -> tuple[dict[PartitionKey, StoredObject], list[str]]:
        """The objects under the partitions' keys, and the addresses of others among them. Raises LakeError."""
        found: dict[PartitionKey, StoredObject] = {}
        others = []
        for table in TABLES:
            for version in self._bucket.current(f"{table}/"):
                if partition := parse_partition_key(version.key):
                    found[partition] = StoredObject(version.key, version.etag, version.version_id)
                else:
                    others.append(self._bucket.url(version.key))
        return found, others

    def write(
        self, run: Run, key: PartitionKey, rows: Iterable[pa.Table], checksum: Checksum, over: StoredObject | None
    ) -> WrittenFile:
        """Replace one partition's object by one PUT, if it still is the one that was listed. Raises LakeError."""
        table, year = key
        buffer = io.BytesIO()
        with self._one_in_memory(checksum.rows), pq.ParquetWriter(buffer, TABLES[table].parquet, **_PARQUET) as writer:
            for part in rows:
                writer.write_table(part)
        body = buffer.getvalue()
        marks = {"run-id": run.id, "digest": checksum.digest, "rows": str(checksum.rows)}
        name = partition_key(key)
        etag, version = self._bucket.put_if(name, body, over.etag if over else None, marks)
        return WrittenFile(
            table=table,
            year=year,
            key=name,
            version_id=version,
            etag=etag,
            rows=checksum.rows,
            digest=checksum.digest,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
        )

    def rows(self, file: WrittenFile) -> pa.Table:
        """One partition at the version that a manifest names, by the schema of today.

        Raises LakeError; UnreadableObject for what is gone or is no partition.
        """
        with self._opened(file.key, file.version_id, file) as opened:
            return _conformed(TABLES[file.table], _rows(opened))

    def as_written(self, file: WrittenFile) -> Iterator[pa.Table]:
        """The same part by part, with the hashes that were written, which hold as long as the bytes are those that were written.

        Raises as `rows` does.
        """
        table = TABLES[file.table]
        with self._opened(file.key, file.version_id, file) as opened:
            if not opened.schema_arrow.equals(table.parquet):
                raise ValueError("it was written by other code")
            for batch in _batches(opened):
                yield pa.table(batch).cast(table.arrow)

    def unmatched(self, file: WrittenFile, known: pa.Array) -> Unmatched:
        """As `rows`, but for rows with known hashes: part by part, so that the others take no memory. Raises as `rows` does."""
        table = TABLES[file.table]
        with self._opened(file.key, file.version_id, file) as opened, self._one_in_memory(file.rows):
            rows, hashes = table.arrow.empty_table(), [pa.array([], pa.string())]
            for batch in _batches(opened):
                part = unmatched(_conformed(table, pa.table(batch)), known)
                rows = gathered(rows, part.rows)
                hashes.append(part.hashes)
            _check_rows(opened, sum(map(len, hashes)))
            return Unmatched(rows, pa.concat_arrays(hashes))

    def current_rows(self, stored: StoredObject, table: Table) -> pa.Table:
        """One partition as it was listed, by the schema of today. Raises as `rows` does."""
        with self._opened(stored.key, stored.version_id) as opened:
            return _conformed(table, _rows(opened))

    def checksum(self, file: WrittenFile) -> Checksum:
        """What one partition's object holds, by its values. Raises as `rows` does."""
        with self._opened(file.key, file.version_id, file) as opened, self._one_in_memory(file.rows):
            return _checksum(TABLES[file.table], opened)

    def holds(self, file: WrittenFile, rows: Iterable[pa.Table]) -> bool:
        """Whether one partition's object, read back, holds just these rows, value by value. Raises as `rows` does."""
        with self._opened(file.key, file.version_id, file) as opened, self._one_in_memory(file.rows):
            return _holds(opened, rows)

    def checksum_of_copy(self, file: WrittenFile, key: str) -> Checksum:
        """What a copy of one partition's object holds, by its values; it may have another ETag. Raises as `rows` does."""
        with self._opened(key, None) as opened, self._one_in_memory(file.rows):
            return _checksum(TABLES[file.table], opened)

    @contextlib.contextmanager
    def _one_in_memory(self, rows: int) -> Iterator[None]:
        """Threads are for waiting: to make or to hash a file takes a core, and the memory for a whole partition."""
        with self._making:
            yield
            if rows > _MANY_ROWS:
                pa.default_memory_pool().release_unused()  # else what each thread has freed stays with it

    @contextlib.contextmanager
    def _opened(self, key: str, version_id: str | None, named: WrittenFile | None = None) -> Iterator[pq.ParquetFile]:
        """One Parquet file, once its size, rows and claims are what the manifest names, or within the limits."""
        body, answer = self._bucket.read(key, named.size if named else OBJECT_LIMIT, version_id)
        try:
            if named and (len(body), answer["ETag"]) != (named.size, named.etag):
                raise ValueError("the object's size and ETag are not those that the manifest names")
            if named and named.sha256 and hashlib.sha256(body).hexdigest() != named.sha256:
                raise ValueError("its bytes are not those that were written")
            file = pq.ParquetFile(pa.BufferReader(body))
            _check_claims(file.metadata, named)
            _check_types(file.schema_arrow)
            yield file
        except _UNREADABLE as error:
            raise UnreadableObject(f"{self._bucket.url(key)} can't be read: {_first_line(error)}") from error


def _checksum(table: Table, file: pq.ParquetFile) -> Checksum:
    checksum = EMPTY
    for batch in _batches(file):
        checksum = add_rows_as_stored(checksum, table, pa.table(batch))
    return checksum


def _holds(file: pq.ParquetFile, rows: Iterable[pa.Table]) -> bool:
    """Whether a file holds just these rows, in whatever parts either comes."""
    batches, rest = _batches(file), file.schema_arrow.empty_table()
    for part in rows:
        while len(rest) < len(part) and (batch := next(batches, None)) is not None:
            rest = pa.concat_tables([rest, pa.table(batch)])
        if not _are_same(rest.slice(0, len(part)), part):
            return False
        rest = rest.slice(len(part))
    return not len(rest) and next(batches, None) is None


def _are_same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables hold the same values of the same types in the same order; reals to the bit, for 0.0 equals -0.0."""
    names = other.column_names
    return one.column_names == names and all(_bits(one[name]).equals(_bits(other[name])) for name in names)


def _bits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type != pa.float64():
        return column
    return pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())


def _check_claims(metadata: pq.FileMetaData, named: WrittenFile | None) -> None:
    """What a file says of itself, before its rows take memory. Raises ValueError."""
    if named and metadata.num_rows != named.rows:
        raise ValueError(f"it has {metadata.num_rows:,} rows where the manifest names {named.rows:,}")
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, *(group.num_rows for group in groups), sum(group.num_rows for group in groups), 0)
    if rows > ROWS_LIMIT:
        raise ValueError(f"it claims {rows:,} rows, over {ROWS_LIMIT:,}")
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    unpacked = sum(max(column.total_uncompressed_size, 0) for column in columns)
    if unpacked > UNPACKED_LIMIT:
        raise ValueError(f"it claims {unpacked:,} bytes unpacked, over {UNPACKED_LIMIT:,}")


def _check_types(schema: pa.Schema) -> None:
    """Only plain columns: others may hold far more than the memory that they take until they are cast. Raises ValueError."""
    for field in schema:
        if not any(is_plain(field.type) for is_plain in _PLAIN):
            raise ValueError(f"column {field.name!r} is of type {field.type}")


def _batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """A file's rows in parts, each sound in itself. Raises ValueError once they take too much memory."""
    left = UNPACKED_LIMIT
    for batch in file.iter_batches(_rows_a_batch(file.metadata), use_threads=False):
        batch.validate(full=True)
        left -= batch.nbytes
        if left < 0:
            raise ValueError(f"its rows take more than {UNPACKED_LIMIT:,} bytes")
        yield batch


def _rows_a_batch(metadata: pq.FileMetaData) -> int:
    """Few enough rows that a batch is small even if each holds the largest value that a dictionary may have."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    in_dictionaries: int = sum(column.total_uncompressed_size for column in columns if column.has_dictionary_page)
    return max(1, min(_ROWS_A_BATCH, UNPACKED_LIMIT // 8 // max(in_dictionaries, 1)))


def _rows(file: pq.ParquetFile) -> pa.Table:
    rows = pa.Table.from_batches(_batches(file), file.schema_arrow)
    _check_rows(file, len(rows))
    return rows


def _check_rows(file: pq.ParquetFile, rows: int) -> None:
    if rows != file.metadata.num_rows:
        raise ValueError(f"it claims {file.metadata.num_rows:,} rows and has {rows:,}")


def _conformed(table: Table, rows: pa.Table) -> pa.Table:
    found = conform(table, rows)
    if lacking := [column.name for column in table.columns if column.required and found[column.name].null_count]:
        raise ValueError(f"{lacking[0]} is missing in it")
    return found


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
