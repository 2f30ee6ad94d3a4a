"""Rows of launches that did not change are taken over from what is published, partition by partition."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum.digest import EMPTY, checksum_of
from ..core.model import PartitionKey, WrittenFile
from ..core.reconcile import CurrentState, checksum_named, object_fault
from ..core.schema import LAUNCHES, SNAPSHOT
from .adapters import Adapters
from .comparison import InDoubt
from .published import Published
from .spill import Spill
from .validated import newest_of


def carry_unchanged(
    adapters: Adapters,
    current: CurrentState,
    published: Published,
    spill: Spill,
    gone: frozenset[str],
    touched: frozenset[PartitionKey],
) -> pa.Table:
    """Carry all rows over but those of the launches that are gone, which lie in the touched partitions; those launches' rows.

    A partition that is not touched is not even read. Raises InDoubt when what was published is not there as it was, and
    PipelineError when a store does not answer.
    """
    ids = pa.array(sorted(gone), pa.string())
    dropped = [LAUNCHES.arrow.empty_table()]
    for key, file in sorted(_of_launches(current.files).items()):
        held = checksum_named(current.files, key)
        is_same_object = object_fault(file, current.objects.get(key)) is None
        if held == EMPTY:
            continue  # the file of a table without rows
        if key not in touched and is_same_object:
            spill.carry(key, held, partial(adapters.lake.rows, file))
            continue
        rows = published.rows(file)
        if rows is None or checksum_of(rows) != held:
            raise InDoubt(f"{key[0]} {key[1]} is not what was published")
        is_gone = pc.is_in(rows["launch_id"], ids)
        if key[0] == LAUNCHES.name:
            dropped.append(rows.filter(is_gone))
        rest = rows.filter(pc.invert(is_gone))
        if rest.num_rows:
            spill.carry_rest(key, held, rest)
    found = pa.concat_tables(dropped)
    if found.num_rows != len(gone):
        raise InDoubt(f"{len(gone) - found.num_rows} launches are not in the partitions where they were published")
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
