"""From a request to its exit code: settings, telemetry, the command, and how it ends."""

import contextlib
import dataclasses
import gc
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ..cli import Request
from ..errors import PipelineError, SettingsError
from ..settings import load_settings
from ..telemetry.logs import cloudwatch, redacted
from ..telemetry.metrics import print_metrics
from . import doctor, init_db, plan, replay, report, run, runs, verify
from .invocation import Invocation

_COMMANDS: dict[str, Callable[[Invocation, Path], None]] = {
    "run": run.execute,
    "plan": plan.execute,
    "verify": verify.execute,
    "replay": replay.execute,
    "runs": runs.execute,
    "report": report.execute,
    "doctor": doctor.execute,
    "init-db": init_db.execute,
}
_MEASURED = ("run", "verify", "replay")
_READ_ONLY = ("doctor", "runs", "report")  # these change no data, and leave no log stream
_GC_THRESHOLD = 50_000  # batches are many objects and no cycles: searched at the default, reading takes almost twice the time


def execute(request: Request) -> int:
    """Do what was asked; the exit code."""
    gc.set_threshold(_GC_THRESHOLD)
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)  # noqa: T201  # there is no logger yet
        return error.exit_code
    job = Invocation(request, settings)
    group = "" if request.command in _READ_ONLY else settings.log_group
    with cloudwatch(job.logger, group, job.run.id, settings.aws_region, settings.secrets, job.telemetry.warn):
        code = _guarded(job)
    with contextlib.suppress(BrokenPipeError):  # whoever read the output has left; the work is done all the same
        _print_result(job, code)
    return code


def _guarded(job: Invocation) -> int:
    """Run the command, and report every way it may end in one last line; the exit code."""
    secrets = job.settings.secrets
    try:
        job.interrupts.install()
        with tempfile.TemporaryDirectory(prefix="spacex-pipeline-", ignore_cleanup_errors=True) as spool:
            _COMMANDS[job.request.command](job, Path(spool))
    except PipelineError as error:
        job.interrupts.ignore()
        job.name_target(error)
        return job.failed(error.stage, redacted(str(error), secrets), error.exit_code)
    except BrokenPipeError:
        job.interrupts.ignore()
        return job.failed("", "whoever read the output has left", 1)
    except OSError as error:
        job.interrupts.ignore()
        return job.failed("", f"temporary files in {tempfile.gettempdir()}: {error}", 1)
    except Exception as error:  # unexpected: report it as a fault of the program
        job.interrupts.ignore()
        job.logger.debug("where it happened", exc_info=True)
        return job.failed("", redacted(f"a fault of the program: {type(error).__name__}: {error}", secrets), 1)
    job.interrupts.ignore()
    job.telemetry.event(f"{job.request.command} {job.summary.state}", **job.summary.log_fields())
    return 0


def _print_result(job: Invocation, code: int) -> None:
    request, settings = job.request, job.settings
    if not job.view and not request.as_json and request.command in _MEASURED:
        print_metrics(job.summary, settings.environment, datetime.now(UTC), of_run=request.command == "run")
    if request.as_json:
        result = {**dataclasses.asdict(job.summary), "exit_code": code} if job.result is None else job.result
        print(redacted(json.dumps(result, default=str, indent=1), settings.secrets))  # noqa: T201
