"""Processes that we started, told apart from a stranger's that has got the same id since."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_children: dict[int, "subprocess.Popen[bytes]"] = {}  # this interpreter's own, which it must reap


@dataclass(frozen=True)
class Process:
    """A process known by its id and the time it started; every method leaves any other process alone."""

    pid: int
    started: str

    @classmethod
    def start(cls, command: Sequence[str], *, log: Path, environment: Mapping[str, str], cwd: Path | None) -> "Process":
        """Start a command whose output goes to the end of a log; a Ctrl-C in our terminal does not reach it."""
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
                cwd=cwd,
            )
        _children[child.pid] = child
        return cls(child.pid, start_time(child.pid) or "")

    @property
    def running(self) -> bool:
        """Whether this very process is alive."""
        if child := _children.get(self.pid):
            return child.poll() is None
        return self.started != "" and start_time(self.pid) == self.started

    def stop(self, timeout_s: float = 15) -> None:
        """Ask it to end, then make it; returns once it is gone."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        while self.running and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would; returns once it is gone."""
        self._signal(signal.SIGKILL)
        while self.running:
            time.sleep(0.01)

    def _signal(self, number: int) -> None:
        if self.running:
            os.killpg(self.pid, number)  # it leads its own group: a wrapper script's child is reached too


def start_time(pid: int) -> str | None:
    """When the process with this id was started, as the system tells it; None where there is none, or only a zombie."""
    if not Path("/proc/self/stat").exists():  # no Linux
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip() or None
    try:
        # After the name, which may hold blanks and brackets: the state first, the start time in clock ticks 20th.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()  # ticks count from the boot
    return None if fields[0] == "Z" else f"{boot} {fields[19]}"
