"""The one place that changes both stores: merge and put in parallel, prove both, commit."""

import contextlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from ..core.checksum.digest import Checksum
from ..core.model import Manifest, PartitionKey, Run, WrittenFile
from ..core.reconcile import CurrentState, Plan, differences
from ..core.runs import RunState, RunSummary
from ..core.schema import TABLES
from ..errors import StoresDisagree, UnreadableObject, some
from ..lake.workers import workers
from ..telemetry.stages import Telemetry
from .adapters import Adapters
from .candidate import Candidate

_SETTLE_S = 5.0  # for puts that are on their way when a run fails
_LARGE_ROWS = 2_000  # partitions with more are not kept in memory until they are read back, but read from the spill again
_LARGE_AT_ONCE = 2


class _Puts:
    """The partitions' objects, put and read back by several threads."""

    def __init__(
        self,
        run: Run,
        adapters: Adapters,
        candidate: Candidate,
        current: CurrentState,
        pool: ThreadPoolExecutor,
        pool_of_large: ThreadPoolExecutor,
    ) -> None:
        self._run, self._adapters, self._candidate, self._current = run, adapters, candidate, current
        self._pool, self._pool_of_large = pool, pool_of_large
        self._futures: dict[PartitionKey, Future[Checksum]] = {}
        self.written: dict[PartitionKey, WrittenFile] = {}

    def start(self, key: PartitionKey) -> None:
        self._futures[key] = (self._pool_of_large if self._is_large(key) else self._pool).submit(self._put, key)

    def results(self, telemetry: Telemetry) -> dict[PartitionKey, Checksum]:
        """What the objects of all that were started hold, once they are there. Raises PipelineError."""
        found = {}
        for key, future in self._futures.items():
            found[key] = future.result()
            telemetry.progress(f"{len(found)} of {len(self._futures)} partitions", len(found), len(self._futures))
        return found

    def settle(self) -> int:
        """After a failure: start nothing more, wait a moment for what is on its way; how many objects were put."""
        for future in self._futures.values():
            future.cancel()
        wait(self._futures.values(), timeout=_SETTLE_S)
        return len(self.written)

    def _put(self, key: PartitionKey) -> Checksum:
        lake, spill, checksum = self._adapters.lake, self._candidate.spill, self._candidate.spill.checksums[key]
        rows = None if self._is_large(key) else list(spill.partition(key))
        over = self._current.objects.get(key)
        self.written[key] = file = lake.write(self._run, key, rows or spill.partition(key), checksum, over)
        try:
            is_equal = lake.holds(file, rows or spill.partition(key))
        except UnreadableObject as error:
            message = f"S3 {key[0]} {key[1]} does not hold what was sent: {error}"
            raise StoresDisagree(message, hint="the merge was rolled back") from error
        return checksum if is_equal else Checksum(checksum.rows, "other values")

    def _is_large(self, key: PartitionKey) -> bool:
        return self._candidate.spill.checksums[key].rows > _LARGE_ROWS


def publish(
    run: Run, adapters: Adapters, candidate: Candidate, plan: Plan, current: CurrentState, summary: RunSummary
) -> dict[PartitionKey, WrittenFile]:
    """Merge and put in parallel, read both back, commit only what is equal; every partition's file as the manifest names it.

    Whatever fails, the summary says afterwards what there is: no row was merged, and how many objects were put. Raises
    PipelineError.
    """
    kept = current.files
    with workers() as pool, workers(_LARGE_AT_ONCE) as pool_of_large:
        puts = _Puts(run, adapters, candidate, current, pool, pool_of_large)
        try:
            _publish(run, adapters, candidate, plan, kept, puts, summary, pool)
        except BaseException as error:
            if isinstance(error, StoresDisagree):
                summary.stores_equal = False  # known, and not merely unproven: an alarm hangs on it
            if summary.state is not RunState.MERGED:
                with contextlib.suppress(BaseException), adapters.telemetry.uninterrupted():
                    _report_what_lasted(adapters.telemetry, puts, summary)
            raise
    return {key: puts.written.get(key) or kept[key] for key in candidate.spill.checksums}


def with_iceberg(adapters: Adapters, manifest: Manifest, *, anew: bool) -> Manifest:
    """The manifest with the ids of the Iceberg snapshots, once these hold what it names; as it is where there is no Iceberg.

    After COMMIT and before the pointer moves: what fails here is repaired by the next run. Raises LakeError.
    """
    tables = adapters.lake.iceberg
    if tables is None:
        return manifest
    with adapters.telemetry.stage("iceberg") as counts:
        snapshots = tables.commit(manifest, anew=anew)
        adapters.telemetry.warn_if(tables.made_anew, "Iceberg tables could not be read, and were made anew")
        counts["tables"] = len(snapshots)
    return manifest.model_copy(update={"iceberg": snapshots})


def _publish(
    run: Run,
    adapters: Adapters,
    candidate: Candidate,
    plan: Plan,
    kept: Mapping[PartitionKey, WrittenFile],
    puts: _Puts,
    summary: RunSummary,
    pool: ThreadPoolExecutor,
) -> None:
    telemetry, wanted = adapters.telemetry, candidate.spill.checksums
    loaded = {name: [key for key in plan.load if key[0] == name] for name in plan.scope}
    largest_first = sorted(loaded, key=lambda name: -sum(wanted[key].rows for key in loaded[name]) * len(TABLES[name].columns))
    staged = {name: candidate.spill.by_key(loaded[name], plan.append) for name in largest_first}
    reading = {key: pool.submit(adapters.lake.checksum, kept[key]) for key in plan.load.difference(plan.put)}
    for key in plan.gaining:
        puts.start(key)
    with telemetry.stage("merge") as counts, adapters.warehouse.merge(run, staged, plan.scope, plan.touched) as merge:
        summary.merged = dict(merge.merged)
        counts.update({name: vars(merged) for name, merged in merge.merged.items()})
        with telemetry.stage("put") as counted:
            puts.results(telemetry)
            # Only then those that lose rows, so that a launch that moves is nowhere missing for readers by path.
            for key in plan.put[len(plan.gaining) :]:
                puts.start(key)
            stored = puts.results(telemetry)
            summary.files_written = len(stored)
            counted.update(files=len(stored), bytes=sum(puts.written[key].size for key in stored))
        with telemetry.stage("prove") as proven:
            beside = {key: checksum for key, checksum in merge.beside().items() if checksum == wanted[key]}
            to_prove = plan.touched
            if merge.has_side_effects():
                beside, to_prove = {}, set(wanted)
            in_mysql = beside | merge.checksums(to_prove - beside.keys())  # the first connection has the last word
            in_s3 = {key: wanted[key] for key in to_prove - plan.touched}  # as was seen before: only MySQL has triggers
            in_s3 |= stored | {key: future.result() for key, future in reading.items()}
            rows = {key: count for key, count in merge.counts().items() if key not in candidate.lost}
            if found := differences(wanted, to_prove, in_s3, in_mysql, rows):
                raise StoresDisagree("the stores do not hold what was sent: " + some(found), hint="the merge was rolled back")
            summary.stores_equal = True
            proven.update(partitions=len(to_prove), beside=len(beside))
        with telemetry.stage("commit"), telemetry.uninterrupted():
            merge.commit()
            summary.state = RunState.MERGED


def _report_what_lasted(telemetry: Telemetry, puts: _Puts, summary: RunSummary) -> None:
    summary.merged, summary.files_written = {}, puts.settle()
    if summary.files_written:
        telemetry.warn(
            f"{summary.files_written} objects were put before the run failed: readers by path see them, readers by manifest do "
            "not; the next good run brings both together"
        )
