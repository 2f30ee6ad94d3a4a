"""The second process: its result, its errors, and that it is never left behind."""

import gc
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from app.errors import PipelineError, SourceError
from app.pipeline.second_process import in_parallel

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only there is there a second process"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # pytest has threads
]


def test_its_result_comes_when_it_is_asked_for() -> None:
    with in_parallel(os.getpid) as result:
        assert result() not in (0, os.getpid())


def test_its_error_is_raised_as_it_was() -> None:
    def work() -> None:
        raise SourceError("launches: page 7 can't be read", hint="look")

    with in_parallel(work) as result, pytest.raises(SourceError, match=r"page 7 can't be read \(look\)") as raised:
        result()
    assert raised.value.exit_code == 3


def test_it_exited_without_a_result(tmp_path: Path) -> None:
    with (
        in_parallel(lambda: os.kill(os.getpid(), signal.SIGKILL)) as result,
        pytest.raises(PipelineError, match="exited without a result"),
    ):
        result()


def test_what_cannot_be_sent_is_an_error_that_says_so() -> None:
    with in_parallel(lambda: lambda: None) as result, pytest.raises(Exception, match="pickle"):
        result()


def test_where_no_process_can_be_made_the_work_is_done_all_the_same() -> None:
    """In a process of its own, which then may make no other."""

    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        os.setuid(65_534) if os.getuid() == 0 else None  # root may make any number
        with in_parallel(os.getpid) as result:
            return result() == os.getpid()

    with in_parallel(work) as result:
        assert result()


def test_what_the_first_process_forgets_closes_nothing_in_the_second(tmp_path: Path) -> None:
    class Kept:
        def __init__(self) -> None:
            self.itself, self.file = self, socket.socket()

    garbage: list[Kept] = [Kept() for _ in range(20)]

    def work() -> list[str]:
        files = [(tmp_path / str(number)).open("w") for number in range(40)]
        garbage.clear()
        gc.collect()
        for number, file in enumerate(files):
            file.write(str(number))
            file.close()
        return [(tmp_path / str(number)).read_text() for number in range(40)]

    with in_parallel(work) as result:
        assert result() == [str(number) for number in range(40)]
    for kept in garbage:
        kept.file.close()


def test_it_is_ended_when_nobody_waits_for_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def work() -> None:
        note.write_text(str(os.getpid()))
        time.sleep(60)

    with in_parallel(work):
        while not note.exists() or not note.read_text():
            time.sleep(0.01)
    assert not Path(f"/proc/{note.read_text()}").exists()


def test_it_holds_no_connection_open(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    ready = tmp_path / "ready"

    def work() -> None:
        ready.touch()
        time.sleep(60)

    with in_parallel(work):
        while not ready.exists():
            time.sleep(0.01)
        ours.close()
        assert theirs.recv(1) == b""  # the end of the connection: nobody else has it
    theirs.close()
