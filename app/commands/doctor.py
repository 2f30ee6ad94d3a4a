"""`doctor`: look whether a run has all that it needs."""

import dataclasses
import logging
from pathlib import Path

from ..core.runs import RunState
from ..errors import Unhealthy, some
from .checks import examine
from .invocation import Invocation

_NAMED = 10
_LEVELS = {"pass": logging.INFO, "warn": logging.WARNING, "FAIL": logging.ERROR}


def execute(job: Invocation, spool: Path) -> None:  # noqa: ARG001  # every command is given one
    """Show every check. Raises Unhealthy with the exit code of the first system that failed."""
    checks = examine(job.settings, job.source)
    job.summary.state = RunState.HEALTHY
    job.result = [dataclasses.asdict(check) for check in checks]
    if job.view:
        job.view.show_checks(checks)
    else:
        for check in checks:
            level = _LEVELS[check.verdict]
            job.telemetry.event(f"{check.verdict} {check.name}: {check.found}", level, **dataclasses.asdict(check))
    if failed := [check for check in checks if not check.passed]:
        raise Unhealthy(some([check.name for check in failed], _NAMED), failed[0].exit_code)
