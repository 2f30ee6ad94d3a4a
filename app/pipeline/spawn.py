"""The same work on many pieces, in processes that are started for it.

Each is a Python of its own: a fork would have this process's connections, and threads that hold locks for ever.
"""

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from ..errors import PipelineError

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")
_END: Any = object()
_AHEAD = 2  # results for each process that may wait for an earlier one


class _Worker:
    """One process, and the way to it."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        blocks_numpy = "numpy" in sys.modules and sys.modules["numpy"] is None
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs,), kwargs={"blocks_numpy": blocks_numpy})
        self.process.start()
        theirs.close()
        self.number: int | None = None  # of the piece that it works on
        with self._alive():
            self.connection.send(make)

    def give(self, number: int, piece: object) -> None:
        """Hand it a piece. Raises PipelineError when it has ended."""
        self.number = number
        with self._alive():
            self.connection.send(piece)

    def result(self) -> Any:
        """What it made of its piece, or what it raised. Raises PipelineError when it has ended."""
        with self._alive():
            found, error = self.connection.recv()
        self.number = None
        if error is not None:
            raise error
        return found

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            message = f"a process that read the archive {how}"
            raise PipelineError(message, hint="nothing was published; with too little memory, give fewer --processes") from None


def mapped(make: Callable[[], Callable[[_Piece], _Result]], pieces: Iterable[_Piece], processes: int) -> Iterator[_Result]:
    """What each piece becomes, in their order; `make` is called once in each process, and gives what is called with the pieces.

    Raises what the work raises, and PipelineError when a process ends without a result. No process outlives the iteration.
    """
    waiting = iter(pieces)
    workers: list[_Worker] = []
    results: dict[int, _Result] = {}
    given = taken = 0
    try:
        while True:
            idle = [worker for worker in workers if worker.number is None]
            while given < taken + _AHEAD * processes and (idle or len(workers) < processes):
                if (piece := next(waiting, _END)) is _END:
                    break
                if not idle:
                    idle.append(_Worker(make))
                    workers += idle
                idle.pop().give(given, piece)
                given += 1
            if taken in results:
                yield results.pop(taken)
                taken += 1
                continue
            busy: dict[object, _Worker] = {worker.connection: worker for worker in workers if worker.number is not None}
            if not busy:
                return
            for worker in map(busy.__getitem__, wait([worker.connection for worker in busy.values()])):
                number = worker.number
                assert number is not None
                results[number] = worker.result()
    finally:
        for worker in workers:
            worker.end()


def _serve(connection: Connection, *, blocks_numpy: bool) -> None:
    """What a process does, until nobody asks it any more."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the first process hears them too, and ends this one
        signal.signal(number, signal.SIG_IGN)
    if blocks_numpy:  # before Arrow is loaded, which would import it
        sys.modules["numpy"] = None  # type: ignore[assignment]
    with contextlib.suppress(EOFError, BrokenPipeError):
        make = connection.recv()
        work = None
        while True:
            piece = connection.recv()
            answer: tuple[Any, Exception | None]
            try:
                work = work or make()
                answer = (work(piece), None)
            except PipelineError as error:
                answer = (None, error)
            except Exception as error:  # noqa: BLE001  # raised in the first process; not every kind can be sent
                answer = (None, RuntimeError(f"{type(error).__name__}: {error}"))
            connection.send(answer)
