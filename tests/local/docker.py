"""The local environment in containers: the built image and the services of the compose file."""

import json
import secrets
import shutil
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.local.stack import Stack
from tests.local.terminal import run_in_front, runs, say
from tests.services import AwsEndpoint, Login, ServerFailed
from tests.services.server import HOST

COMPOSE_FILE = "docker-compose.test.yml"
COMPOSE = ["docker", "compose", "--file", COMPOSE_FILE, "--progress", "quiet"]
STORES = {"mysql": 3306, "localstack": 4566}


def problem(root: Path) -> str | None:
    """Why containers can't be used here, or None."""
    if not (root / COMPOSE_FILE).exists():
        return f"this checkout has no {COMPOSE_FILE}"
    if not shutil.which("docker"):
        return "there is no docker command"
    if not runs("docker", "info"):
        return "no Docker Engine answers"
    if not runs("docker", "compose", "version"):
        return "Docker has no Compose"
    return None


class DockerStack(Stack):
    """The one compose project of this machine; it is asked for everything that can be known of it."""

    def obtain(self) -> str | None:
        """Pull and build the images; why that can't be done, or None."""
        services = self._file["services"]
        base = services["app"]["build"]["args"]["PYTHON_IMAGE"]
        for image in (base, *(services[name]["image"] for name in STORES)):
            if runs("docker", "image", "inspect", image):
                continue
            say(f"{image}: pulling")
            if failed := self._try("docker", "pull", "--quiet", image):
                return f"{image} can't be pulled: {failed}"
        say("image: building from this checkout (takes a minute or two the first time)")
        if failed := self._try(*COMPOSE, "build", "app"):
            return f"the image can't be built: {failed}"
        return None

    def up(self) -> None:
        """Start what does not run yet; the bucket and the log group are made before the program starts."""
        services = [*STORES] if self.live else [*STORES, "sample"]
        if failed := self._try(*COMPOSE, "up", "--detach", "--wait", *services):
            raise ServerFailed(f"the containers did not start: {failed}")
        for name, port in STORES.items():
            say(f"{name}: on {HOST}:{self._port(name, port)}")
        self.write_environment()

    def start(self, arguments: list[str]) -> int:
        """Run the image in a container that is gone afterwards."""
        name = f"spacex-pipeline-{secrets.token_hex(4)}"
        command = [*COMPOSE, "run", "--rm", "--name", name, "live" if self.live else "app", "run", *arguments]
        # On a signal Compose leaves, and leaves the container running.
        return run_in_front(command, self.outside, stop=["docker", "stop", "--time=30", name])

    @property
    def running(self) -> bool:
        """Whether there are containers."""
        return bool(self._ask("ps", "--quiet"))

    @property
    def login(self) -> Login:
        """The program's user, as the compose file makes it."""
        given = self._file["services"]["mysql"]["environment"]
        port = self._port("mysql", STORES["mysql"])
        return Login(HOST, port, given["MYSQL_USER"], given["MYSQL_PASSWORD"], given["MYSQL_DATABASE"])

    @property
    def endpoint(self) -> AwsEndpoint:
        """LocalStack."""
        return AwsEndpoint(f"http://{HOST}:{self._port('localstack', STORES['localstack'])}")

    def ask(self, command: str) -> str:
        """These containers must be meant."""
        return f"ENGINE=docker {super().ask(command)}"

    def down(self) -> None:
        """Remove containers, network and data; the images stay."""
        if self._ask("ps", "--all", "--quiet"):
            self._ask("down", "--volumes", "--remove-orphans")
            say("containers: removed")

    @cached_property
    def _file(self) -> Any:
        """The compose file as Compose understands it, variables put in."""
        return json.loads(self._ask("config", "--format", "json"))

    def _port(self, service: str, port: int) -> int:
        return int(self._ask("port", service, str(port)).rpartition(":")[2])

    def _ask(self, *arguments: str) -> str:
        ended = subprocess.run([*COMPOSE, *arguments], env=self.outside, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise ServerFailed(f"docker compose {arguments[0]}: {ended.stderr.strip()}")
        return ended.stdout.strip()

    def _try(self, *command: str) -> str | None:
        """The last line that a command says when it fails, or None."""
        ended = subprocess.run(command, env=self.outside, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return None
        return (ended.stderr.strip() or ended.stdout.strip() or f"exit {ended.returncode}").splitlines()[-1]
