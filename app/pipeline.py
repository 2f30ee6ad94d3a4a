"""One run, top to bottom: the diagram of the design as a function."""

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from app import __version__
from app.errors import GateRefused, LakeError, PipelineError, StoresDisagree
from app.reconcile import (
    Held,
    Limits,
    Plan,
    Received,
    believed_in_mysql,
    differences,
    gate,
    is_intact,
    is_source_change,
    is_trusted,
    reconcile,
)
from app.records import (
    ArchivedEndpoint,
    Content,
    Endpoint,
    Lake,
    LastRun,
    LookupUse,
    Manifest,
    Merge,
    PartitionKey,
    Pointer,
    Rejected,
    Run,
    RunReport,
    Source,
    Warehouse,
    WrittenFile,
)
from app.schema import SCHEMA_VERSION, TABLES, TRANSFORM_VERSION
from app.snapshot import Snapshot
from app.telemetry import Telemetry
from app.transform import conform, content_as_stored, transform
from app.validate import validate

_WRITERS = 8
_NAMED = 5  # ids shown in a message


@dataclass(frozen=True)
class Edges:
    """The three systems that a run works with, and what it tells of itself."""

    source: Source
    lake: Lake
    warehouse: Warehouse
    telemetry: Telemetry


@dataclass
class Derived:
    """What the launches of one answer came to."""

    snapshot: Snapshot
    accepted: set[str] = field(default_factory=set)
    rejected: list[Rejected] = field(default_factory=list)
    lookups: dict[str, LookupUse] = field(default_factory=dict)
    retained: set[str] = field(default_factory=set)
    newest_launch_utc: datetime | None = None

    @property
    def rejected_launches(self) -> list[Rejected]:
        """The rejects that are launches; the others are look-up records."""
        return [r for r in self.rejected if r.endpoint == "launches"]


Head = Callable[[str, int], pa.Table]
"""The first rows of a table."""


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
    if trusted and is_intact(held) and held.manifest and all(e.archived for e in endpoints.values()):
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
        plan = decide(run, edges, derived, held, limits, trusted=trusted)
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
        )
        lake.publish(manifest, pointer)
    report.state = "published"
    warehouse.finish(report)
    return derived.snapshot.head


def plan(run: Run, edges: Edges, limits: Limits, spool: Path, report: RunReport) -> tuple[Derived, Plan]:
    """What a run would do, with the rows it would publish; nothing is written anywhere. Raises PipelineError."""
    with edges.telemetry.stage("prepare"):
        report.ddl = edges.warehouse.pending_ddl()
        last_run = edges.warehouse.last_run()
    _, held = look(edges, last_run)
    readable = not any(statement.startswith("ALTER") for statement in report.ddl)
    # Tables that lack a column can't be read by the schema: what is retained then comes from the lake.
    trusted = not readable or is_trusted(held, run, edges.source.url)
    endpoints = extract(edges, None, spool)
    derived = derive(run, edges, endpoints, held, spool, trusted=trusted)
    _fill(report, derived)
    with edges.telemetry.stage("reconcile"):
        return derived, decide(run, edges, derived, held, limits, trusted=trusted, readable=readable)


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


def archive(
    run: Run, edges: Edges, endpoints: Mapping[str, Endpoint], spool: Path
) -> tuple[dict[str, ArchivedEndpoint], dict[str, Endpoint]]:
    """Keep what came, fetch back what did not come because it was not modified or not asked for."""
    with workers() as pool:
        kept = {name: pool.submit(edges.lake.archive, run, endpoint) for name, endpoint in endpoints.items()}
        whole = {
            name: pool.submit(edges.lake.restore, endpoint, spool)
            for name, endpoint in endpoints.items()
            if endpoint.base or (endpoint.archived and not endpoint.bodies)
        }
        archived = {name: future.result() for name, future in kept.items()}
        return archived, {**endpoints, **{name: future.result() for name, future in whole.items()}}


