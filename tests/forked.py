"""Functions in processes forked from one that has imported the program, and in which nothing has happened yet.

Most of what a command takes are its imports, and a fork does without. It is a process of its own all the same, with its own
environment, output and signals, and it ends as the program ends. What Python itself or a library takes from the environment as
it starts is not seen by a fork: a test of that starts the program.
"""

import atexit
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn

ICEBERG = (
    "app.lake.iceberg.tables",
    "pyiceberg.catalog.glue",
    "pyiceberg.catalog.sql",
)  # which the program imports where it is on
LATER = (
    *("app.cli", "app.sources.launch_library", "app.sources.spacex", "boto3.s3.inject", "requests", "ctypes"),
    *("_strptime", "encodings.idna", "encodings.unicode_escape", "encodings.utf_16_be"),
    *ICEBERG,
)
FRAMES = ("pandas", "app.report.page")


def call(function: Callable[..., object], *arguments: Any, frames: bool = False, timeout_s: float = 120) -> int:
    """Call a function in a fork; the exit code, negative for a signal. What has a name in a module can be called and sent.

    With `frames` pandas and NumPy are there, which a command that needs none must do without.
    """
    ours, theirs = Pipe()
    with ours:
        with theirs:
            socket.send_fds(_server(frames), [b"."], [theirs.fileno()])
        ours.send((function, arguments))
        pid = ours.recv()
        if not ours.poll(timeout_s):
            os.kill(pid, signal.SIGKILL)
            raise TimeoutError(f"{function.__name__} takes over {timeout_s} s")
        return int(ours.recv())


def main(environment: dict[str, str], arguments: list[str], out: str, err: str) -> None:
    """The program with this environment and these arguments, its output in files."""
    import app.__main__

    for number, name in ((1, out), (2, err)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = ["app", *arguments]
    app.__main__.main()


@cache
def _server(frames: bool) -> socket.socket:
    """A process that forks; it ends when we do."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-c", f"from {__name__} import serve; serve(frames={frames})"]
        process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True)

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours


def serve(*, frames: bool) -> None:
    """Fork as standard input asks for it, and tell of each fork how it ended."""
    _import_program(frames=frames)
    wake, woken = os.pipe2(os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    running: dict[int, Connection] = {}
    with socket.socket(fileno=0) as requests:
        while True:
            ready, _, _ = select.select([requests.fileno(), wake], [], [])
            if wake in ready:
                os.read(wake, 4096)
                _tell_of_ends(running)
            if requests.fileno() in ready:
                _, received, _, _ = socket.recv_fds(requests, 1, 1)
                if not received:
                    break
                _fork(Connection(received[0]), running)
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _import_program(*, frames: bool) -> None:
    """As the program does it where a command needs frames or not, and what it imports later on."""
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    if not frames:
        sys.modules["numpy"] = None  # type: ignore[assignment]
    for name in ("app.__main__", "app.commands.wiring", *LATER, *(FRAMES if frames else ())):
        import_module(name)
    _load_models()
    _make_readers()
    gc.freeze()  # what a fork does not look at it need not copy


def _load_models() -> None:
    """What boto3 makes of its own package for each client; sessions, with all that comes from outside, are each fork's own."""
    import boto3
    import botocore.hooks
    import botocore.parsers
    import botocore.session

    loader = botocore.session.create_loader()
    botocore.session.create_loader = lambda *_: loader
    hooks: Any = botocore.hooks
    aliased = hooks.EventAliaser(None)._alias_event_name
    hooks.EventAliaser._alias_event_name = lambda _, name: aliased(name)
    hooks.accepts_kwargs = cache(hooks.accepts_kwargs)
    parsers: Any = botocore.parsers
    parsers.DEFAULT_TIMESTAMP_PARSER = cache(parsers.DEFAULT_TIMESTAMP_PARSER)
    for service in ("s3", "logs"):
        boto3.session.Session("-", "-", region_name="us-east-1").client(service)


def _make_readers() -> None:
    """The structs of the sources' records, which depend on nothing."""
    from app.sources.launch_library import models as library
    from app.sources.spacex import models as spacex
    from app.sources.structs import struct_of

    for model in (library.Launch, spacex.Launch):
        struct_of(model)


def _fork(asked_by: Connection, running: dict[int, Connection]) -> None:
    function, arguments = asked_by.recv()
    pid = os.fork()
    if pid == 0:
        _become(function, arguments)
    running[pid] = asked_by
    asked_by.send(pid)


def _become(function: Callable[..., object], arguments: tuple[Any, ...]) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.closerange(3, 1024)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.close(nothing)
        function(*arguments)
        os._exit(0)
    except BaseException:  # noqa: BLE001  # what went on from here would serve, as the process does that it was forked from
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _tell_of_ends(running: dict[int, Connection]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as asked_by:
            try:
                asked_by.send(os.waitstatus_to_exitcode(status))
            except BrokenPipeError:  # nobody waits any longer
                continue
