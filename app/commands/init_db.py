"""`init-db`: make the database and the program's user."""

from pathlib import Path

from ..core.runs import RunState
from ..mysql.init_db import init_db
from .invocation import Invocation


def execute(job: Invocation, spool: Path) -> None:  # noqa: ARG001  # every command is given one
    """Make database and user, and log in as that user. Raises PipelineError."""
    settings = job.settings
    if job.request.to_database:
        settings = settings.model_copy(update={"mysql_database": job.request.to_database})
    with job.telemetry.stage("init-db"):
        init_db(settings)
    job.summary.state = RunState.READY
    if job.view:
        job.view.done("ready", f"user {settings.mysql_user} in {settings.mysql_database}")
