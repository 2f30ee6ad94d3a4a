"""The program and the sample API as containers of the built image."""

import contextlib
import copy
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from tests.program import Ended, Program
from tests.services import AwsEndpoint, Login

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("APP_IMAGE", "spacex-pipeline")


def docker(*arguments: str, code: int = 0) -> str:
    """What a docker command prints; it must exit with `code`."""
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == code, f"docker {arguments[0]}: exit {ended.returncode}, not {code}:\n{ended.stdout}{ended.stderr}"
    return ended.stdout


@contextlib.contextmanager
def sample_api(network: str, *arguments: str, port: int = 8000) -> Iterator[str]:
    """The sample API, with its own command line; gives the container's name. It answers on that container's loopback only."""
    name = f"e2e-sample-{secrets.token_hex(4)}"
    command = ["docker", "run", "--rm", "--init", "--name", name, "--network", network, "--user=0:0"]
    command += ["--volume", f"{ROOT}/tests:/srv/tests:ro", "--entrypoint=python", IMAGE]
    command += ["-m", "tests.sample_api", f"--port={port}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().startswith("sample API")
            yield name
        finally:
            docker("rm", "--force", "--volumes", name)  # the image declares one


class Started:
    """A run that goes on, in a container."""

    def __init__(self, command: list[str]) -> None:
        self.name = f"e2e-app-{secrets.token_hex(4)}"
        command = ["docker", "run", "--rm", "--name", self.name, *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._read: list[str] = []

    def wait_for(self, message: str) -> None:
        """Return as soon as the message was printed."""
        assert self.process.stdout
        for line in self.process.stdout:
            self._read.append(line)
            if message in line:
                return
        raise AssertionError(f"ended without {message!r}: {''.join(self._read)}")

    def end(self) -> Ended:
        """How it ends."""
        out, err = self.process.communicate(timeout=60)
        return Ended(self.process.returncode, "".join(self._read) + out, err)


class Image(Program):
    """The built image, as Fargate starts it: no right but its own, nothing to write to but the volume at /tmp."""

    may_fork = False

    def __init__(self, environment: Mapping[str, str], aws: AwsEndpoint, login: Login, sample: str) -> None:
        super().__init__(environment, aws, login)
        self._sample = sample
        self._inside = {  # the same stores, as containers see them
            **environment,
            "AWS_ENDPOINT_URL": "http://localstack:4566",
            "MYSQL_HOST": "mysql",
            "MYSQL_PORT": "3306",
            "SOURCE_URL": "http://127.0.0.1:8000",
        }

    def on(self, sample: str) -> Self:
        """The same with another sample API."""
        other = copy.copy(self)
        other._sample = sample
        return other

    def begin(self, *arguments: str, **settings: str) -> Started:
        """Start a command in a container that shares the sample API's network."""
        command = ["--network", f"container:{self._sample}", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
        for variable, value in {**self._inside, **settings}.items():
            command += ["--env", f"{variable}={value}"]
        return Started([*command, IMAGE, *arguments])

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        """As `begin`; what Program needs to run a command to its end."""
        return self.begin(*arguments, **settings).process

    def logged(self, run_id: str) -> list[str]:
        """The messages of a run's stream in CloudWatch, oldest first."""
        logs = self.aws.client("logs")
        group = self.environment["LOG_GROUP"]
        page = logs.get_log_events(logGroupName=group, logStreamName=run_id, startFromHead=True)
        return [event["message"] for event in page["events"]]

    def streams(self) -> list[str]:
        """The names of all streams."""
        found = self.aws.client("logs").describe_log_streams(logGroupName=self.environment["LOG_GROUP"])["logStreams"]
        return [stream["logStreamName"] for stream in found]
