"""Other programs, and the person in front."""

import signal
import subprocess
import sys
from collections.abc import Mapping


def run_in_front(command: list[str], environment: Mapping[str, str], stop: list[str] | None = None) -> int:
    """Run a command on our terminal, which ends as it sees fit on Ctrl-C and SIGTERM; `stop` ends one that heeds no signals.

    Gives its exit code; death by a signal is told as a shell does, by 128 and the signal's number.
    """
    with subprocess.Popen(command, env=environment) as child:

        def end(number: int, _frame: object) -> None:
            if stop:
                subprocess.run(stop, env=environment, capture_output=True, check=False)
            elif number == signal.SIGTERM:  # SIGINT the terminal sends to the child as well
                child.terminate()

        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
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
