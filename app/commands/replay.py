"""`replay`: publish once more what earlier runs received."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from ..core.model import Manifest
from ..core.runs import ReplayedRun
from ..errors import LakeError
from ..lake.layout import day as day_of
from ..lake.store import S3Lake
from ..mysql.warehouse import MysqlWarehouse
from ..pipeline.replay import ArchivedSource, archived_run
from ..pipeline.run import Head
from .invocation import Invocation
from .publish import publish, show_published
from .runs import named


def execute(job: Invocation, spool: Path) -> None:
    """Replay each run in turn, oldest first; the first that fails ends it. Raises PipelineError."""
    replayed: list[ReplayedRun] = []
    head: Head | None = None
    archive = S3Lake(job.settings, job.telemetry.warn)
    with job.adapters(prefix=job.request.to_prefix, database=job.request.to_database) as adapters:
        elsewhere = adapters.lake.place != archive.place
        for manifest in _to_replay(job, archive):
            # Elsewhere it is as if each had run then; here the tables change now.
            job.begin(manifest.run_id, manifest.as_of if elsewhere else None)
            job.summary.replayed = replayed
            source = ArchivedSource(job.source, archive, manifest.endpoints, copied=elsewhere)
            head = publish(job, dataclasses.replace(adapters, source=source), spool)
            replayed.append(cast("ReplayedRun", {"replayed_run_id": manifest.run_id, **job.summary.log_fields()}))
        assert head  # there was something to replay
        show_published(job, head)


def _to_replay(job: Invocation, archive: S3Lake) -> Iterator[Manifest]:
    """What was received by the runs that were asked for, as a manifest each; one at a time."""
    request, source = job.request, job.source.name
    if request.run_id:
        with MysqlWarehouse(job.settings) as home:
            yield archived_run(archive, home, source, str(named(home, request.run_id, received=True)))
        return
    found = 0
    for run_id in _ids_in_order(job, archive):
        manifest = archive.manifest(run_id)
        if manifest and manifest.replayed_run_id is None and manifest.source == source:
            found += 1
            yield manifest
    if not found:
        raise LakeError(f"no run of source {source} published in that time", hint="see: runs")


def _ids_in_order(job: Invocation, archive: S3Lake) -> list[str]:
    """The ids of the runs of the days that were asked for, in the order in which MySQL numbered them.

    The day is the one in the id. Runs that this database does not know come first, in the order of their ids.
    """
    first, last = (day.isoformat() if day else None for day in (job.request.since, job.request.until))
    chosen = [run_id for run_id in archive.published_run_ids() if (first or "0") <= day_of(run_id) <= (last or "9")]
    with MysqlWarehouse(job.settings) as home:
        numbers = home.runs_table.numbers()
    return sorted(chosen, key=lambda run_id: (numbers.get(run_id, 0), run_id))
