"""Prove what is published by its values, and name what differs."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from ..core.checksum.digest import Checksum
from ..core.diff import changed_columns, difference
from ..core.model import Run, RunState, RunSummary, WrittenFile
from ..core.reconcile import (
    differences,
)
from ..core.schema import SCHEMA_VERSION, TABLES
from ..core.transform import conform
from ..errors import LakeError, PipelineError, some
from .adapters import Adapters
from .published import rows_by_table, workers

LOCK_WAIT_S = 300
"""How long a verification waits for a run to end."""


def verify(run: Run, adapters: Adapters, summary: RunSummary) -> list[str]:
    """Prove the published manifest: raw objects, every partition in S3 and in MySQL, by values; the differences.

    Raises PipelineError when it can't be proven either way.
    """
    with adapters.telemetry.stage("lock"):
        # Between a run's commit and its manifest the stores are ahead of what is published. It is waited for: verifications are
        # few, and one that gave way to runs day after day would be missed by nobody.
        adapters.warehouse.lock(wait_s=LOCK_WAIT_S)
    with adapters.telemetry.stage("look"):
        manifest = adapters.lake.latest().manifest
        if manifest is None:
            raise LakeError("there is no manifest to verify", hint="run the pipeline first")
        if manifest.schema_version != SCHEMA_VERSION:
            raise LakeError(f"run {manifest.run_id} was published by schema version {manifest.schema_version}", hint="run first")
        objects = adapters.lake.partitions()
    summary.rows = rows_by_table({key: f.rows for key, f in manifest.by_partition().items()})
    summary.newest_launch_utc = manifest.newest_launch_utc
    files = manifest.by_partition()
    wanted = {key: Checksum(f.rows, f.digest) for key, f in files.items()}
    found: list[str] = []
    with workers() as pool:
        with adapters.telemetry.stage("raw") as counts:
            raw = [o for e in manifest.endpoints.values() for o in e.objects]
            found += [str(e) for e in (_fault(pool.submit(adapters.lake.check_raw, o)) for o in raw) if e]
            counts["objects"] = len(raw)
        with adapters.telemetry.stage("prove") as counts:
            for key in sorted(files.keys() | objects.keys()):
                named, listed = files.get(key), objects.get(key)
                if named is None or listed is None or named.etag != listed.etag:
                    what = "is missing" if listed is None else "is not in the manifest" if named is None else "was replaced"
                    found.append(f"S3 {key[0]} {key[1]}: the object {what}")
            there = {key: file for key, file in files.items() if key in objects}
            reading = {key: pool.submit(adapters.lake.checksum, file) for key, file in there.items()}
            mysql_rows = adapters.warehouse.counts()
            in_mysql = adapters.warehouse.checksums({*files, *mysql_rows})
            in_s3 = {key: future.result() for key, future in reading.items()}
            found += differences(
                wanted, set(files), {**in_s3, **{k: wanted[k] for k in files if k not in there}}, in_mysql, mysql_rows
            )
            counts["partitions"] = len(files)
    summary.stores_equal = not found
    summary.differences = [
        named
        for key in sorted(files)
        if in_mysql.get(key) != wanted[key] or in_s3.get(key) != wanted[key]
        for named in _rows_that_differ(adapters, files[key])
    ]
    if found:  # a failed row in pipeline_runs ends the trust of the next run, which so finds and repairs what differs
        summary.state, summary.error = RunState.FAILED, some(found)
        adapters.warehouse.start(run)
        adapters.warehouse.finish(summary)
    return list(dict.fromkeys(found))


def _rows_that_differ(adapters: Adapters, file: WrittenFile) -> Iterator[dict[str, Any]]:
    """Where the rows that the manifest names and those in MySQL differ, as far as both can be read."""
    table = TABLES[file.table]
    try:
        published = conform(table, adapters.lake.read(file.key, file.version_id))
    except LakeError:
        return
    in_mysql = adapters.warehouse.rows_of_years(table.name, [file.year])
    found = difference(table, published, conform(table, in_mysql))
    for what, rows in (("missing in MySQL", found.removed), ("only in MySQL", found.added)):
        for row in rows.select(table.key).to_pylist():
            yield {"table": table.name, "year": file.year, "key": list(row.values()), "difference": what}
    for column, rows, old, new in changed_columns(table, found):
        for row, before, after in zip(rows.select(table.key).to_pylist(), old.to_pylist(), new.to_pylist(), strict=True):
            key = list(row.values())
            yield {"table": table.name, "year": file.year, "key": key, "column": column, "published": before, "in_mysql": after}


def _fault(future: "Future[None]") -> PipelineError | None:
    try:
        future.result()
    except PipelineError as error:
        return error
    return None
