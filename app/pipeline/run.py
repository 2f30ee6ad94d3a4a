"""One run, top to bottom: the diagram of the design as a function."""

import functools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from .. import __version__
from ..core.checksum.digest import Checksum
from ..core.model import (
    ArchivedResponse,
    LastRun,
    Manifest,
    PartitionKey,
    Pointer,
    Response,
    Run,
    RunState,
    RunSummary,
    WrittenFile,
)
from ..core.reconcile import (
    CurrentState,
    Limits,
    Plan,
    Received,
    believed_in_mysql,
    differences,
    gate,
    is_intact,
    is_trusted,
    reconcile,
)
from ..core.schema import SCHEMA_VERSION, TABLES, TRANSFORM_VERSION
from ..errors import GateRefused, StoresDisagree, some
from ..telemetry.stages import Telemetry
from .adapters import Adapters
from .candidate import Candidate, derive
from .published import published_rows, rows_by_table, workers

Head = Callable[[str, int], pa.Table]
"""The first rows of a table."""

ReadBack = tuple[WrittenFile, Checksum]
"""A file that was put, and what it holds by its values."""


def run(run: Run, adapters: Adapters, limits: Limits, stale_after_days: int, spool: Path, summary: RunSummary) -> Head:
    """Extract, archive, validate, transform, publish to both stores and prove them equal; fills the summary as it goes.

    Returns the rows for whoever shows them. Raises PipelineError; whatever it is, both stores hold what they held before, or
    the next run repairs what this one began.
    """
    warehouse, lake, telemetry = adapters.warehouse, adapters.lake, adapters.telemetry
    with telemetry.stage("lock"):
        warehouse.lock()
    with telemetry.stage("prepare"):
        last_run, summary.ddl, unknown_columns = warehouse.prepare(run)
        telemetry.warn_if(unknown_columns, "columns that the schema does not know are left alone")
    pointer, current = look(adapters, last_run)
    # After DDL the tables may lack values that the manifest says they hold, as in a column just added.
    trusted = is_trusted(current, run, adapters.source.url) and not summary.ddl
    responses = extract(adapters, current.manifest if trusted else None, spool)
    if trusted and is_intact(current) and current.manifest and is_known(responses, current.manifest):
        summary.rows = rows_by_table({key: f.rows for key, f in current.manifest.by_partition().items()})
        summary.newest_launch_utc = current.manifest.newest_launch_utc
        summary.rejected, summary.retained = current.manifest.rejected, len(current.manifest.retained_ids)
        if summary.rejected:
            telemetry.warn(f"{summary.rejected} launches are still rejected, {summary.retained} keep their last good rows")
        summary.stores_equal = True  # as far as counts and ETags tell; `verify` proves contents
        summary.state = RunState.UNCHANGED
        _warn_if_stale(summary, run, stale_after_days, telemetry)
        warehouse.finish(summary)
        return functools.partial(published_rows, lake, current.manifest)
    with telemetry.stage("archive") as counts:
        archived, responses = archive(run, adapters, responses, spool)
        counts["objects"] = sum(len(a.objects) for a in archived.values())
    candidate = derive(run, adapters, responses, current, spool, trusted=trusted)
    fill(summary, candidate)
    _warn_if_stale(summary, run, stale_after_days, telemetry)
    if candidate.quarantine:
        with telemetry.stage("quarantine") as counts:
            counts["key"] = lake.quarantine(run, candidate.quarantine)
    with telemetry.stage("reconcile") as counts:
        if refused := refusals(run, candidate, current, limits):
            raise GateRefused("refused: " + "; ".join(refused), hint="both stores stay as they were")
        plan = make_plan(adapters, candidate, current, trusted=trusted)
        counts.update(load=len(plan.load), put=len(plan.put), delete=len(plan.delete))
    files = publish(run, adapters, candidate, plan, current, summary)
    with telemetry.stage("manifest"):
        for stored in plan.delete.values():
            lake.delete(stored)
        summary.files_deleted = len(plan.delete)
        manifest = Manifest(
            run_id=run.id,
            published_at=datetime.now(UTC),
            source=run.source,
            source_url=adapters.source.url,
            app_version=__version__,
            schema_version=SCHEMA_VERSION,
            transform_version=TRANSFORM_VERSION,
            endpoints=archived,
            files=[files[key] for key in sorted(files)],
            rejected=len(candidate.rejected_launches),
            retained_ids=sorted(candidate.retained),
            lookups=candidate.lookups,
            newest_launch_utc=candidate.newest_launch_utc,
            as_of=run.as_of,
            replayed_run_id=run.replayed_run_id,
        )
        lake.publish(manifest, pointer)
    summary.state = RunState.PUBLISHED
    warehouse.finish(summary)
    return candidate.spill.head


