"""Commands of a page, typed as they stand: in a copy of the checkout, on a terminal, with what each of them printed."""

import contextlib
import fcntl
import itertools
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.program import QUICK
from tests.screen import shown

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = (".venv", "build/prefect", "build/airflow")
LEADING_NOWHERE = ("AWS_", "MYSQL_", "S3_", "SOURCE", "PREFECT_", "AIRFLOW_", "PIPELINE_", "ENGINE", "CI", "LAUNCHES", "LOG_")
SIZE = (80, 24)
TIMEOUT_S = 300
_DONE = b"\x1e"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.*(?:\n> .*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_ELLIPSIS = "…"
RUN_ID = re.compile(r"\b2\d{7}T\d{6}Z-[0-9a-f]{8}\b")
_VARYING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-11-25 10:12:10 UTC"),
    (r"(source \S+)  \d+\.\d s$", r"\1  0.7 s"),
    (r"^(2\S{24}  .{7}  .{9})  .{7}  (.{10})  .{6}$", r"\1      0.7  \2     5 s"),  # a line of runs
    (r"^(2\S{24}  )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(.*)  [\d,]+$", r"\g<1>2026-11-25 10:12:10\2  745,000"),  # a line of snapshots
    (r"^ +\d+  (?=\S+/run=)", "       890  "),  # the size of what is compressed
    (r"\d{4} days old", "3333 days old"),
)


def copied(folder: Path) -> Path:
    """A copy of what git knows, with the environments that are made already, so that nothing is fetched."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
        os.utime(folder / name, (0, 0))  # so that make takes the environments for up to date: they belong to the other checkout
    (folder / "build").mkdir()
    for name in ENVIRONMENTS:
        (folder / name).symlink_to(ROOT / name)
    return folder


def environment() -> dict[str, str]:
    """What a person's shell has: nothing that leads to stores, and nothing that makes our own tests quick."""
    left_out = (*LEADING_NOWHERE, *QUICK, "MAKE", "MFLAGS")  # the make that runs the tests hands its own arguments on
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def end(session: int, checkout: Path) -> None:
    """End what was started in the session, or knows the copy from its environment: servers make sessions of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                ours = str(checkout).encode() in (process / "environ").read_bytes()
                if (ours or os.getsid(int(process.name)) == session) and int(process.name) != os.getpid():
                    os.kill(int(process.name), number)
        subprocess.run(["sleep", "5"], check=True)


class Shell:
    """A shell on a terminal of 80 columns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        """Start it."""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *reversed(SIZE), 0, 0))
        script, self._script = os.pipe()
        self._shell = subprocess.Popen(
            ["bash", "--norc", f"/dev/fd/{script}"],
            cwd=self._folder,
            env={**environment(), "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            pass_fds=[script],
            start_new_session=True,
        )
        os.close(theirs)
        os.close(script)
        return self

    def enter(self, command: str) -> list[str]:
        """The lines that stand on the terminal once a command has ended, empty ones at both ends left out."""
        os.write(self._script, f"{command}\nprintf '\\036'\n".encode())
        raw = b""
        while not raw.endswith(_DONE):
            if not select.select([self._ours], [], [], TIMEOUT_S)[0]:
                raise TimeoutError(f"{command}: nothing more came for {TIMEOUT_S} s after {raw[-2000:]!r}")
            raw += os.read(self._ours, 1 << 16)
        lines = (line for line, _ in itertools.groupby(shown(raw.removesuffix(_DONE), SIZE, "utf-8").lines))
        return "\n".join(lines).strip("\n").splitlines()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it."""
        os.close(self._script)
        os.close(self._ours)
        try:
            self._shell.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()


class Page:
    """A page with commands in it, and what the shell says to them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._ids: dict[str, str] = {}  # by those that stand for them

    def typed(self, shell: Shell) -> str:
        """The page with what its commands print; what it leaves out by a line with an ellipsis alone stays left out."""

        def answered(command: re.Match[str]) -> str:
            lines = self._steady(shell.enter(self._with_ids(re.sub(r"\n> ", "\n", command[1]))))
            before = command[2].splitlines()
            return "\n".join([f"$ {command[1]}", *(before if _matches(before, lines) else lines), ""])

        return _BLOCK.sub(lambda block: f"```console\n{_COMMAND.sub(answered, block[1])}```", self.text)

    def commands(self) -> Iterator[str]:
        """The commands in their order."""
        for block in _BLOCK.findall(self.text):
            yield from (command for command, _ in _COMMAND.findall(block))

    def _with_ids(self, command: str) -> str:
        """The command with the ids of this time's runs."""
        return RUN_ID.sub(lambda found: self._ids[found[0]], command)

    def _steady(self, lines: list[str]) -> list[str]:
        for line in lines:
            for run_id in RUN_ID.findall(line):
                if run_id not in self._ids.values():
                    self._ids[steady_id(len(self._ids))] = run_id
        return steady("\n".join(lines), list(self._ids.values())).splitlines()


def steady_id(number: int) -> str:
    """What stands for a run's id, by its place among those that were seen."""
    return f"20261125T1012{number:02}Z-c7f52c{number:02x}"


def steady(text: str, ids: list[str]) -> str:
    """The text with what differs from run to run replaced by something of the same width."""
    for number, run_id in enumerate(ids):
        text = text.replace(run_id, steady_id(number))
    for pattern, instead in _VARYING:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text


def _matches(before: list[str], lines: list[str]) -> bool:
    """Whether lines are these, but for what an ellipsis leaves out."""
    pattern = "".join(r"(?:.*\n)*" if line == _ELLIPSIS else re.escape(f"{line}\n") for line in before)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None
