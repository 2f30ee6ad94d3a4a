"""Prove what is published by its values, and name what differs."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ..core.model import Manifest, PartitionKey, Run
from ..core.reconcile import CurrentState, checksum_named, departures, is_mysql_ahead
from ..core.runs import RunState, RunSummary
from ..core.schema import SCHEMA_VERSION
from ..errors import LakeError, UnreadableObject, WarehouseError, some
from .adapters import Adapters
from .differences import row_differences
from .look import look, numbered_above
from .published import rows_by_table, workers

LOCK_WAIT_S = 300
"""How long a verification waits for a run to end."""


@dataclass(frozen=True)
class Verification:
    """What was verified, and where it is not as published; the run that MySQL holds and that did not publish, if any."""

    manifest: Manifest | None
    found: list[str]
    unpublished_run_id: str | None = None


def verify(run: Run, adapters: Adapters, summary: RunSummary) -> Verification:
    """Prove the published manifest: raw objects, every partition in S3 and in MySQL, by values.

    Raises PipelineError when it can't be proven either way.
    """
    warehouse, telemetry = adapters.warehouse, adapters.telemetry
    with telemetry.stage("lock"):
        # Between a run's commit and its manifest the stores are ahead of what is published. It is waited for: verifications are
        # few, and one that gave way to runs day after day would be missed by nobody.
        warehouse.lock(wait_s=LOCK_WAIT_S)
    with telemetry.stage("prepare"):
        _check_tables(adapters)
        last_run = warehouse.last_run()
    looked = look(adapters, last_run)
    pointer = looked.pointer
    if pointer.manifest is None and pointer.fault is None and last_run.merged_id is None:
        raise LakeError("there is no manifest to verify", hint="run the pipeline first")
    summary.number = numbered_above(adapters, run, warehouse.start(run), pointer)
    current = looked.complete(adapters)
    manifest = current.manifest
    if manifest is not None and manifest.schema_version != SCHEMA_VERSION:
        raise LakeError(f"run {manifest.run_id} was published by schema version {manifest.schema_version}", hint="run first")
    found = [*departures(current), *_faults_of_raw(adapters, manifest)]
    with telemetry.stage("prove") as counts:
        unequal = _unequal_in_s3(adapters, current)
        found += unequal.values()
        counts["partitions"] = len(current.files)
    summary.rows = rows_by_table(current.files)
    summary.newest_launch_utc = manifest.newest_launch_utc if manifest else None
    summary.stores_equal = not found
    if found:
        with telemetry.stage("compare"):
            summary.differences = row_differences(adapters, current, set(unequal))
    # A failed row in pipeline_runs ends the trust of the next run, which so finds and repairs what differs.
    summary.state, summary.error = (RunState.FAILED, some(found)) if found else (RunState.UNCHANGED, None)
    warehouse.finish(summary)
    unpublished = last_run.merged_id if is_mysql_ahead(current) else None
    return Verification(manifest, list(dict.fromkeys(found)), unpublished)


def _check_tables(adapters: Adapters) -> None:
    adapters.warehouse.check_packet()
    if pending := [statement for statement in adapters.warehouse.pending_ddl() if statement.startswith("ALTER")]:
        message = f"the tables can't be verified, they are not as the schema says: {some(pending)}"
        raise WarehouseError(message, hint="run first: it begins with this DDL")


def _faults_of_raw(adapters: Adapters, manifest: Manifest | None) -> list[str]:
    raw = [stored for response in manifest.endpoints.values() for stored in response.objects] if manifest else []
    with adapters.telemetry.stage("raw") as counts, workers() as pool:
        checks = [pool.submit(adapters.lake.check_raw, stored) for stored in raw]
        counts["objects"] = len(raw)
        return [str(error) for error in map(_unusable, checks) if error]


def _unusable(future: "Future[Any]") -> UnreadableObject | None:
    try:
        future.result()
    except UnreadableObject as error:
        return error
    return None


def _unequal_in_s3(adapters: Adapters, current: CurrentState) -> dict[PartitionKey, str]:
    """Partitions whose named versions do not hold, by their values, what is named; what is wrong with each."""
    found = {}
    with workers() as pool:
        reading = {key: pool.submit(adapters.lake.checksum, file) for key, file in current.files.items()}
        for key, future in reading.items():
            if error := _unusable(future):
                found[key] = f"S3 {key[0]} {key[1]}: {error}"
            elif (stored := future.result()) != (named := checksum_named(current.files, key)):
                found[key] = f"S3 {key[0]} {key[1]}: {stored}, not {named}"
    return found
