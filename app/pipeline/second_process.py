"""A second process for a second core: forked, so that nothing is imported or learned twice."""

import contextlib
import gc
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ..errors import PipelineError

_Result = TypeVar("_Result")
_HELD = {signal.SIGTERM, signal.SIGINT, signal.SIGALRM}
_STANDARD = {0, 1, 2}


def is_worth_it() -> bool:
    """Whether there is a second core, on a system where a process may be forked at any time."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


@contextlib.contextmanager
def in_parallel(work: Callable[[], _Result]) -> Iterator[Callable[[], _Result]]:
    """Do `work` in another process meanwhile; what is yielded waits for its result, or raises what `work` raised.

    The other process never outlives the block, or, when this one is killed, its own work. Where no process can be made, the work
    is done when its result is asked for.
    """
    reading, writing = os.pipe()
    pid = 0
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)  # blocked in the second for good: the first hears them too
    try:
        with contextlib.suppress(OSError):  # no memory, or too many processes
            pid = os.fork() or _second(work, writing)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(writing)
        yield (lambda: _result(reading)) if pid else work
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(reading)


def _result(reading: int) -> Any:
    with open(reading, "rb", closefd=False) as pipe:
        answer = pipe.read()
    try:
        found = pickle.loads(answer)  # noqa: S301  # our own process wrote it
    except (EOFError, pickle.UnpicklingError):
        raise PipelineError("the second process exited without a result", hint="was there too little memory?") from None
    if isinstance(found, BaseException):
        raise found
    return found


def _second(work: Callable[[], Any], writing: int) -> NoReturn:
    try:
        gc.freeze()  # nothing of the first process's is collected here, and closed with it
        _let_go_of_files(writing)
        try:
            answer = pickle.dumps(work())
        except Exception as error:  # noqa: BLE001  # raised in the first process
            error.add_note(traceback.format_exc())
            answer = pickle.dumps(error)
        with contextlib.suppress(BrokenPipeError), open(writing, "wb") as pipe:  # there may be nobody left to wait for it
            pipe.write(answer)
    finally:
        os._exit(0)


def _let_go_of_files(kept: int) -> None:
    """Connections are the first process's: were it killed, MySQL's would stay open here, and with it the run lock."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in [int(file.name) for file in Path("/proc/self/fd").iterdir()]:
        if number not in {*_STANDARD, kept, nothing}:
            os.dup2(nothing, number)  # not closed: objects that hold the number would close what comes to have it
