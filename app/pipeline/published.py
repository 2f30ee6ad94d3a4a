"""What is published, read back."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from ..core.model import Manifest, PartitionKey, WrittenFile
from ..core.ports import Lake
from ..core.schema import TABLES, Table
from ..core.transform import conform
from ..errors import LakeError, waiting_for


def published_rows(lake: Lake, manifest: Manifest, table: str, count: int) -> pa.Table:
    """The first rows of a table as the lake holds them."""
    rows = TABLES[table].arrow.empty_table()
    for file in manifest.files:
        if file.table == table and rows.num_rows < count:
            rows = pa.concat_tables([rows, lake.read(file.key, file.version_id)])
    return rows.slice(0, count)


def rows_by_table(rows: Mapping[PartitionKey, int]) -> dict[str, int]:
    return {table: sum(n for (name, _), n in rows.items() if name == table) for table in TABLES}


_WORKERS = 8


def read_files(lake: Lake, table: Table, files: Iterable[WrittenFile]) -> pa.Table:
    """The rows of some of a table's files, at the versions that the manifest names, by the schema of today. Raises LakeError."""
    with workers() as pool:
        parts = pool.map(lambda file: conform(table, lake.read(file.key, file.version_id)), files)
        return pa.concat_tables([table.arrow.empty_table(), *parts])


@contextlib.contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """Threads for S3; when the run fails nobody waits for what they had still to do."""
    pool = ThreadPoolExecutor(_WORKERS)
    try:
        with waiting_for(LakeError):  # but for what MySQL is asked meanwhile
            yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
