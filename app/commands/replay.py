"""`replay`: publish once more what earlier runs received."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from .. import sources
from ..core.model import Manifest
from ..core.runs import ReplayedRun
from ..errors import LakeError
from ..lake.layout import day as day_of
from ..lake.store import S3Lake
from ..mysql.warehouse import MysqlWarehouse
from ..pipeline.adapters import Adapters
from ..pipeline.backfill import Backfill, Engine, Reader, is_repeated
from ..pipeline.processes import InProcesses
from ..pipeline.replay import ArchivedSource, archived_run, not_yet_there
from ..pipeline.run import Head
from ..settings import Settings
from .invocation import Invocation
from .publish import publish, show_published
from .runs import named


class Cluster(Engine, Protocol):
    """An engine of many machines, which also put the partitions."""

    def make_lake(self, settings: Settings, warn: Callable[[str], None]) -> S3Lake:
        """The lake of these settings, its partitions written by the cluster."""


def execute(job: Invocation, spool: Path, make_cluster: Callable[[Settings], Cluster] | None = None) -> None:
    """Replay each run in turn, oldest first, or all at once in processes or on a cluster; the first that fails ends it.

    Raises PipelineError.
    """
    archive, request = S3Lake(job.settings, job.telemetry.warn), job.request
    cluster = make_cluster(job.settings) if make_cluster else None
    make_lake = cluster.make_lake if cluster else S3Lake
    with job.adapters(prefix=request.to_prefix, database=request.to_database, make_lake=make_lake) as adapters:
        with MysqlWarehouse(job.settings) as home:
            one = _one(job, archive, home)
            numbers = home.runs_table.numbers()
        run_ids = [one.run_id] if one else _ids_in_order(job, archive, numbers)
        if adapters.lake.place != archive.place:
            with job.telemetry.stage("lock"):  # what is there is not to change while it is gone on with
                adapters.warehouse.lock()
            run_ids = not_yet_there(run_ids, numbers, adapters)
        make_reader = partial(reader, job.settings, spool)
        engine = cluster or (InProcesses(make_reader, request.processes, spool) if request.processes else None)
        if engine:
            backfill = Backfill(run_ids, make_reader, engine)
            head = _at_once(job, archive, adapters, run_ids, backfill, spool)
        else:
            head = _in_turn(job, archive, adapters, run_ids, one, spool)
        show_published(job, head)


def _in_turn(
    job: Invocation, archive: S3Lake, adapters: Adapters, run_ids: Sequence[str], one: Manifest | None, spool: Path
) -> Head:
    replayed: list[ReplayedRun] = []
    head: Head | None = None
    for run_id in run_ids:
        manifest = one or archive.manifest(run_id)
        if manifest and (one or is_repeated(manifest, job.source.name)):
            head = _replay(job, archive, adapters, manifest, replayed, spool)
    return _found(job, head)


def _at_once(
    job: Invocation, archive: S3Lake, adapters: Adapters, run_ids: Sequence[str], backfill: Backfill, spool: Path
) -> Head:
    """Publish what the last run received, with what follows from all of them."""
    last = next((m for run_id in reversed(run_ids) if is_repeated(m := archive.manifest(run_id), job.source.name)), None)
    if last is None:
        return _found(job, None)
    return _replay(job, archive, adapters, last, [], spool, backfill)


def reader(settings: Settings, spool: Path) -> Reader:
    """Reads the archive of these settings; made anew in each process, to which connections can't be handed."""
    source = sources.module(settings.source).make(settings, lambda _: None)
    return Reader(source, S3Lake(settings), spool)


def _replay(
    job: Invocation,
    archive: S3Lake,
    adapters: Adapters,
    manifest: Manifest,
    replayed: list[ReplayedRun],
    spool: Path,
    backfill: Backfill | None = None,
) -> Head:
    elsewhere = adapters.lake.place != archive.place
    # Elsewhere it is as if the run had run there then; here the tables change now.
    job.begin(manifest.run_id, manifest.as_of if elsewhere else None)
    job.summary.replayed = replayed
    source = ArchivedSource(job.source, archive, manifest.endpoints, copied=elsewhere)
    head = publish(job, dataclasses.replace(adapters, source=source), spool, backfill)
    replayed.append(cast("ReplayedRun", {"replayed_run_id": manifest.run_id, **job.summary.log_fields()}))
    return head


def _found(job: Invocation, head: Head | None) -> Head:
    if head is None:
        raise LakeError(f"no run of source {job.source.name} published in that time", hint="see: runs")
    return head


def _one(job: Invocation, archive: S3Lake, home: MysqlWarehouse) -> Manifest | None:
    """What the run received that was asked for by its id."""
    if not job.request.run_id:
        return None
    return archived_run(archive, home, job.source.name, str(named(home, job.request.run_id, received=True)))


def _ids_in_order(job: Invocation, archive: S3Lake, numbers: dict[str, int]) -> list[str]:
    """The ids of the runs of the days that were asked for, in the order in which MySQL numbered them.

    The day is the one in the id. Runs that this database does not know come first, in the order of their ids.
    """
    first, last = (day.isoformat() if day else None for day in (job.request.since, job.request.until))
    chosen = [run_id for run_id in archive.published_run_ids() if (first or "0") <= day_of(run_id) <= (last or "9")]
    return sorted(chosen, key=lambda run_id: (numbers.get(run_id, 0), run_id))
