"""One command, measured from outside as a whole: wall time, processor time and peak memory, its children included.

Run as a program it is the small launcher that starts the command: a process begins with its parent's memory until it has
loaded its own program, and the system would count that in.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_MS = 50


@dataclass(frozen=True)
class Measured:
    """What one command took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def cpu_seconds(pid: int) -> float:
    """Processor time that a server and its children have used so far."""
    ticks = 0
    for process in _tree(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # After the name, which may hold blanks and brackets; its own time, and that of children that have ended.
            ticks += sum(map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path | None = None) -> Measured:
    """Run a command, its standard output and errors into files beside each other. Raises RuntimeError when it fails."""
    result, errors = log.with_suffix(".measured"), log.with_suffix(".err")
    launcher = [sys.executable, "-I", "-S", __file__, str(result), *command]
    with log.open("wb") as out, errors.open("wb") as err:
        subprocess.run(launcher, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=True)
    measured = json.loads(result.read_text())
    if code := measured.pop("code"):
        said = [line[:1000] for file in (log, errors) for line in file.read_text(errors="replace").splitlines()[-5:]]
        raise RuntimeError("\n".join([f"exit {code}: {' '.join(command)}", *said]))
    return Measured(**measured)


def _launch(result: str, command: list[str]) -> None:
    """Run the command, and write what it took."""
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    ended = select.poll()
    ended.register(os.pidfd_open(pid), select.POLLIN)
    at_once_kb = 0
    while not ended.poll(_SAMPLE_MS):
        tree = _tree(pid)
        if len(tree) > 1:  # of a single process the system itself knows the peak
            at_once_kb = max(at_once_kb, sum(map(_resident_kb, tree)))
    _, status, usage = os.wait4(pid, 0)
    measured = {
        "wall_s": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": max(usage.ru_maxrss, at_once_kb) * 1024 / 1e6,
        "code": os.waitstatus_to_exitcode(status),
    }
    Path(result).write_text(json.dumps(measured))


def _tree(pid: int) -> list[int]:
    """A process and all below it, as far as they still live."""
    below: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            below += map(int, (thread / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return [pid, *(found for child in below for found in _tree(child))]


def _resident_kb(pid: int) -> int:
    """The memory of a process, what it shares with others counted in parts: the sum over a tree counts nothing twice."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


if __name__ == "__main__":
    _launch(sys.argv[1], sys.argv[2:])
