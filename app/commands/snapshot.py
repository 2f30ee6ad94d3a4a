"""`snapshot`: which snapshots there are; `show`: what one holds; `urls`: its files as URLs that anybody can read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.model import Manifest, WrittenFile
from ..core.runs import RunState
from ..core.schema import TABLES
from ..errors import LakeError, SettingsError, UnreadableObject, some
from ..lake.store import S3Lake
from ..lake.workers import workers
from .invocation import Invocation

_Facts = dict[str, Any]


def execute(job: Invocation, spool: Path) -> None:  # noqa: ARG001  # every command is given one
    """List snapshots, or show one of them or its URLs; MySQL is not asked. Raises PipelineError."""
    with job.telemetry.stage("connect"):
        lake = S3Lake(job.settings)
    match job.request.action:
        case "show":
            _show(job, lake)
        case "urls":
            _show_urls(job, lake)
        case _:
            _list(job, lake)
    job.summary.state = RunState.LISTED


def _list(job: Invocation, lake: S3Lake) -> None:
    with workers() as pool:  # ids label and numbers order: the newest by id are read, and then sorted by number
        found = list(pool.map(lambda run_id: _readable(lake, run_id), lake.published_run_ids()[: -job.request.limit - 1 : -1]))
    job.telemetry.warn_if([one for one in found if isinstance(one, str)], "manifests that can't be read")
    manifests = [one for one in found if isinstance(one, Manifest)]
    listed = [_facts(one) for one in sorted(manifests, key=lambda one: (one.number, one.published_at), reverse=True)]
    job.result = listed
    if job.view:
        job.view.show_snapshots(listed)
    else:
        for one in listed:
            job.telemetry.event(f"snapshot {one['run_id']}", snapshot=one)


def _readable(lake: S3Lake, run_id: str) -> Manifest | str | None:
    try:
        return lake.manifest(run_id)
    except UnreadableObject as error:
        return str(error)


def _show(job: Invocation, lake: S3Lake) -> None:
    manifest = _named(job, lake)
    shown = {**_facts(manifest), "files": [file.model_dump() for file in manifest.files]}
    job.result = shown
    if job.view:
        job.view.show_snapshot(shown)
    else:
        job.telemetry.event(f"snapshot {manifest.run_id}", snapshot=shown)


def _show_urls(job: Invocation, lake: S3Lake) -> None:
    wanted = job.request.tables or tuple(TABLES)
    if unknown := set(wanted) - set(TABLES):
        raise SettingsError(f"there is no table {some(sorted(unknown))}", hint=f"the tables are {', '.join(TABLES)}")
    manifest = _named(job, lake)
    files = [file for file in manifest.files if file.table in wanted]
    with job.telemetry.stage("look") as counts, workers() as pool:
        gone = [error for error in pool.map(lambda file: _missing(lake, file), files) if error]
        counts["files"] = len(files)
    if gone:
        message = f"run {manifest.run_id} can't be read any more: the version of {gone[0]} that it published is gone"
        raise UnreadableObject(message, hint=f"{len(gone)} of {len(files)} files are; old versions are kept for a time")
    urls = [
        {"table": file.table, "year": file.year, "rows": file.rows, "url": lake.presigned(file, job.request.lifetime_s)}
        for file in files
    ]
    job.result = urls
    if job.view:
        job.view.show_urls(urls)
    else:
        for one in urls:
            job.telemetry.event(f"{one['table']} {one['year']}", **one)


def _missing(lake: S3Lake, file: WrittenFile) -> str | None:
    """Where a file is whose version is gone."""
    try:
        lake.check_version(file)
    except UnreadableObject:
        return f"{lake.place}{file.key}"
    return None


def _named(job: Invocation, lake: S3Lake) -> Manifest:
    """The manifest that is meant. Raises SettingsError where no such run has published."""
    run_id = str(job.request.run_id)
    if run_id != "latest":
        if manifest := lake.manifest(run_id):
            return manifest
        raise SettingsError(f"no run {run_id} has published in {lake.place}", hint="see: snapshot")
    pointer = lake.latest()
    if pointer.manifest is None:
        raise LakeError(pointer.fault or "nothing is published yet", hint="run the pipeline first")
    job.telemetry.warn_if([pointer.warning] if pointer.warning else [], "the newest manifest was read from an earlier version")
    return pointer.manifest


def _facts(manifest: Manifest) -> _Facts:
    facts = manifest.model_dump(include={"run_id", "number", "published_at", "source", "schema_version", "replayed_run_id"})
    return {**facts, "tables": {name: _size(file for file in manifest.files if file.table == name) for name in TABLES}}


def _size(files: Iterable[WrittenFile]) -> dict[str, int]:
    every = list(files)
    return {"files": len(every), "rows": sum(file.rows for file in every), "bytes": sum(file.size for file in every)}
