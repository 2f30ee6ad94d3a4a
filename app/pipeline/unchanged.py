"""Rows of launches that did not change are taken over from what is published, partition by partition."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum.digest import EMPTY, Checksum, checksum_of, combined
from ..core.model import PartitionKey, WrittenFile
from ..core.reconcile import CurrentState, checksum_named, object_fault
from ..core.schema import LAUNCHES, SNAPSHOT, TABLES
from ..errors import UnreadableObject
from ..lake.workers import workers
from .adapters import Adapters
from .comparison import InDoubt
from .spill import Spill
from .validated import newest_of

_FILES_AT_ONCE = 2  # one is read while another is waited for


def carry_unchanged(
    adapters: Adapters, current: CurrentState, spill: Spill, gone: frozenset[str], touched: frozenset[PartitionKey]
) -> pa.Table:
    """Carry all rows over but those of the launches that are gone, which lie in the touched partitions; those launches' rows.

    A partition that is not touched is carried over whole, and not even read. Raises InDoubt when what was published is not there
    as it was, and PipelineError when S3 does not answer.
    """
    read = {}
    for key, file in sorted(_of_launches(current.files).items()):
        held = checksum_named(current.files, key)
        is_same_object = object_fault(file, current.objects.get(key)) is None
        if held == EMPTY:
            continue  # the file of a table without rows
        if key not in touched and is_same_object:
            spill.carry(key, held, partial(adapters.lake.rows, file))
        else:
            read[key] = file
    ids, nobody = pa.array(sorted(gone), pa.string()), pa.array([], pa.string())
    with workers(_FILES_AT_ONCE) as pool:
        dropped = list(pool.map(lambda key: _carry_rest(adapters, spill, read[key], ids if key in touched else nobody), read))
    found = pa.concat_tables(
        [LAUNCHES.arrow.empty_table(), *(rows for (name, _), rows in zip(read, dropped, strict=True) if name == LAUNCHES.name)]
    )
    if found.num_rows != len(gone):
        raise InDoubt(f"{len(gone) - found.num_rows} launches are not in the partitions where they were published")
    return found


def _carry_rest(adapters: Adapters, spill: Spill, file: WrittenFile, gone: pa.Array) -> pa.Table:
    """Carry the rows of one partition over but those of the launches that are gone; those."""
    table, held, dropped = TABLES[file.table], Checksum(file.rows, file.digest), []

    def rest() -> Iterator[pa.Table]:
        found = EMPTY
        for part in adapters.lake.as_written(file) if file.sha256 else [adapters.lake.rows(file)]:
            found = combined(found, checksum_of(part))
            is_gone = pc.is_in(part["launch_id"], gone)
            dropped.append(part.filter(is_gone))
            yield part.filter(pc.invert(is_gone))
        if found != held:
            raise InDoubt(f"{file.table} {file.year} is not what was published")

    try:
        spill.carry_rest((file.table, file.year), held, rest())
    except UnreadableObject as error:
        raise InDoubt(str(error)) from error
    found = pa.concat_tables([table.arrow.empty_table(), *dropped]).combine_chunks()
    dropped.clear()
    pa.default_memory_pool().release_unused()  # else what each thread has freed stays with it
    return found


def newest_over(spill: Spill, now: datetime, without: set[str]) -> datetime | None:
    """The newest launch that is over, some left out; only the years that it may lie in are read."""
    for name, year in sorted(spill.checksums, reverse=True):
        if name != LAUNCHES.name or year > now.year:
            continue
        times = [
            newest_of(part.filter(pc.invert(pc.is_in(part["launch_id"], pa.array(sorted(without), pa.string())))), now)
            for part in spill.partition((name, year))
        ]
        if found := max((time for time in times if time), default=None):
            return found
    return None


def _of_launches(files: Mapping[PartitionKey, WrittenFile]) -> dict[PartitionKey, WrittenFile]:
    return {key: file for key, file in files.items() if key[0] in SNAPSHOT}
