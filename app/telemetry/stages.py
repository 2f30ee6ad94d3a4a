"""The events of a run, as JSON log lines on the console and in CloudWatch, and the stages that they belong to.

Logging never changes the outcome: an unavailable log service costs a line on the console and a few seconds.
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..errors import PipelineError
from .interrupts import Interrupts


class View(Protocol):
    """A terminal that shows the progress of a run."""

    def stage(self, name: str, detail: str, done: int = 0, total: int | None = None) -> None: ...
    def warning(self, message: str) -> None: ...


class Telemetry:
    """Events of one run."""

    def __init__(
        self,
        run_id: str,
        logger: logging.Logger,
        interrupts: Interrupts,
        view: View | None = None,
    ) -> None:
        self.run_id = run_id
        self._logger = logger
        self._interrupts = interrupts
        self._view = view
        self._stages: list[str] = []
        self.warnings: list[str] = []
        self.stage_seconds: dict[str, float] = {}

    def begin(self, run_id: str) -> None:
        """Log the following events under another run id."""
        self.run_id = run_id
        self.warnings, self.stage_seconds = [], {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """A stage of the run: timed, logged at its end with the counts in the dictionary, named in the errors it raises."""
        counts: dict[str, Any] = {}
        self._stages.append(name)
        if self._view:
            self._view.stage(name, "")
        started = time.monotonic()
        try:
            try:
                yield counts
            finally:
                self._interrupts.check()
        except PipelineError as error:
            error.stage = error.stage or name
            raise
        finally:
            self._stages.pop()
            self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + time.monotonic() - started
        self.event(f"{name} done", stage=name, seconds=round(self.stage_seconds[name], 3), **counts)

    def progress(self, detail: str, done: int = 0, total: int | None = None) -> None:
        """Progress inside the stage, with its total where that is known; shown on a terminal only."""
        if self._view and self._stages:
            self._view.stage(self._stages[-1], detail, done, total)

    def event(self, message: str, level: int = logging.INFO, /, **fields: Any) -> None:
        """Log one line."""
        self._logger.log(level, message, extra={"fields": {"run_id": self.run_id, **fields}})

    def warn(self, message: str) -> None:
        """Warn of something that does not end the run."""
        self.warnings.append(message)
        stage = self._stages[-1:]  # in one step: other threads warn too
        self.event(message, logging.WARNING, **({"stage": stage[0]} if stage else {}))
        if self._view:
            self._view.warning(message)

    def warn_once(self, message: str) -> None:
        """Warn unless the run has done so: of what is met again when a step is done again."""
        if message not in self.warnings:
            self.warn(message)

    def warn_if(self, names: list[str], message: str) -> None:
        """One warning that lists all names, if there are any."""
        if names:
            self.warn(f"{message}: {', '.join(names)}")

    def uninterrupted(self) -> AbstractContextManager[None]:
        """Hold signals back until the block ends."""
        return self._interrupts.held()
