"""What infra/task and infra/spark share: answers of the AWS command line, and the lines of what they started."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NOT_STARTED = 125  # as docker says it; the program's own codes are smaller, or 143
POLL_S = 3


def say(what: str) -> None:
    """Tell a person what this script does."""
    print(f"infra/{Path(sys.argv[0]).name}: {what}", file=sys.stderr, flush=True)


def end(function: Callable[[list[str]], int]) -> None:
    """End the script with what its function says of the arguments, or with 125 where a program that it calls fails."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
    try:
        sys.exit(function(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        say(f"{error.cmd[0]} said: {(error.stderr or '').strip() or f'exit {error.returncode}'}")
    except FileNotFoundError as error:
        say(f"{error.filename} is not on PATH")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(NOT_STARTED)


@contextlib.contextmanager
def left_alone(how_to_end_it: str) -> Iterator[None]:
    """Whatever ends this script first, what it has started goes on: say so, and how to end that."""
    try:
        yield
    except (KeyboardInterrupt, subprocess.CalledProcessError):
        say(f"it goes on; to end it: {how_to_end_it}")
        raise


def aws(region: str, *words: str) -> dict[str, Any]:
    """One answer of the AWS command line; CalledProcessError where there is none."""
    command = ["aws", *words, "--region", region, "--output", "json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"AWS_PAGER": ""})
    return dict(json.loads(done.stdout or "{}"))


def output_of(environment: str, name: str) -> dict[str, Any]:
    """An output of the environment; CalledProcessError where there is none."""
    read = [str(Path(__file__).with_name("tf")), environment, "output", "-json", name]
    return dict(json.loads(subprocess.run(read, check=True, capture_output=True, text=True).stdout))


class Log:
    """A stream of CloudWatch Logs, line by line."""

    def __init__(self, region: str, group: str, stream: str) -> None:
        self.region, self.group, self.stream = region, group, stream
        self.token = ""
        self.lines: list[str] = []

    def show(self) -> None:
        """Print what is new."""
        while new := self._new():
            print(*new, sep="\n", flush=True)
            self.lines += new

    def show_last(self, within_s: float) -> None:
        """Print the end, which may reach CloudWatch after what wrote it has ended; if nothing is there yet, so long after."""
        last = time.monotonic() + within_s
        while not self.lines and time.monotonic() < last:
            time.sleep(POLL_S)
            self.show()
        time.sleep(POLL_S)
        self.show()

    def _new(self) -> list[str]:
        words = ["logs", "get-log-events", "--log-group-name", self.group, "--log-stream-name", self.stream]
        try:
            answer = aws(self.region, *words, "--start-from-head", *(["--next-token", self.token] if self.token else []))
        except subprocess.CalledProcessError as error:
            if "ResourceNotFoundException" in error.stderr:  # nothing printed yet
                return []
            raise
        self.token = answer["nextForwardToken"]
        return [event["message"] for event in answer["events"]]