def derive(run: Run, edges: Edges, endpoints: Mapping[str, Endpoint], held: Held, spool: Path, *, trusted: bool) -> Derived:
    """Validate and transform every launch, and add the last good rows of those that can't be used."""
    tell = edges.telemetry
    with tell.stage("validate") as counts:
        superseded: set[int] = set()
        derived, again = _read_launches(run, edges, endpoints, superseded, spool / "rows-1")
        if again:  # an id came twice: the last record with it counts, the earlier ones are passed over in a second reading
            if not endpoints["launches"].base:  # changes replace what they come on top of
                tell.warn(f"{len(again)} launches came twice, the last counts: {_some(again.values())}")
            superseded = set(again)
            derived, _ = _read_launches(run, edges, endpoints, superseded, spool / "rows-2")
        if not is_source_change(held, run):  # the tables hold one source, never a mixture
            _retain(derived, edges, held, trusted=trusted)
        derived.snapshot.close()
        counts.update(accepted=len(derived.accepted), rejected=len(derived.rejected_launches), retained=len(derived.retained))
    for reject in derived.rejected[:_NAMED]:
        where = f"{reject.endpoint}[{reject.index}] {reject.id or 'without a readable id'}"
        tell.warn(f"rejected {where}: {reject.path}: {reject.reason}, not {reject.value!r}")
    if len(derived.rejected) > _NAMED:
        tell.warn(f"{len(derived.rejected)} records rejected in all; each is in quarantine with its reason")
    for kind, use in derived.lookups.items():
        if use.known_ids < use.ids:
            tell.warn(f"{kind}: {use.known_ids} of {use.ids} ids are known; facts of the others are null")
    return derived


def _read_launches(
    run: Run, edges: Edges, endpoints: Mapping[str, Endpoint], skip: set[int], folder: Path
) -> tuple[Derived, dict[int, str]]:
    """All launches but those at the places to skip; and the places that hold an earlier record of an id, with the id."""
    parser = edges.source.parser(endpoints)
    derived = Derived(Snapshot(folder))
    seen: dict[str, int] = {}
    earlier: dict[int, str] = {}
    unknown: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for batch in edges.source.launches(endpoints["launches"]):
        checked = validate(((i, raw) for i, raw in batch if i not in skip), parser)
        for index, launch_id in _ids_in_order(checked.indexes, checked.ids, checked.rejected):
            if launch_id in seen:
                earlier[seen[launch_id]] = launch_id
            seen[launch_id] = index
        derived.accepted.update(checked.ids)
        derived.rejected += checked.rejected
        unknown += checked.unknown_fields
        notes += checked.notes
        tables = transform(checked.rows)
        for name, rows in tables.items():
            derived.snapshot.add(name, rows)
        derived.newest_launch_utc = _newest(derived.newest_launch_utc, tables["launches"], run.started_at)
        edges.telemetry.progress(f"{len(seen)} launches")
    derived.rejected += parser.rejected
    derived.lookups = parser.lookup_use()
    if not earlier:
        edges.telemetry.warn_if(sorted(unknown), "fields that the contract does not know")
        for note, times in sorted(notes.items()):
            edges.telemetry.warn(f"{note} ({times} launches)")
    return derived, earlier


def _ids_in_order(indexes: list[int], ids: list[str], rejected: list[Rejected]) -> list[tuple[int, str]]:
    return sorted([*zip(indexes, ids, strict=True), *((r.index, r.id) for r in rejected if r.id)])


