"""What all services have in common: a directory, a loopback port, one process, a log, a way to ask if it is ready."""

import http.client
import json
import os
import random
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.services.process import Process

HOST = "127.0.0.1"


class ServerFailed(Exception):
    """A service did not start; the message ends with the last lines of its log."""


class Server(ABC):
    """One service; what it keeps is in its directory, so that a later process can find it, use it and stop it."""

    name: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "server.log"
        self._state_file = directory / "server.json"
        self._state: dict[str, Any] = json.loads(self._state_file.read_text()) if self._state_file.exists() else {}
        self.port: int = self._state.get("port") or free_port()

    @abstractmethod
    def command(self) -> list[str]:
        """The command that serves on `self.port`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the service can be used now; raises where waiting longer would not help."""

    def prepare(self) -> None:  # noqa: B027 - most services need nothing
        """Make what the command needs, where it is not there yet."""

    def environment(self) -> dict[str, str]:
        """The environment of the command."""
        return dict(os.environ)

    @property
    def process(self) -> Process | None:
        """The process that was started last, by us or by an earlier run, alive or not."""
        return Process(self._state["pid"], self._state["started"]) if self._state else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.running

    def start(self, timeout_s: float = 60) -> Self:
        """Start the service and wait until it can be used."""
        if self.running:
            return self
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not is_free(self.port):
            self.port = free_port()
        self.prepare()
        command = self.command()
        process = Process.start(command, log=self.log, environment=self.environment(), cwd=None)
        self._state = {"pid": process.pid, "started": process.started, "port": self.port, "command": command}
        self._state_file.write_text(json.dumps(self._state))  # before it is ready: an interrupted start can be stopped
        try:
            self._wait(process, timeout_s)
        except BaseException:
            process.kill()
            raise
        return self

    def ensure(self) -> bool:
        """Start the service unless it runs just as it would be started now; says whether it was started."""
        if self.running and self._state["command"] == self.command() and self.answers():
            return False
        self.stop()
        self.start()
        return True

    def stop(self) -> None:
        """Stop the service; its data stays."""
        if self.process:
            self.process.stop()

    def kill(self) -> None:
        """End the service as a crash would."""
        if self.process:
            self.process.kill()

    def __enter__(self) -> Self:
        """Started."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stopped."""
        self.stop()

    def _wait(self, process: Process, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        try:
            while process.running:
                if self.answers():
                    return
                if time.monotonic() > deadline:
                    raise ServerFailed(self.explain(f"does not answer after {timeout_s:.0f} s"))
                time.sleep(0.05)
        except OSError as error:
            raise ServerFailed(self.explain(str(error))) from error
        raise ServerFailed(self.explain("ended while starting"))

    def explain(self, what: str) -> str:
        """A message with the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n    ".join([f"{self.name} {what}; {self.log} ends:", *lines[-15:]])


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port below those that the system hands out to clients, so that none of them takes it before we listen."""
    while not is_free(port := random.randint(20_000, 32_000)):
        pass
    return port


def http_status(port: int, path: str) -> int | None:
    """The status of a GET, or None while nothing listens; goes past any proxy that the environment names."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
