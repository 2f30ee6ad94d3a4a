"""Other programs, and the person in front."""

import signal
import subprocess
import sys
from collections.abc import Mapping


def run_in_front(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a command on our terminal, which ends as it sees fit on Ctrl-C and SIGTERM.

    Gives its exit code; death by a signal is told as a shell does, by 128 and the signal's number.
    """
    with subprocess.Popen(command, env=environment) as child:
        signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends it to the child as well
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        code = child.wait()
    return code if code >= 0 else 128 - code


def runs(*command: str) -> bool:
    """Whether a command is there and works."""
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def say(*lines: str) -> None:
    """Tell a person; standard output belongs to the program."""
    print(*lines, sep="\n", file=sys.stderr, flush=True)
