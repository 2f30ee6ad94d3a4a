"""A second process for a second core: forked, so that nothing is imported or learned twice."""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import TypeVar

from app.errors import PipelineError

_Result = TypeVar("_Result")
_MOST_FILES = 4096


def is_worth_it() -> bool:
    """Whether there is a second core, on a system where a process may be forked at any time."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


@contextlib.contextmanager
def beside(work: Callable[[], _Result]) -> Iterator[Callable[[], _Result]]:
    """Do `work` in another process meanwhile; what is yielded waits for its result, or raises what `work` raised.

    The other process never outlives the block, or, when this one is killed, its own work.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, sender), daemon=True)
    process.start()
    sender.close()

    def result() -> _Result:
        try:
            found = receiver.recv()
        except EOFError:
            raise PipelineError("the second process ended without a word", hint="was there too little memory?") from None
        if isinstance(found, BaseException):
            raise found
        return found  # type: ignore[no-any-return]  # it is what `work` returned

    try:
        yield result
    finally:
        process.kill()
        process.join()
        receiver.close()


def _work(work: Callable[[], _Result], sender: "Connection[_Result | BaseException, object]") -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the first process hears them too, and ends this one
    # Connections are the first process's: were it killed, MySQL's would stay open here, and with it the run lock.
    os.closerange(3, sender.fileno())
    os.closerange(sender.fileno() + 1, _MOST_FILES)
    found: _Result | BaseException
    try:
        found = work()
    except Exception as error:  # noqa: BLE001  # raised in the first process
        found = error
    with contextlib.suppress(BrokenPipeError):  # there is nobody left to wait for it
        sender.send(found)