def look(adapters: Adapters, last_run: LastRun) -> tuple[Pointer, CurrentState]:
    """What both stores hold before anything is done."""
    with adapters.telemetry.stage("look") as counts:
        pointer = adapters.lake.latest()
        objects = adapters.lake.partitions()
        rows = adapters.warehouse.counts()
        counts.update(partitions=len(objects), rows=sum(rows.values()))
        adapters.telemetry.warn_if(
            adapters.lake.unexpected_objects, "objects that are not this pipeline's lie among the partitions"
        )
    return pointer, CurrentState(pointer.manifest, objects, rows, last_run)


def extract(adapters: Adapters, manifest: Manifest | None, spool: Path) -> dict[str, Response]:
    """Every endpoint of the source, once."""
    with adapters.telemetry.stage("extract") as counts:
        responses = {}
        for response in adapters.source.extract(manifest.endpoints if manifest else {}, spool):
            responses[response.name] = response
            adapters.telemetry.progress(response.name)
        counts["bytes"] = sum(body.size for e in responses.values() for body in e.bodies)
        counts["unchanged_endpoints"] = sum(e.archived is not None for e in responses.values())
        counts["changes_only"] = sum(e.base is not None for e in responses.values())
    return responses


def is_known(responses: Mapping[str, Response], manifest: Manifest) -> bool:
    """Whether every endpoint answered what the manifest's snapshot was made of."""
    before = manifest.endpoints
    return responses.keys() == before.keys() and all(
        e.archived is not None and e.archived.objects == before[name].objects for name, e in responses.items()
    )


def archive(
    run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path
) -> tuple[dict[str, ArchivedResponse], dict[str, Response]]:
    """Keep what came, fetch back what did not come because it was not modified or not asked for."""
    with workers() as pool:
        kept = {
            name: [
                pool.submit(adapters.lake.archive, run, name, number, body) for number, body in enumerate(response.new_bodies, 1)
            ]
            for name, response in responses.items()
        }
        whole = complete(adapters, pool, responses, spool)
        return {name: responses[name].kept([future.result() for future in futures]) for name, futures in kept.items()}, whole


def complete(adapters: Adapters, pool: ThreadPoolExecutor, responses: Mapping[str, Response], spool: Path) -> dict[str, Response]:
    """All endpoints with their bodies, those from the archive too."""
    restored = {
        name: pool.submit(adapters.lake.restore, response, spool)
        for name, response in responses.items()
        if response.base or (response.archived and not response.bodies)
    }
    return {**responses, **{name: future.result() for name, future in restored.items()}}


def refusals(run: Run, candidate: Candidate, current: CurrentState, limits: Limits) -> list[str]:
    """Why the gate does not let the snapshot pass, if so."""
    received = Received(candidate.spill.checksums, candidate.accepted, len(candidate.rejected_launches), candidate.lookups)
    return gate(received, current, run, limits)


def make_plan(adapters: Adapters, candidate: Candidate, current: CurrentState, *, trusted: bool, readable: bool = True) -> Plan:
    """What to write; `readable`: MySQL's tables have all columns."""
    wanted = candidate.spill.checksums
    if not readable:
        in_mysql = {key: Checksum(rows, "differs") for key, rows in current.rows.items()}
    elif trusted and not candidate.retained:  # what is retained may be so because MySQL was altered
        in_mysql = believed_in_mysql(current)
    else:
        in_mysql = adapters.warehouse.checksums(current.rows)
    manifest = current.manifest
    rewrite = manifest is None or (manifest.schema_version, manifest.transform_version) != (
        SCHEMA_VERSION,
        TRANSFORM_VERSION,
    )
    return reconcile(wanted, current, in_mysql, rewrite=rewrite)


