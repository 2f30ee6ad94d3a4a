"""One run, top to bottom: the diagram of the design as a function."""

import functools
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pyarrow as pa

from .. import __version__
from ..code_digest import code_digest
from ..core.health import MOST_SKEW_S
from ..core.model import ArchivedResponse, Manifest, PartitionKey, Response, Run, WrittenFile
from ..core.reconcile import CurrentState, Limits, Received, departures, gate, is_trusted, reconcile
from ..core.runs import Prepared, RunState, RunSummary
from ..core.schema import PROJECTED_YEARS, SCHEMA_VERSION, TRANSFORM_VERSION
from ..errors import GateRefused, UnreadableObject, WarehouseError
from ..lake.workers import workers
from ..telemetry.stages import Telemetry
from .adapters import Adapters
from .backfill import Backfill
from .candidate import Candidate, carry_over, received
from .comparison import BEFORE, InDoubt
from .look import look, numbered_above
from .publish import publish, with_iceberg
from .published import Published, published_rows, rows_by_table

_BODIES = "bodies"

Head = Callable[[str, int], pa.Table]
"""The first rows of a table."""


def run(
    run: Run,
    adapters: Adapters,
    limits: Limits,
    stale_after_days: int,
    spool: Path,
    summary: RunSummary,
    backfill: Backfill | None = None,
) -> Head:
    """Extract, archive, validate, transform, publish to both stores and prove them equal; fills the summary as it goes.

    With a backfill what was received is the last of many answers, none of which was published there.

    Returns the rows for whoever shows them. Raises PipelineError; whatever it is, both stores hold what they held before, or
    the next run repairs what this one began.
    """
    warehouse, lake, telemetry = adapters.warehouse, adapters.lake, adapters.telemetry
    with telemetry.stage("lock"):
        warehouse.lock()
    with telemetry.stage("prepare"):
        prepared = warehouse.prepare(run)
        _note(prepared, summary, telemetry)
    found = look(adapters, prepared.last_run)
    summary.number = number = numbered_above(adapters, run, prepared.number, found.pointer)
    # After DDL the tables may lack values that the manifest says they hold, as in a column just added.
    # And where Iceberg was turned on since, its tables hold nothing yet.
    is_complete = not summary.ddl and lake.has_named_iceberg(found.manifest)
    trusted = is_complete and is_trusted(found.manifest, found.last_run, run, adapters.source.url)
    responses = extract(adapters, found.manifest if trusted else None, spool / _BODIES)
    is_news = not (trusted and found.manifest and is_known(responses, found.manifest)) or tries_again(run, found.manifest)
    if is_news:  # the server goes on computing meanwhile
        archived, responses = archive(run, adapters, responses, spool / _BODIES)
        candidate = received(run, adapters, responses, spool, found.manifest if trusted and not run.replayed_run_id else None)
    current = found.complete(adapters)
    summary.rows = rows_by_table(current.in_mysql)
    summary.repaired = departures(current)
    if current.manifest:
        telemetry.warn_if(summary.repaired, "not as published, and repaired by this run")
    if not is_news:
        assert current.manifest
        if not summary.repaired:
            _fill_unchanged(summary, current.manifest, telemetry)
            _warn_if_stale(summary, run, stale_after_days, telemetry)
            _record(adapters, summary)
            return functools.partial(published_rows, lake, current.manifest)
        archived, responses = archive(run, adapters, responses, spool / _BODIES)
        candidate = received(run, adapters, responses, spool)
    candidate = _carried_over(run, adapters, candidate, responses, current, spool, trusted=trusted, backfill=backfill)
    fill(summary, candidate)
    _warn_if_stale(summary, run, stale_after_days, telemetry)
    _warn_of_years(candidate.spill.checksums, telemetry)
    if candidate.quarantine:
        with telemetry.stage("quarantine") as counts:
            counts["key"] = lake.quarantine(run, candidate.quarantine)
    with telemetry.stage("reconcile") as counts:
        # What a backfill repeats shrank step by step, and each step was let through when its run published.
        if refused := refusals(run, candidate, current, replace(limits, accept_shrink=True) if backfill else limits):
            raise GateRefused("refused: " + "; ".join(refused), hint="both stores stay as they were")
        plan = reconcile(candidate.spill.checksums, current, candidate.spill.carried, candidate.gone)
        counts.update(load=len(plan.load), put=len(plan.put), delete=len(plan.delete))
    files = publish(run, adapters, candidate, plan, current, summary)
    manifest = with_iceberg(adapters, _manifest(run, number, adapters, archived, candidate, files), anew=not trusted)
    with telemetry.stage("manifest"):
        for stored in plan.delete.values():
            lake.delete(stored)
        summary.files_deleted = len(plan.delete)
        lake.publish(manifest, found.pointer)
    summary.rows = rows_by_table(candidate.spill.checksums)
    summary.state = RunState.PUBLISHED
    _record(adapters, summary)
    return candidate.spill.head


