"""`verify`: prove what is published by its values; with `--heal` repair what differs."""

import dataclasses
import logging
from pathlib import Path

from ..core.model import Manifest
from ..core.runs import RunState
from ..errors import SettingsError, StoresDisagree, UnreadableObject, some
from ..pipeline.adapters import Adapters
from ..pipeline.replay import ArchivedSource
from ..pipeline.restore import restore
from ..pipeline.verify import Verification, verify
from . import verdict
from .invocation import Invocation
from .publish import publish, recorded

_NAMED = 10


def execute(job: Invocation, spool: Path) -> None:
    """Verify, and heal when asked to. Raises PipelineError; StoresDisagree when what is published is not what is stored."""
    state = RunState.VERIFIED
    with job.adapters() as adapters:
        with recorded(job, adapters):
            verified = verify(job.run, adapters, job.summary)
        _show_differences(job)
        if verified.found and job.request.heal:
            job.telemetry.warn_if(verified.found, "not as published")
            verified = _heal(job, adapters, verified, spool)
            state = RunState.HEALED
    if verified.found:
        hint = "the next run repairs it, or verify --heal"
        raise StoresDisagree(f"not as published: {some(verified.found, _NAMED)}", hint=hint)
    job.summary.state = state
    job.show_summary()


def _show_differences(job: Invocation) -> None:
    """The first of them, each as a line; `--json` has all."""
    found = job.summary.differences
    if job.view:
        job.view.show(verdict.of_differences(found, job.view.cells))
        return
    for one in found[: verdict.SHOWN_DIFFERENCES]:
        job.telemetry.event("not as published", logging.WARNING, **one)
    if len(found) > verdict.SHOWN_DIFFERENCES:
        job.telemetry.event(f"{len(found) - verdict.SHOWN_DIFFERENCES} more differences: verify --json", logging.WARNING)


def _heal(job: Invocation, adapters: Adapters, verified: Verification, spool: Path) -> Verification:
    """Repair from the raw archive or, where it can't be read, from the other store; then verify again."""
    manifest = _to_heal(job, verified)
    differences = job.summary.differences
    job.begin(manifest.run_id, manifest.as_of)
    try:
        archived = ArchivedSource(job.source, adapters.lake, manifest.endpoints, copied=False)
        publish(job, dataclasses.replace(adapters, source=archived), spool)
    except UnreadableObject as error:
        job.telemetry.warn(f"the raw archive can't be used, so each partition is taken from the store that still has it: {error}")
        job.begin(manifest.run_id, manifest.as_of)
        folder = spool / job.run.id
        folder.mkdir()
        with recorded(job, adapters):
            restore(job.run, adapters, folder, job.summary)
    healed = job.summary
    job.begin(manifest.run_id, manifest.as_of)
    with recorded(job, adapters):
        again = verify(job.run, adapters, job.summary)
    # What was written, beside the verdict of the second verification.
    written = {name: getattr(healed, name) for name in ("merged", "files_written", "files_deleted", "repaired")}
    vars(job.summary).update(written, differences=job.summary.differences or differences)
    return again


def _to_heal(job: Invocation, verified: Verification) -> Manifest:
    manifest = verified.manifest
    if manifest is None:
        raise StoresDisagree(f"nothing names what was published: {some(verified.found)}", hint="run the pipeline")
    if manifest.source != job.source.name:
        raise SettingsError(f"what is published is of source {manifest.source}", hint="set SOURCE to it")
    if run_id := verified.unpublished_run_id:  # to go back would undo what that run found, and the next would find it again
        raise StoresDisagree(f"run {run_id} committed and ended before it published", hint="a run completes it")
    return manifest
