"""The program and the sample API as containers of the built image."""

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.program import Program
from tests.services import AwsEndpoint, Login

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("APP_IMAGE", "spacex-pipeline")
SOURCE_URL = "http://127.0.0.1:8000"


def docker(*arguments: str, code: int = 0) -> str:
    """What a docker command prints; it must exit with `code`."""
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
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
            docker("rm", "--force", name)


@dataclass
class Started:
    """A run that goes on."""

    name: str
    process: "subprocess.Popen[str]"

    def read_until(self, message: str) -> list[str]:
        """The lines up to the first that holds the message."""
        assert self.process.stdout
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if message in line:
                return lines
        raise AssertionError(f"ended without {message!r}: {''.join(lines)}")


class Image(Program):
    """The built image, as Fargate starts it: no right but its own, nothing to write to but the volume at /tmp."""

    def __init__(self, environment: Mapping[str, str], aws: AwsEndpoint, login: Login, sample: str) -> None:
        super().__init__(environment, aws, login)
        self.sample = sample
        self.inside = {  # the same stores, as containers see them
            **aws.environment(),
            **login.environment(),
            "AWS_ENDPOINT_URL": "http://localstack:4566",
            "MYSQL_HOST": "mysql",
            "MYSQL_PORT": "3306",
            "S3_BUCKET": self.bucket,
            "SOURCE_URL": SOURCE_URL,
            "LOG_GROUP": environment["LOG_GROUP"],
        }

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        """Start a command in a container that shares the sample API's network."""
        return self.begin(*arguments, **settings).process

    def begin(self, *arguments: str, sample: str = "", **settings: str) -> Started:
        """As `start`, with the container's name."""
        name = f"e2e-app-{secrets.token_hex(4)}"
        command = ["docker", "run", "--rm", "--name", name, "--network", f"container:{sample or self.sample}"]
        command += ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
        for variable, value in {**self.inside, **settings}.items():
            command += ["--env", f"{variable}={value}"]
        process = subprocess.Popen([*command, IMAGE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return Started(name, process)

    def logged(self, run_id: str) -> list[str]:
        """The messages of a run's stream in CloudWatch, oldest first."""
        logs = self.aws.client("logs")
        group = self.inside["LOG_GROUP"]
        messages: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = logs.get_log_events(logGroupName=group, logStreamName=run_id, startFromHead=True, **token)
            if not page["events"]:
                return messages
            messages += [event["message"] for event in page["events"]]
            token = {"nextToken": page["nextForwardToken"]}

    def streams(self) -> list[str]:
        """The names of all streams."""
        found = self.aws.client("logs").describe_log_streams(logGroupName=self.inside["LOG_GROUP"])["logStreams"]
        return sorted(stream["logStreamName"] for stream in found)
