"""`maintain`: take away what Iceberg no longer needs."""

from datetime import timedelta
from pathlib import Path

from ..core.runs import RunState
from ..errors import LakeError
from ..pipeline.verify import LOCK_WAIT_S
from .invocation import Invocation

_KEPT = timedelta(days=90)  # as long as the bucket keeps old versions, and so as far as time travel reaches


def execute(job: Invocation, spool: Path) -> None:  # noqa: ARG001  # every command is given one
    """Expire old snapshots and delete what no snapshot names; nothing to do without Iceberg. Raises PipelineError."""
    removed: dict[str, dict[str, int]] = {}
    with job.adapters() as adapters:
        with job.telemetry.stage("lock"):
            adapters.warehouse.lock(wait_s=LOCK_WAIT_S)  # a run's own files are no orphans before its snapshot names them
        with job.telemetry.stage("maintain") as counts:
            if tables := adapters.lake.iceberg:
                pointer = adapters.lake.latest()
                if pointer.manifest is None:
                    raise LakeError(pointer.fault or "nothing is published yet", hint="run the pipeline first")
                removed = tables.maintain(pointer.manifest, job.run.started_at - _KEPT)
            counts.update(removed)
    job.summary.state = RunState.MAINTAINED
    job.result = {"iceberg": removed}
    if job.view:
        for name, counted in removed.items():
            job.view.done(name, f"{counted['snapshots']:,} snapshots and {counted['files']:,} files taken away")
        if not removed:
            job.view.done("maintained", "ICEBERG_CATALOG is not set: nothing to do")
