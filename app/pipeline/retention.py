"""The last good rows of launches that can't be used now are kept in both stores."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import Rejected
from ..core.schema import LAUNCHES, SNAPSHOT
from ..core.spans import retained_ids
from .adapters import Adapters
from .published import Published
from .spill import Spill


def retain(
    spill: Spill,
    rejects: Iterable[Rejected],
    accepted: set[str],
    adapters: Adapters,
    published: Published,
    *,
    is_ahead: bool,
    lake_first: bool,
) -> set[str]:
    """Add the last good rows of rejected launches, and of all absent ones when a record has no readable id; their ids.

    `is_ahead`: MySQL holds what a run committed and did not publish. Raises PipelineError when a store does not answer.
    """
    rejects = list(rejects)
    rejected = {reject.id for reject in rejects if reject.id}
    all_ids_known = all(reject.id for reject in rejects)
    if all_ids_known and rejected <= accepted:
        return set()
    in_mysql = retained_ids(adapters.warehouse.launch_ids(), accepted, rejected, all_ids_known=all_ids_known)
    in_lake = set(published.table(LAUNCHES.name)["launch_id"].to_pylist())
    in_lake = retained_ids(in_lake, accepted, rejected, all_ids_known=all_ids_known)
    if is_ahead:
        in_lake &= in_mysql  # the others were deleted by what was committed, and are not to come back
    # The manifest's versions are what both stores held, whatever was done to MySQL since; unless MySQL is ahead of the manifest:
    # then the lake fills in what was altered there.
    retained = _add_published(spill, published, in_lake) if lake_first else set()
    retained |= _add(spill, adapters.warehouse.rows_of(in_mysql - retained))
    retained |= _add_published(spill, published, in_lake - retained)
    lost = sorted(in_mysql - retained)
    adapters.telemetry.warn_if(
        lost, "launches are left out: they are rejected, their last rows were altered in MySQL, and the lake has none"
    )
    return retained


def keep(spill: Spill, ids: set[str], adapters: Adapters, published: Published, *, is_ahead: bool) -> None:
    """Add the rows that are held of some launches. Raises PipelineError."""
    if is_ahead:
        _add(spill, adapters.warehouse.rows_of(ids))
    else:
        _add_published(spill, published, ids)


def _add_published(spill: Spill, published: Published, ids: set[str]) -> set[str]:
    if not ids:
        return set()
    found: dict[str, pa.Table] = {}
    for name in SNAPSHOT:
        whole = published.table(name)
        found[name] = whole.filter(pc.is_in(whole["launch_id"], pa.array(sorted(ids), pa.string())))
    return _add(spill, found)


def _add(spill: Spill, rows: dict[str, pa.Table]) -> set[str]:
    for name, found in rows.items():
        spill.add(name, found)
    return set(rows[LAUNCHES.name]["launch_id"].to_pylist())