def _retain(derived: Derived, edges: Edges, held: Held, *, trusted: bool) -> None:
    """Add the last good rows of launches that were rejected, and of all absent ones when a record has no readable id."""
    rejects = derived.rejected_launches
    wanted = {r.id for r in rejects if r.id} - derived.accepted
    everything = any(r.id is None for r in rejects)
    if not wanted and not everything:
        return
    in_mysql = edges.warehouse.launch_ids() - derived.accepted
    manifest = held.manifest
    in_lake: set[str] = set()
    if manifest is not None:
        files = [f for f in manifest.files if f.table == "launches"]
        in_lake = {i for f in files for i in edges.lake.read(f.key, f.version_id)["launch_id"].to_pylist()} - derived.accepted
    if everything:
        wanted |= in_mysql | in_lake
    # After a good run the lake's versions are what both stores held, whatever was done to MySQL since. After any other, MySQL may
    # be ahead of the manifest, and the lake fills in what was altered there.
    if manifest is not None and trusted:
        _add_from_lake(derived, edges.lake, manifest, wanted & in_lake)
    _add_rows(derived, edges.warehouse.rows_of((wanted & in_mysql) - derived.retained))
    if manifest is not None:
        _add_from_lake(derived, edges.lake, manifest, (wanted & in_lake) - derived.retained)
    if lost := sorted((wanted & in_mysql) - derived.retained):
        message = f"the last good rows of {_some(lost)} were altered in MySQL, and the lake has none"
        raise StoresDisagree(message, hint="restore them, or delete them to let the launches go")


def _add_from_lake(derived: Derived, lake: Lake, manifest: Manifest, ids: set[str]) -> None:
    if not ids:
        return
    found: dict[str, pa.Table] = {}
    for name in TABLES:
        table = TABLES[name]
        parts = [conform(table, lake.read(f.key, f.version_id)) for f in manifest.files if f.table == name]
        whole = pa.concat_tables([TABLES[name].arrow.empty_table(), *parts])
        found[name] = whole.filter(pc.is_in(whole["launch_id"], pa.array(sorted(ids), pa.string())))
    _add_rows(derived, found)


def _add_rows(derived: Derived, rows: Mapping[str, pa.Table]) -> None:
    for name, found in rows.items():
        derived.snapshot.add(name, found)
    derived.retained.update(rows["launches"]["launch_id"].to_pylist())


def decide(run: Run, edges: Edges, derived: Derived, held: Held, limits: Limits, *, trusted: bool, readable: bool = True) -> Plan:
    """The plan, once the gate has let the data pass; `readable`: MySQL's tables have all columns. Raises GateRefused."""
    wanted = derived.snapshot.contents
    received = Received(wanted, len(derived.accepted), len(derived.rejected_launches), derived.lookups)
    if refused := gate(received, held, run, limits):
        raise GateRefused("refused: " + "; ".join(refused), hint="both stores stay as they were")
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
        return (derived.snapshot.partition(key) for key in sorted(plan.load) if key[0] == name)

    staged = {name: rows_to_load(name) for name in TABLES if name in plan.scope}
    with workers() as pool:
        writing = [pool.submit(_write, run, edges, derived.snapshot, key, held) for key in plan.gaining]
        with edges.telemetry.stage("merge") as counts, edges.warehouse.merge(run, staged, plan.scope) as merge:
            report.merged = dict(merge.merged)
            counts.update({name: vars(merged) for name, merged in merge.merged.items()})
            with edges.telemetry.stage("put") as put:
                written = _results(writing, edges.telemetry)
                # Only then those that lose rows, so that a launch that moves is nowhere missing for readers by path.
                losing = [key for key in plan.put if key not in written]
                writing = [pool.submit(_write, run, edges, derived.snapshot, key, held) for key in losing]
                written |= _results(writing, edges.telemetry)
                report.files_written = len(written)
                put.update(files=len(written), bytes=sum(file.size for file, _ in written.values()))
            with edges.telemetry.stage("prove") as proven:
                in_s3 = {key: content for key, (_, content) in written.items()}
                in_s3 |= _read_back(edges.lake, pool, {key: kept[key] for key in plan.load if key not in in_s3})
                _prove(wanted, plan, in_s3, merge)
                report.stores_equal = True
                proven["partitions"] = len(plan.touched)
            with edges.telemetry.stage("commit"), edges.telemetry.uninterrupted():
                merge.commit()
                report.state = "merged"
    return {key: written[key][0] if key in written else kept[key] for key in wanted}


def _write(
    run: Run, edges: Edges, snapshot: Snapshot, key: PartitionKey, held: Held
) -> tuple[PartitionKey, WrittenFile, Content]:
    file = edges.lake.write(run, key, snapshot.partition(key), snapshot.contents[key], held.objects.get(key))
    return key, file, content_as_stored(TABLES[key[0]], edges.lake.read(file.key, file.version_id))


