"""Prove what is published by its values, and name what differs."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ..core.checksum.digest import EMPTY, Checksum
from ..core.diff import changed_columns, difference
from ..core.model import Manifest, PartitionKey, Run
from ..core.reconcile import CurrentState, checksum_named, departures, is_mysql_ahead
from ..core.runs import RunState, RunSummary
from ..core.schema import SCHEMA_VERSION, TABLES
from ..core.transform import conform
from ..errors import LakeError, UnreadableObject, WarehouseError, some
from .adapters import Adapters
from .look import look, numbered_above
from .published import Published, rows_by_table, workers

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
    lake, warehouse, telemetry = adapters.lake, adapters.warehouse, adapters.telemetry
    with telemetry.stage("lock"):
        # Between a run's commit and its manifest the stores are ahead of what is published. It is waited for: verifications are
        # few, and one that gave way to runs day after day would be missed by nobody.
        warehouse.lock(wait_s=LOCK_WAIT_S)
    with telemetry.stage("prepare"):
        pointer = lake.latest()
        _check_tables(adapters)
        last_run = warehouse.last_run()
        if pointer.manifest is None and pointer.fault is None and last_run.merged_id is None:
            raise LakeError("there is no manifest to verify", hint="run the pipeline first")
        summary.number = numbered_above(adapters, run, warehouse.start(run), pointer)
    current = look(adapters, pointer, last_run).complete(adapters)
    manifest = current.manifest
    if manifest is not None and manifest.schema_version != SCHEMA_VERSION:
        raise LakeError(f"run {manifest.run_id} was published by schema version {manifest.schema_version}", hint="run first")
    found = [*departures(current), *_faults_of_raw(adapters, manifest)]
    with telemetry.stage("prove") as counts:
        in_s3, unusable = _checksums_in_s3(adapters, current)
        found += unusable
        counts["partitions"] = len(current.files)
    summary.rows = rows_by_table(current.files)
    summary.newest_launch_utc = manifest.newest_launch_utc if manifest else None
    summary.stores_equal = not found
    published = Published(adapters, current)
    summary.differences = [
        named for key in sorted(current.files) for named in _rows_that_differ(adapters, current, published, key, in_s3)
    ]
    # A failed row in pipeline_runs ends the trust of the next run, which so finds and repairs what differs.
    summary.state, summary.error = (RunState.FAILED, some(found)) if found else (RunState.UNCHANGED, None)
    warehouse.finish(summary)
    unpublished = last_run.merged_id if is_mysql_ahead(current) else None
    return Verification(manifest, list(dict.fromkeys(found)), unpublished)


def _check_tables(adapters: Adapters) -> None:
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


def _checksums_in_s3(adapters: Adapters, current: CurrentState) -> tuple[dict[PartitionKey, Checksum], list[str]]:
    """What the named versions hold by their values, and where that is not what is named."""
    in_s3, found = {}, []
    with workers() as pool:
        reading = {key: pool.submit(adapters.lake.checksum, file) for key, file in current.files.items()}
        for key, future in reading.items():
            if error := _unusable(future):
                found.append(f"S3 {key[0]} {key[1]}: {error}")
                continue
            in_s3[key] = future.result()
            if in_s3[key] != (named := checksum_named(current.files, key)):
                found.append(f"S3 {key[0]} {key[1]}: {in_s3[key]}, not {named}")
    return in_s3, found


def _rows_that_differ(
    adapters: Adapters, current: CurrentState, published: Published, key: PartitionKey, in_s3: dict[PartitionKey, Checksum]
) -> Iterator[dict[str, Any]]:
    """Where rows in a store differ from those that were published, as far as both can be read."""
    file, named = current.files[key], checksum_named(current.files, key)
    if current.in_mysql.get(key, EMPTY) == named and in_s3.get(key) == named:
        return
    rows = published.rows(file)
    if rows is None:
        return
    table = TABLES[key[0]]
    in_mysql = conform(table, adapters.warehouse.rows_of_years(table.name, [key[1]]))
    found = difference(table, rows, in_mysql)
    for what, some_rows in (("missing in MySQL", found.removed), ("only in MySQL", found.added)):
        for row in some_rows.select(table.key).to_pylist():
            yield {"table": table.name, "year": key[1], "key": list(row.values()), "difference": what}
    for column, after, old, new in changed_columns(table, found):
        for row, before, now in zip(after.select(table.key).to_pylist(), old.to_pylist(), new.to_pylist(), strict=True):
            place = {"table": table.name, "year": key[1], "key": list(row.values()), "column": column}
            yield {**place, "published": before, "in_mysql": now}