def publish(
    run: Run, adapters: Adapters, candidate: Candidate, plan: Plan, current: CurrentState, summary: RunSummary
) -> dict[PartitionKey, WrittenFile]:
    """Merge and put side by side, read both back, commit only what is equal; every partition's file as the manifest names it."""
    wanted = candidate.spill.checksums
    kept = current.manifest.by_partition() if current.manifest else {}

    def rows_to_load(name: str) -> Iterator[pa.Table]:
        return (rows for key in sorted(plan.load) if key[0] == name for rows in candidate.spill.partition(key))

    def put(key: PartitionKey) -> ReadBack:
        file = adapters.lake.write(run, key, candidate.spill.partition(key), wanted[key], current.objects.get(key))
        return file, adapters.lake.checksum(file)

    staged = {name: rows_to_load(name) for name in TABLES if name in plan.scope}
    with workers() as pool:
        reading = {key: pool.submit(adapters.lake.checksum, kept[key]) for key in plan.load.difference(plan.put)}
        gaining = [pool.submit(put, key) for key in plan.gaining]
        with adapters.telemetry.stage("merge") as counts, adapters.warehouse.merge(run, staged, plan.scope) as merge:
            summary.merged = dict(merge.merged)
            counts.update({name: vars(merged) for name, merged in merge.merged.items()})
            with adapters.telemetry.stage("put") as counted:
                stored = _results(gaining, adapters.telemetry)
                # Only then those that lose rows, so that a launch that moves is nowhere missing for readers by path.
                losing = [pool.submit(put, key) for key in plan.put if key not in stored]
                stored |= _results(losing, adapters.telemetry)
                summary.files_written = len(stored)
                counted.update(files=len(stored), bytes=sum(file.size for file, _ in stored.values()))
            with adapters.telemetry.stage("prove") as proven:
                in_mysql = merge.checksums(plan.touched)
                in_s3 = {key: checksum for key, (_, checksum) in stored.items()}
                in_s3 |= {key: future.result() for key, future in reading.items()}
                if found := differences(wanted, plan.touched, in_s3, in_mysql, merge.counts()):
                    summary.stores_equal = False  # known, and not merely unproven: an alarm hangs on it
                    raise StoresDisagree("the stores do not hold what was sent: " + some(found), hint="the merge was rolled back")
                summary.stores_equal = True
                proven["partitions"] = len(plan.touched)
            with adapters.telemetry.stage("commit"), adapters.telemetry.uninterrupted():
                merge.commit()
                summary.state = RunState.MERGED
    return {key: stored[key][0] if key in stored else kept[key] for key in wanted}


def _results(writing: list["Future[ReadBack]"], telemetry: Telemetry) -> dict[PartitionKey, ReadBack]:
    written = {}
    for future in writing:
        file, checksum = future.result()
        written[file.table, file.year] = file, checksum
        telemetry.progress(f"{len(written)} of {len(writing)} partitions", len(written), len(writing))
    return written


def fill(summary: RunSummary, candidate: Candidate) -> None:
    summary.rows = rows_by_table({key: checksum.rows for key, checksum in candidate.spill.checksums.items()})
    summary.rejected = len(candidate.rejected_launches)
    summary.retained = len(candidate.retained)
    summary.newest_launch_utc = candidate.newest_launch_utc


def _warn_if_stale(summary: RunSummary, run: Run, stale_after_days: int, telemetry: Telemetry) -> None:
    newest = summary.newest_launch_utc
    if newest and (run.as_of - newest).days > stale_after_days:
        age = (run.as_of - newest).days
        telemetry.warn(f"the newest past launch is {age} days old ({newest:%Y-%m-%d}), over STALE_AFTER_DAYS {stale_after_days}")
