"""What ends a run from outside: SIGTERM (sent by ECS to stop a task), Ctrl-C, and the run's own time limit."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from ..errors import Interrupted, PipelineError, Stopped, deadline_exceeded


class Interrupts:
    """Signals as exceptions in the main thread, at once or, inside `held`, when it is left."""

    def __init__(self, timeout_s: int) -> None:
        self._timeout_s = timeout_s
        self._late = f"the run took over RUN_TIMEOUT_S, {timeout_s} s"
        self._held = False
        self._pending: PipelineError | None = None

    def install(self) -> None:
        """Listen to the signals and start the clock."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, self._receive)
        signal.setitimer(signal.ITIMER_REAL, self._timeout_s, 1)

    def ignore(self) -> None:
        """The run is over: nothing interrupts the report of how it ended."""
        self._pending = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    @contextlib.contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Limit the time of something done after `ignore`. Raises DeadlineExceeded."""
        self._late = f"it took over {seconds:g} s"
        signal.setitimer(signal.ITIMER_REAL, seconds, 1)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._pending = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold signals back while something is done that must not be cut in two, such as the commit; they are raised after it."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def check(self) -> None:
        """Raise what arrived before and was held back, or swallowed by a library."""
        if self._pending and not self._held:
            raise self._pending

    def _receive(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGALRM:
            error: PipelineError = deadline_exceeded(self._late)
        else:
            kind = Interrupted if number == signal.SIGINT else Stopped
            error = kind(f"stopped by {signal.Signals(number).name}", hint="the next run goes on where this one stopped")
        self._pending = self._pending or error
        # Raised again every second: a library may catch the exception as an error of its own and go on.
        signal.setitimer(signal.ITIMER_REAL, 1, 1)
        self.check()