def _carried_over(
    run: Run,
    adapters: Adapters,
    candidate: Candidate,
    responses: Mapping[str, Response],
    current: CurrentState,
    spool: Path,
    *,
    trusted: bool,
    backfill: Backfill | None,
) -> Candidate:
    """The candidate, whole; another one, of all launches, where those that did not change can't be taken over."""
    try:
        carry_over(run, adapters, candidate, current, Published(adapters, current), trusted=trusted, backfill=backfill)
    except InDoubt as doubt:
        adapters.telemetry.event(f"everything is validated: {doubt}")
        candidate = received(run, adapters, responses, spool)
        carry_over(run, adapters, candidate, current, Published(adapters, current), trusted=trusted, backfill=backfill)
    for folder in (_BODIES, BEFORE):  # which takes a while: meanwhile the stores are written
        Thread(target=shutil.rmtree, args=(spool / folder,), kwargs={"ignore_errors": True}).start()
    return candidate


def _note(prepared: Prepared, summary: RunSummary, telemetry: Telemetry) -> None:
    summary.ddl = prepared.ddl
    telemetry.warn_if(prepared.unknown_columns, "columns that the schema does not know are left alone")
    telemetry.warn_if(prepared.missing_views, "views were not made, and the tables are published without them")
    skew_s = prepared.clock_skew_s
    if abs(skew_s) > MOST_SKEW_S:
        side = "ahead of" if skew_s > 0 else "behind"
        telemetry.warn(f"this machine's clock is {abs(skew_s):,.0f} s {side} MySQL's: let both keep time by NTP")


def _warn_of_years(keys: Iterable[PartitionKey], telemetry: Telemetry) -> None:
    beyond = sorted({year for _, year in keys if year not in PROJECTED_YEARS})
    first, last = PROJECTED_YEARS.start, PROJECTED_YEARS.stop - 1
    telemetry.warn_if(
        [str(year) for year in beyond], f"launch years outside {first} to {last}, which Athena's tables by path hide"
    )


def _fill_unchanged(summary: RunSummary, manifest: Manifest, telemetry: Telemetry) -> None:
    summary.rows = rows_by_table(manifest.by_partition())
    summary.newest_launch_utc = manifest.newest_launch_utc
    _warn_of_years(manifest.by_partition(), telemetry)
    summary.rejected, summary.retained = manifest.rejected, len(manifest.retained_ids)
    if summary.rejected:
        telemetry.warn(f"{summary.rejected} launches are still rejected, {summary.retained} keep their last good rows")
    summary.stores_equal = True
    summary.state = RunState.UNCHANGED


def _record(adapters: Adapters, summary: RunSummary) -> None:
    """Write the good end of the run into pipeline_runs; where that fails, what was published stays published."""
    try:
        adapters.warehouse.finish(summary)
    except WarehouseError as error:
        adapters.telemetry.warn(f"the run is {summary.state}, but pipeline_runs does not say so: {error}")


def _manifest(
    run: Run,
    number: int,
    adapters: Adapters,
    archived: dict[str, ArchivedResponse],
    candidate: Candidate,
    files: Mapping[PartitionKey, WrittenFile],
) -> Manifest:
    return Manifest(
        run_id=run.id,
        number=number,
        published_at=datetime.now(UTC),
        source=run.source,
        source_url=adapters.source.url,
        app_version=__version__,
        schema_version=SCHEMA_VERSION,
        transform_version=TRANSFORM_VERSION,
        endpoints=archived,
        files=[files[key] for key in sorted(files)],
        rejected=len(candidate.rejected_launches),
        rejected_ids=sorted({reject.id for reject in candidate.rejected_launches if reject.id}),
        unknown_fields=candidate.unknown_fields,
        notes=candidate.notes,
        code=code_digest(),
        retained_ids=sorted(candidate.retained),
        lookups=candidate.lookups,
        newest_launch_utc=candidate.newest_launch_utc,
        as_of=run.as_of,
        replayed_run_id=run.replayed_run_id,
    )


def extract(adapters: Adapters, manifest: Manifest | None, spool: Path) -> dict[str, Response]:
    """Every endpoint of the source, once."""
    spool.mkdir(exist_ok=True)
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


def tries_again(run: Run, manifest: Manifest | None) -> bool:
    """Whether a replay has rejected launches to try again: the rules may have been mended since, in whatever way."""
    return bool(run.replayed_run_id and manifest and manifest.rejected)


def archive(
    run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path
) -> tuple[dict[str, ArchivedResponse], dict[str, Response]]:
    """Keep what came, fetch back what did not come because it was not modified or not asked for.

    Where the archive no longer has that, everything is fetched from the source again. Raises PipelineError.
    """
    with adapters.telemetry.stage("archive"):
        try:
            return _archive(run, adapters, responses, spool)
        except UnreadableObject as error:
            adapters.telemetry.warn(f"everything is fetched again: {error}")
    again = spool / "again"
    responses = extract(adapters, None, again)
    with adapters.telemetry.stage("archive"):
        return _archive(run, adapters, responses, again)


def _archive(
    run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path
) -> tuple[dict[str, ArchivedResponse], dict[str, Response]]:
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


def fill(summary: RunSummary, candidate: Candidate) -> None:
    """Note what was received; the rows are those that are there until they are replaced."""
    summary.rejected = len(candidate.rejected_launches)
    summary.retained = len(candidate.retained)
    summary.newest_launch_utc = candidate.newest_launch_utc


def _warn_if_stale(summary: RunSummary, run: Run, stale_after_days: int, telemetry: Telemetry) -> None:
    newest = summary.newest_launch_utc
    if newest and (run.as_of - newest).days > stale_after_days:
        age = (run.as_of - newest).days
        telemetry.warn(f"the newest past launch is {age} days old ({newest:%Y-%m-%d}), over STALE_AFTER_DAYS {stale_after_days}")
