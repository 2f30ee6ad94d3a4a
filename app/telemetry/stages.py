"""What a run says of itself: a JSON line an event, the same lines in CloudWatch, and one line of metrics at the end.

Logging never changes the outcome: a log service that is away or refuses costs a line on the console and some seconds.
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
    """A terminal that shows how a run goes on."""

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
        """A stage of the run: timed, told at its end with the counts put into the dictionary, named in the errors it raises."""
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
        """Something moved inside the stage, so far of so much where that is known; shown on a terminal only."""
        if self._view and self._stages:
            self._view.stage(self._stages[-1], detail, done, total)

    def event(self, message: str, level: int = logging.INFO, /, **fields: Any) -> None:
        """One line."""
        self._logger.log(level, message, extra={"fields": {"run_id": self.run_id, **fields}})

    def warn(self, message: str) -> None:
        """Something that a person should see though the run goes on."""
        self.warnings.append(message)
        self.event(message, logging.WARNING, **({"stage": self._stages[-1]} if self._stages else {}))
        if self._view:
            self._view.warning(message)

    def warn_if(self, names: list[str], message: str) -> None:
        """Warn once of all the names there are, if any."""
        if names:
            self.warn(f"{message}: {', '.join(names)}")

    def uninterrupted(self) -> AbstractContextManager[None]:
        """A stretch that no signal cuts in two."""
        return self._interrupts.held()
