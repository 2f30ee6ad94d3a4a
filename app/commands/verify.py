"""`verify`: prove what is published by its values; with `--heal` repair what differs."""

import dataclasses
from pathlib import Path

from ..core.model import Manifest, RunState
from ..core.reconcile import CurrentState, is_mysql_ahead
from ..errors import SettingsError, StoresDisagree, some
from ..pipeline.adapters import Adapters
from ..pipeline.replay import ArchivedSource
from ..pipeline.verify import verify
from .invocation import Invocation
from .publish import publish

_NAMED = 10


def execute(job: Invocation, spool: Path) -> None:
    """Verify, and heal when asked to. Raises PipelineError; StoresDisagree when what is published is not what is stored."""
    with job.adapters() as adapters:
        found = verify(job.run, adapters, job.summary)
        state = RunState.VERIFIED
        if found and job.request.heal:
            job.telemetry.warn_if(found, "not as published")
            found = _heal(job, adapters, spool)
            state = RunState.HEALED
    if found:
        hint = "the next run repairs it, or verify --heal"
        raise StoresDisagree(f"not as published: {some(found, _NAMED)}", hint=hint)
    job.summary.state = state
    job.show_summary()


def _heal(job: Invocation, adapters: Adapters, spool: Path) -> list[str]:
    """Publish the archived answers again; what differs after that."""
    manifest = _to_heal(job, adapters)
    job.begin(manifest.run_id, manifest.as_of)
    archived = ArchivedSource(job.source, adapters.lake, manifest.endpoints, copied=False)
    publish(job, dataclasses.replace(adapters, source=archived), spool)
    healed = job.summary
    job.begin(manifest.run_id, manifest.as_of)
    found = verify(job.run, adapters, job.summary)
    # What was written, and the second verification's verdict on it.
    job.summary.merged, job.summary.files_written, job.summary.files_deleted = (
        healed.merged,
        healed.files_written,
        healed.files_deleted,
    )
    return found


def _to_heal(job: Invocation, adapters: Adapters) -> Manifest:
    manifest = adapters.lake.latest().manifest
    assert manifest  # it was just verified
    if manifest.source != job.source.name:
        raise SettingsError(f"what is published is of source {manifest.source}", hint="set SOURCE to it")
    last = adapters.warehouse.last_run()
    if is_mysql_ahead(CurrentState(manifest, {}, {}, last)):  # to go back would undo what that run found
        raise StoresDisagree(f"run {last.merged_id} committed and ended before it published", hint="a run completes it")
    return manifest
