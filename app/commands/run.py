"""`run`: extract, validate, publish to both stores, prove them equal."""

from pathlib import Path

from .invocation import Invocation
from .publish import publish, show_published


def execute(job: Invocation, spool: Path) -> None:
    """Run the pipeline. Raises PipelineError."""
    with job.adapters() as adapters:
        show_published(job, publish(job, adapters, spool))
