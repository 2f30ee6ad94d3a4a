"""One run, top to bottom: the diagram of the design as a function."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from app import __version__
from app.changes import changed_columns, difference
from app.derive import Derived, changes_of, derive, workers
from app.edges import Edges
from app.errors import GateRefused, LakeError, PipelineError, StoresDisagree, some
from app.reconcile import (
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
from app.records import (
    ArchivedEndpoint,
    Content,
    Endpoint,
    Lake,
    LastRun,
    Manifest,
    PartitionKey,
    Pointer,
    Run,
    RunReport,
    WrittenFile,
)
from app.schema import SCHEMA_VERSION, TABLES, TRANSFORM_VERSION
from app.telemetry import Telemetry
from app.transform import conform

LOCK_WAIT_S = 300
"""How long a verification waits for a run to end."""
_SAMPLES = 5  # changed rows shown for each column of a plan

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


def plan(run: Run, edges: Edges, limits: Limits, spool: Path, report: RunReport) -> Derived:
    """What a run would do, in `report.plan`, and the rows it would publish; nothing is written anywhere.

    Raises PipelineError; GateRefused after the report is complete.
    """
    with edges.telemetry.stage("prepare"):
        report.ddl = edges.warehouse.pending_ddl()
        last_run = edges.warehouse.last_run()
    # Tables that lack a column can't be read by the schema: what is carried over then comes from the lake.
    readable = not any(statement.startswith("ALTER") for statement in report.ddl)
    if not readable:
        last_run = dataclasses.replace(last_run, merged_id=None)
    _, held = look(edges, last_run)
    trusted = not readable or is_trusted(held, run, edges.source.url)
    endpoints = extract(edges, held.manifest if is_trusted(held, run, edges.source.url) else None, spool)
    with workers() as pool:
        endpoints = _whole(edges, pool, endpoints, spool)
    derived = derive(run, edges, endpoints, held, spool, trusted=trusted)
    _fill(report, derived)
    with edges.telemetry.stage("reconcile"):
        refused = refusals(run, derived, held, limits)
        plan = decide(edges, derived, held, trusted=trusted, readable=readable)
    with edges.telemetry.stage("compare"):
        report.plan = {
            "refused": refused,
            "ddl": report.ddl,
            **_changes(edges, derived, held),
            "load": [f"{table} {year}" for table, year in sorted(plan.load)],
            "put": [f"{table} {year}" for table, year in plan.put],
            "delete": [f"{table} {year}" for table, year in sorted(plan.delete)],
            "quarantine": [
                {"endpoint": r.endpoint, "index": r.index, "id": r.id, "path": r.path, "value": r.value, "reason": r.reason}
                for r in derived.rejected
            ],
        }
    if refused:
        raise GateRefused("a run would be refused: " + "; ".join(refused), hint="nothing was written")
    return derived


def _changes(edges: Edges, derived: Derived, held: Held) -> dict[str, Any]:
    """Rows to add, change and remove by table, and some of the changes by column."""
    rows, samples = {}, []
    for name, table in TABLES.items():
        found = changes_of(edges, held, derived.snapshot, table)
        rows[name] = {"add": found.added.num_rows, "change": found.after.num_rows, "remove": found.removed.num_rows}
        for column, changed, old, new in changed_columns(table, found):
            for row, before, after in zip(
                changed.select(table.key).slice(0, _SAMPLES).to_pylist(), old.to_pylist(), new.to_pylist(), strict=False
            ):
                key = list(row.values())
                samples.append({"table": name, "key": key, "column": column, "old": before, "new": after})
    return {"rows": rows, "changes": samples}


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


def verify(run: Run, edges: Edges, report: RunReport) -> list[str]:
    """Prove the published manifest: raw objects, every partition in S3 and in MySQL, by values; the differences.

    Raises PipelineError when it can't be proven either way.
    """
    with edges.telemetry.stage("lock"):
        # Between a run's commit and its manifest the stores are ahead of what is published. It is waited for: verifications are
        # few, and one that gave way to runs day after day would be missed by nobody.
        edges.warehouse.lock(wait_s=LOCK_WAIT_S)
    with edges.telemetry.stage("look"):
        manifest = edges.lake.latest().manifest
        if manifest is None:
            raise LakeError("there is no manifest to verify", hint="run the pipeline first")
        if manifest.schema_version != SCHEMA_VERSION:
            raise LakeError(f"run {manifest.run_id} was published by schema version {manifest.schema_version}", hint="run first")
        objects = edges.lake.partitions()
    report.rows = _totals({key: f.rows for key, f in manifest.by_partition().items()})
    report.newest_launch_utc = manifest.newest_launch_utc
    files = manifest.by_partition()
    wanted = {key: Content(f.rows, f.digest) for key, f in files.items()}
    found: list[str] = []
    with workers() as pool:
        with edges.telemetry.stage("raw") as counts:
            raw = [o for e in manifest.endpoints.values() for o in e.objects]
            found += [str(e) for e in (_fault(pool.submit(edges.lake.check_raw, o)) for o in raw) if e]
            counts["objects"] = len(raw)
        with edges.telemetry.stage("prove") as counts:
            for key in sorted(files.keys() | objects.keys()):
                named, listed = files.get(key), objects.get(key)
                if named is None or listed is None or named.etag != listed.etag:
                    what = "is missing" if listed is None else "is not in the manifest" if named is None else "was replaced"
                    found.append(f"S3 {key[0]} {key[1]}: the object {what}")
            there = {key: file for key, file in files.items() if key in objects}
            reading = {key: pool.submit(edges.lake.content, file) for key, file in there.items()}
            mysql_rows = edges.warehouse.counts()
            in_mysql = edges.warehouse.contents({*files, *mysql_rows})
            in_s3 = {key: future.result() for key, future in reading.items()}
            found += differences(
                wanted, set(files), {**in_s3, **{k: wanted[k] for k in files if k not in there}}, in_mysql, mysql_rows
            )
            counts["partitions"] = len(files)
    report.stores_equal = not found
    report.differences = [
        named
        for key in sorted(files)
        if in_mysql.get(key) != wanted[key] or in_s3.get(key) != wanted[key]
        for named in _rows_that_differ(edges, files[key])
    ]
    if found:  # a failed row in pipeline_runs ends the trust of the next run, which so finds and repairs what differs
        report.state, report.error = "failed", some(found)
        edges.warehouse.start(run)
        edges.warehouse.finish(report)
    return list(dict.fromkeys(found))


def _rows_that_differ(edges: Edges, file: WrittenFile) -> Iterator[dict[str, Any]]:
    """Where the rows that the manifest names and those in MySQL differ, as far as both can be read."""
    table = TABLES[file.table]
    try:
        published = conform(table, edges.lake.read(file.key, file.version_id))
    except LakeError:
        return
    in_mysql = edges.warehouse.rows_of_years(table.name, [file.year])
    found = difference(table, published, conform(table, in_mysql))
    for what, rows in (("missing in MySQL", found.removed), ("only in MySQL", found.added)):
        for row in rows.select(table.key).to_pylist():
            yield {"table": table.name, "year": file.year, "key": list(row.values()), "difference": what}
    for column, rows, old, new in changed_columns(table, found):
        for row, before, after in zip(rows.select(table.key).to_pylist(), old.to_pylist(), new.to_pylist(), strict=True):
            key = list(row.values())
            yield {"table": table.name, "year": file.year, "key": key, "column": column, "published": before, "in_mysql": after}


def published_rows(lake: Lake, manifest: Manifest, table: str, count: int) -> pa.Table:
    """The first rows of a table as the lake holds them."""
    rows = TABLES[table].arrow.empty_table()
    for file in manifest.files:
        if file.table == table and rows.num_rows < count:
            rows = pa.concat_tables([rows, lake.read(file.key, file.version_id)])
    return rows.slice(0, count)


def _fault(future: "Future[None]") -> PipelineError | None:
    try:
        future.result()
    except PipelineError as error:
        return error
    return None


def _fill(report: RunReport, derived: Derived) -> None:
    report.rows = _totals({key: content.rows for key, content in derived.snapshot.contents.items()})
    report.rejected = len(derived.rejected_launches)
    report.retained = len(derived.retained)
    report.newest_launch_utc = derived.newest_launch_utc


def _totals(rows: Mapping[PartitionKey, int]) -> dict[str, int]:
    return {table: sum(n for (name, _), n in rows.items() if name == table) for table in TABLES}


def _warn_if_stale(report: RunReport, run: Run, stale_after_days: int, tell: Telemetry) -> None:
    newest = report.newest_launch_utc
    if newest and (run.as_of - newest).days > stale_after_days:
        age = (run.as_of - newest).days
        tell.warn(f"the newest past launch is {age} days old ({newest:%Y-%m-%d}), over STALE_AFTER_DAYS {stale_after_days}")
