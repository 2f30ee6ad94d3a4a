"""What is published, read back."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from app.core.model import Manifest, PartitionKey, WrittenFile
from app.core.ports import Lake
from app.core.schema import TABLES, Table
from app.core.transform import conform
from app.pipeline.published import workers


def published_rows(lake: Lake, manifest: Manifest, table: str, count: int) -> pa.Table:
    """The first rows of a table as the lake holds them."""
    rows = TABLES[table].arrow.empty_table()
    for file in manifest.files:
        if file.table == table and rows.num_rows < count:
            rows = pa.concat_tables([rows, lake.read(file.key, file.version_id)])
    return rows.slice(0, count)


def _totals(rows: Mapping[PartitionKey, int]) -> dict[str, int]:
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
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