def _results(
    writing: Iterable["Future[tuple[PartitionKey, WrittenFile, Content]]"], tell: Telemetry
) -> dict[PartitionKey, tuple[WrittenFile, Content]]:
    written = {}
    for future in writing:
        key, file, content = future.result()
        written[key] = (file, content)
        tell.progress(f"{len(written)} partitions")
    return written


def _read_back(lake: Lake, pool: ThreadPoolExecutor, files: Mapping[PartitionKey, WrittenFile]) -> dict[PartitionKey, Content]:
    reading = {key: pool.submit(lake.read, file.key, file.version_id) for key, file in files.items()}
    return {key: content_as_stored(TABLES[key[0]], future.result()) for key, future in reading.items()}


def _prove(wanted: Mapping[PartitionKey, Content], plan: Plan, in_s3: Mapping[PartitionKey, Content], merge: Merge) -> None:
    in_mysql = merge.contents(plan.touched)
    if found := differences(wanted, plan.touched, in_s3, in_mysql, merge.counts()):
        raise StoresDisagree("the stores do not hold what was sent: " + _some(found), hint="the merge was rolled back")


def verify(run: Run, edges: Edges, report: RunReport) -> list[str]:
    """Prove the published manifest: raw objects, every partition in S3 and in MySQL, by values; the differences.

    Raises PipelineError when it can't be proven either way.
    """
    with edges.telemetry.stage("lock"):
        edges.warehouse.lock()  # between a run's commit and its manifest the stores are ahead of what is published
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
            in_s3 = _read_back(edges.lake, pool, there)
            mysql_rows = edges.warehouse.counts()
            in_mysql = edges.warehouse.contents({*files, *mysql_rows})
            found += differences(
                wanted, set(files), {**in_s3, **{k: wanted[k] for k in files if k not in there}}, in_mysql, mysql_rows
            )
            counts["partitions"] = len(files)
    report.stores_equal = not found
    if found:  # a failed row in pipeline_runs ends the trust of the next run, which so finds and repairs what differs
        report.state, report.error = "failed", _some(found)
        edges.warehouse.start(run)
        edges.warehouse.finish(report)
    return list(dict.fromkeys(found))


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


@contextlib.contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """Threads for S3; when the run fails nobody waits for what they had still to do."""
    pool = ThreadPoolExecutor(_WRITERS)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _fill(report: RunReport, derived: Derived) -> None:
    report.rows = _totals({key: content.rows for key, content in derived.snapshot.contents.items()})
    report.rejected = len(derived.rejected_launches)
    report.retained = len(derived.retained)
    report.newest_launch_utc = derived.newest_launch_utc


def _totals(rows: Mapping[PartitionKey, int]) -> dict[str, int]:
    return {table: sum(n for (name, _), n in rows.items() if name == table) for table in TABLES}


def _newest(before: datetime | None, launches: pa.Table, now: datetime) -> datetime | None:
    """The newest launch that is over, of those seen before and these."""
    over = pc.and_(pc.not_equal(launches["status"], "upcoming"), pc.less_equal(launches["date_utc"], pa.scalar(now)))
    newest = pc.max(launches["date_utc"].filter(over)).as_py()
    return max((t for t in (before, newest) if t is not None), default=None)


def _warn_if_stale(report: RunReport, run: Run, stale_after_days: int, tell: Telemetry) -> None:
    newest = report.newest_launch_utc
    if newest and (run.started_at - newest).days > stale_after_days:
        age = (run.started_at - newest).days
        tell.warn(f"the newest past launch is {age} days old ({newest:%Y-%m-%d}), over STALE_AFTER_DAYS {stale_after_days}")


def _some(names: Iterable[str]) -> str:
    every = list(names)
    return "; ".join(every[:_NAMED]) + (f"; and {len(every) - _NAMED} more" if len(every) > _NAMED else "")
