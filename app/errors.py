"""Every way a run can end badly, each with the exit code that the runbook explains.

A base error carries the stage it ended and a hint for the person who repairs it. What is below it groups errors by what
the operator does, not by which library raised them.
"""

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

_NAMED = 5


def some(names: Iterable[str], most: int = _NAMED) -> str:
    """The first of many names, for a message, and how many more there are."""
    every = list(names)
    return "; ".join(every[:most]) + (f"; and {len(every) - most} more" if len(every) > most else "")


class PipelineError(Exception):
    """A run ended for a known reason; `str()` says what happened, where, and what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.stage = ""  # set by the telemetry of the stage that it left

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class SettingsError(PipelineError):
    """The environment or the command line is not usable."""

    exit_code = 2


class SourceError(PipelineError):
    """The source can't be reached, or what it answers is not what it should be."""

    exit_code = 3


class GateRefused(PipelineError):
    """The data was received but must not be published."""

    exit_code = 4


class LakeError(PipelineError):
    """S3 refused, failed, or holds what it should not."""

    exit_code = 5


class UnreadableObject(LakeError):
    """An object in S3 is gone, can't be read, or isn't what it was: S3 itself answered well."""


class WarehouseError(PipelineError):
    """MySQL refused, failed, or holds what it should not."""

    exit_code = 6


class LockHeld(PipelineError):
    """Another run is at work."""

    exit_code = 7


class StoresDisagree(PipelineError):
    """What S3 or MySQL holds is not what was sent there."""

    exit_code = 8


class Stopped(PipelineError):
    """SIGTERM ended the run cleanly."""

    exit_code = 143


class Interrupted(Stopped):
    """Ctrl-C ended the run cleanly."""

    exit_code = 130


class Unhealthy(PipelineError):
    """The doctor found something; its exit code is that of the first system concerned."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message, hint="each check says what to do")
        self.exit_code = exit_code


class DeadlineExceeded(PipelineError):
    """The run used up RUN_TIMEOUT_S; its exit code is that of the system it was waiting for."""


_system: ContextVar[type[PipelineError] | None] = ContextVar("_system", default=None)


@contextlib.contextmanager
def waiting_for(system: type[PipelineError]) -> Iterator[None]:
    """Name, by its error, the system that is waited for inside: a deadline that ends the wait is that system's failure."""
    before = _system.set(system)
    try:
        yield
    finally:
        _system.reset(before)


def deadline_exceeded(message: str) -> DeadlineExceeded:
    """The error of a deadline that passes now, with the exit code of the system that is waited for; 1 where there is none."""
    error = DeadlineExceeded(message)
    system = _system.get()
    error.exit_code = system.exit_code if system else PipelineError.exit_code
    return error
