"""From a request to its exit code: settings, telemetry, the command, and the report of how it ended."""

import dataclasses
import errno
import gc
import logging
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import LockHeld, PipelineError, SettingsError, Stopped
from ..request import Request
from ..settings import load_settings
from ..telemetry.logs import cloudwatch
from ..telemetry.metrics import print_metrics
from ..telemetry.output import conclude
from ..telemetry.redaction import redacted, redacted_value
from ..telemetry.text import json_text, printable
from . import doctor, init_db, maintain, plan, replay, report, run, runs, snapshot, verify
from .invocation import Invocation
from .temporary import temporary_folder


@dataclass(frozen=True)
class _Command:
    execute: Callable[[Invocation, Path], None]
    is_measured: bool = False  # leaves a line of metrics
    changes_data: bool = True  # leaves a log stream


_COMMANDS = {
    "run": _Command(run.execute, is_measured=True),
    "plan": _Command(plan.execute),
    "verify": _Command(verify.execute, is_measured=True),
    "replay": _Command(replay.execute, is_measured=True),
    "runs": _Command(runs.execute, changes_data=False),
    "snapshot": _Command(snapshot.execute, changes_data=False),
    "report": _Command(report.execute, changes_data=False),
    "doctor": _Command(doctor.execute, changes_data=False),
    "maintain": _Command(maintain.execute),
    "init-db": _Command(init_db.execute),
}
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_GC_THRESHOLD = 50_000  # batches are many objects without cycles: at the default, reading takes almost twice the time


def execute(request: Request, instead: Callable[[Invocation, Path], None] | None = None) -> int:
    """Execute the command, or what a caller does `instead` of it; its exit code."""
    gc.set_threshold(_GC_THRESHOLD)
    try:
        settings = load_settings(request.env_files, for_init_db=request.command == "init-db")
    except SettingsError as error:
        message = f"settings: {printable(str(error))}"
        print(message, file=sys.stderr)  # noqa: T201  # there is no logger yet
        conclude(message, sys.stderr)
        return error.exit_code
    command = _COMMANDS[request.command]
    if instead:
        command = dataclasses.replace(command, execute=instead)
    job = Invocation(request, settings)
    _log_failures_elsewhere(job.logger)
    group = settings.log_group if command.changes_data else ""
    with cloudwatch(job.logger, group, job.run.id, settings.aws_region, settings.secrets, job.telemetry.warn):
        code = _to_its_end(job, command)
    _print_result(job, command, code)
    conclude(printable(f"{redacted(job.outcome, settings.secrets)} (exit {code})"), sys.stdout)
    return code


def _to_its_end(job: Invocation, command: _Command) -> int:
    try:
        return _guarded(job, command)
    except Stopped as error:  # between the end of the work and the line that ignores signals from then on
        job.interrupts.ignore()
        return job.failed(error.stage, str(error), error.exit_code)


def _guarded(job: Invocation, command: _Command) -> int:
    """Execute the command, and report every way that it may end in one last line; the exit code."""
    try:
        job.interrupts.install()
        with temporary_folder() as folder:
            command.execute(job, folder)
    except PipelineError as error:
        job.interrupts.ignore()
        job.name_target(error)
        return job.failed(error.stage, str(error), error.exit_code)
    except Exception as error:  # unexpected: report it as a fault of the program
        job.interrupts.ignore()
        job.logger.debug("where it happened", exc_info=True)
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            return job.failed("", f"temporary files in {tempfile.gettempdir()}: {error}", 1)
        return job.failed("", f"a fault of the program: {type(error).__name__}: {error}", 1)
    job.interrupts.ignore()
    return job.succeeded()


def _log_failures_elsewhere(logger: logging.Logger) -> None:
    """Log what ends a thread or a finalizer: Python, and logging itself, would print a traceback with whatever it holds."""
    logging.raiseExceptions = False
    threading.excepthook = lambda failure: logger.debug("a thread failed", exc_info=failure.exc_value)
    sys.unraisablehook = lambda failure: logger.debug("a finalizer failed", exc_info=failure.exc_value)


def _print_result(job: Invocation, command: _Command, code: int) -> None:
    request, settings = job.request, job.settings
    if not job.view and not request.as_json and command.is_measured:
        stack = redacted(settings.stack, settings.secrets)
        print_metrics(job.summary, stack, datetime.now(UTC), None if code == LockHeld.exit_code else request.command)
    if request.as_json:
        result = {**dataclasses.asdict(job.summary), "exit_code": code} if job.result is None else job.result
        print(json_text(redacted_value(result, settings.secrets), indent=1))  # noqa: T201
