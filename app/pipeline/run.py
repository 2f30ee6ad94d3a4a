"""One run, top to bottom: the diagram of the design as a function."""

import functools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from app import __version__
from app.core.checksum.digest import Content
from app.core.model import ArchivedEndpoint, Endpoint, LastRun, Manifest, PartitionKey, Pointer, Run, RunReport, WrittenFile
from app.core.reconcile import (
    Held,
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
from app.core.schema import SCHEMA_VERSION, TABLES, TRANSFORM_VERSION
from app.errors import GateRefused, StoresDisagree, some
from app.pipeline.adapters import Edges
from app.pipeline.candidate import Derived, derive
from app.pipeline.published import _totals, published_rows, workers
from app.telemetry.stages import Telemetry

Head = Callable[[str, int], pa.Table]
"""The first rows of a table."""

ReadBack = tuple[WrittenFile, Content]
"""A file that was put, and what it holds by its values."""


def run(run: Run, edges: Edges, limits: Limits, stale_after_days: int, spool: Path, report: RunReport) -> Head:
    """Extract, archive, validate, transform, publish to both stores and prove them equal; fills the report as it goes.

    Returns the rows for whoever shows them. Raises PipelineError; whatever it is, both stores hold what they held before, or
    the next run repairs what this one began.
    """
    warehouse, lake, tell = edges.warehouse, edges.lake, edges.telemetry
    with tell.stage("lock"):
        warehouse.lock()
    with tell.stage("prepare"):
        last_run, report.ddl, unknown_columns = warehouse.prepare(run)
        tell.warn_if(unknown_columns, "columns that the schema does not know are left alone")
    pointer, held = look(edges, last_run)
    # After DDL the tables may lack values that the manifest says they hold, as in a column just added.
    trusted = is_trusted(held, run, edges.source.url) and not report.ddl
    endpoints = extract(edges, held.manifest if trusted else None, spool)
    if trusted and is_intact(held) and held.manifest and is_known(endpoints, held.manifest):
        report.rows = _totals({key: f.rows for key, f in held.manifest.by_partition().items()})
        report.newest_launch_utc = held.manifest.newest_launch_utc
        report.rejected, report.retained = held.manifest.rejected, len(held.manifest.retained_ids)
        if report.rejected:
            tell.warn(f"{report.rejected} launches are still rejected, {report.retained} keep their last good rows")
        report.stores_equal = True  # as far as counts and ETags tell; `verify` proves contents
        report.state = "unchanged"
        _warn_if_stale(report, run, stale_after_days, tell)
        warehouse.finish(report)
        return functools.partial(published_rows, lake, held.manifest)
    with tell.stage("archive") as counts:
        archived, endpoints = archive(run, edges, endpoints, spool)
        counts["objects"] = sum(len(a.objects) for a in archived.values())
    derived = derive(run, edges, endpoints, held, spool, trusted=trusted)
    _fill(report, derived)
    _warn_if_stale(report, run, stale_after_days, tell)
    if derived.rejected:
        with tell.stage("quarantine") as counts:
            counts["key"] = lake.quarantine(run, derived.rejected)
    with tell.stage("reconcile") as counts:
        if refused := refusals(run, derived, held, limits):
            raise GateRefused("refused: " + "; ".join(refused), hint="both stores stay as they were")
        plan = decide(edges, derived, held, trusted=trusted)
        counts.update(load=len(plan.load), put=len(plan.put), delete=len(plan.delete))
    files = publish(run, edges, derived, plan, held, report)
    with tell.stage("manifest"):
        for stored in plan.delete.values():
            lake.delete(stored)
        report.files_deleted = len(plan.delete)
        manifest = Manifest(
            run_id=run.id,
            published_at=datetime.now(UTC),
            source=run.source,
            source_url=edges.source.url,
            app_version=__version__,
            schema_version=SCHEMA_VERSION,
            transform_version=TRANSFORM_VERSION,
            endpoints=archived,
            files=[files[key] for key in sorted(files)],
            rejected=len(derived.rejected_launches),
            retained_ids=sorted(derived.retained),
            lookups=derived.lookups,
            newest_launch_utc=derived.newest_launch_utc,
            as_of=run.as_of,
            replayed_run_id=run.replayed_run_id,
        )
        lake.publish(manifest, pointer)
    report.state = "published"
    warehouse.finish(report)
    return derived.snapshot.head


def look(edges: Edges, last_run: LastRun) -> tuple[Pointer, Held]:
    """What both stores hold before anything is done."""
    with edges.telemetry.stage("look") as counts:
        pointer = edges.lake.latest()
        objects = edges.lake.partitions()
        rows = edges.warehouse.counts()
        counts.update(partitions=len(objects), rows=sum(rows.values()))
        edges.telemetry.warn_if(edges.lake.strays, "objects that are not this pipeline's lie among the partitions")
    return pointer, Held(pointer.manifest, objects, rows, last_run)


def extract(edges: Edges, manifest: Manifest | None, spool: Path) -> dict[str, Endpoint]:
    """Every endpoint of the source, once."""
    with edges.telemetry.stage("extract") as counts:
        endpoints = {}
        for endpoint in edges.source.extract(manifest.endpoints if manifest else {}, spool):
            endpoints[endpoint.name] = endpoint
            edges.telemetry.progress(endpoint.name)
        counts["bytes"] = sum(body.size for e in endpoints.values() for body in e.bodies)
        counts["unchanged_endpoints"] = sum(e.archived is not None for e in endpoints.values())
        counts["changes_only"] = sum(e.base is not None for e in endpoints.values())
    return endpoints


def is_known(endpoints: Mapping[str, Endpoint], manifest: Manifest) -> bool:
    """Whether every endpoint answered what the manifest's snapshot was made of."""
    before = manifest.endpoints
    return endpoints.keys() == before.keys() and all(
        e.archived is not None and e.archived.objects == before[name].objects for name, e in endpoints.items()
    )


def archive(
    run: Run, edges: Edges, endpoints: Mapping[str, Endpoint], spool: Path
) -> tuple[dict[str, ArchivedEndpoint], dict[str, Endpoint]]:
    """Keep what came, fetch back what did not come because it was not modified or not asked for."""
    with workers() as pool:
        kept = {
            name: [pool.submit(edges.lake.archive, run, name, number, body) for number, body in enumerate(endpoint.new_bodies, 1)]
            for name, endpoint in endpoints.items()
        }
        whole = _whole(edges, pool, endpoints, spool)
        return {name: endpoints[name].kept([future.result() for future in futures]) for name, futures in kept.items()}, whole


def _whole(edges: Edges, pool: ThreadPoolExecutor, endpoints: Mapping[str, Endpoint], spool: Path) -> dict[str, Endpoint]:
    """All endpoints with their bodies, those from the archive too."""
    restored = {
        name: pool.submit(edges.lake.restore, endpoint, spool)
        for name, endpoint in endpoints.items()
        if endpoint.base or (endpoint.archived and not endpoint.bodies)
    }
    return {**endpoints, **{name: future.result() for name, future in restored.items()}}


def refusals(run: Run, derived: Derived, held: Held, limits: Limits) -> list[str]:
    """Why the gate does not let the snapshot pass, if so."""
    received = Received(derived.snapshot.contents, derived.accepted, len(derived.rejected_launches), derived.lookups)
    return gate(received, held, run, limits)


def decide(edges: Edges, derived: Derived, held: Held, *, trusted: bool, readable: bool = True) -> Plan:
    """What to write; `readable`: MySQL's tables have all columns."""
    wanted = derived.snapshot.contents
    if not readable:
        in_mysql = {key: Content(rows, "differs") for key, rows in held.rows.items()}
    elif trusted and not derived.retained:  # what is retained may be so because MySQL was altered
        in_mysql = believed_in_mysql(held)
    else:
        in_mysql = edges.warehouse.contents(held.rows)
    manifest = held.manifest
    rewrite = manifest is None or (manifest.schema_version, manifest.transform_version) != (
        SCHEMA_VERSION,
        TRANSFORM_VERSION,
    )
    return reconcile(wanted, held, in_mysql, rewrite=rewrite)


def publish(
    run: Run, edges: Edges, derived: Derived, plan: Plan, held: Held, report: RunReport
) -> dict[PartitionKey, WrittenFile]:
    """Merge and put side by side, read both back, commit only what is equal; every partition's file as the manifest names it."""
    wanted = derived.snapshot.contents
    kept = held.manifest.by_partition() if held.manifest else {}

    def rows_to_load(name: str) -> Iterator[pa.Table]:
        return (rows for key in sorted(plan.load) if key[0] == name for rows in derived.snapshot.partition(key))

    def put(key: PartitionKey) -> ReadBack:
        file = edges.lake.write(run, key, derived.snapshot.partition(key), wanted[key], held.objects.get(key))
        return file, edges.lake.content(file)

    staged = {name: rows_to_load(name) for name in TABLES if name in plan.scope}
    with workers() as pool:
        reading = {key: pool.submit(edges.lake.content, kept[key]) for key in plan.load.difference(plan.put)}
        gaining = [pool.submit(put, key) for key in plan.gaining]
        with edges.telemetry.stage("merge") as counts, edges.warehouse.merge(run, staged, plan.scope) as merge:
            report.merged = dict(merge.merged)
            counts.update({name: vars(merged) for name, merged in merge.merged.items()})
            with edges.telemetry.stage("put") as counted:
                stored = _results(gaining, edges.telemetry)
                # Only then those that lose rows, so that a launch that moves is nowhere missing for readers by path.
                losing = [pool.submit(put, key) for key in plan.put if key not in stored]
                stored |= _results(losing, edges.telemetry)
                report.files_written = len(stored)
                counted.update(files=len(stored), bytes=sum(file.size for file, _ in stored.values()))
            with edges.telemetry.stage("prove") as proven:
                in_mysql = merge.contents(plan.touched)
                in_s3 = {key: content for key, (_, content) in stored.items()}
                in_s3 |= {key: future.result() for key, future in reading.items()}
                if found := differences(wanted, plan.touched, in_s3, in_mysql, merge.counts()):
                    report.stores_equal = False  # known, and not merely unproven: an alarm hangs on it
                    raise StoresDisagree("the stores do not hold what was sent: " + some(found), hint="the merge was rolled back")
                report.stores_equal = True
                proven["partitions"] = len(plan.touched)
            with edges.telemetry.stage("commit"), edges.telemetry.uninterrupted():
                merge.commit()
                report.state = "merged"
    return {key: stored[key][0] if key in stored else kept[key] for key in wanted}


def _results(writing: list["Future[ReadBack]"], tell: Telemetry) -> dict[PartitionKey, ReadBack]:
    written = {}
    for future in writing:
        file, content = future.result()
        written[file.table, file.year] = file, content
        tell.progress(f"{len(written)} of {len(writing)} partitions", len(written), len(writing))
    return written


def _fill(report: RunReport, derived: Derived) -> None:
    report.rows = _totals({key: content.rows for key, content in derived.snapshot.contents.items()})
    report.rejected = len(derived.rejected_launches)
    report.retained = len(derived.retained)
    report.newest_launch_utc = derived.newest_launch_utc


def _warn_if_stale(report: RunReport, run: Run, stale_after_days: int, tell: Telemetry) -> None:
    newest = report.newest_launch_utc
    if newest and (run.as_of - newest).days > stale_after_days:
        age = (run.as_of - newest).days
        tell.warn(f"the newest past launch is {age} days old ({newest:%Y-%m-%d}), over STALE_AFTER_DAYS {stale_after_days}")
