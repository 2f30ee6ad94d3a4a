"""`plan`: what a run would change, and the DataFrames; nothing is written."""

from pathlib import Path

from ..core.runs import RunState
from ..errors import GateRefused
from ..pipeline.plan import preview
from . import verdict
from .invocation import Invocation
from .publish import show_frames


def execute(job: Invocation, spool: Path) -> None:
    """Show the plan. Raises PipelineError; GateRefused when a run would be refused, after the plan was shown."""
    with job.adapters() as adapters:
        try:
            candidate = preview(job.run, adapters, job.limits, spool, job.summary)
        except GateRefused:
            _show(job)
            raise
        job.summary.state = RunState.PLANNED
        show_frames(job, candidate.spill.head)
        _show(job)


def _show(job: Invocation) -> None:
    if job.view:
        job.view.show_last(verdict.of_plan(job.summary, job.view.cells))
    else:
        job.telemetry.event("plan", **job.summary.plan)
