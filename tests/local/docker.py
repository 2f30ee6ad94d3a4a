"""The local environment in containers: the built image and the services of the compose file."""

import hashlib
import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.local.stack import Stack
from tests.local.terminal import run_in_front, runs, say
from tests.services import AwsEndpoint, Login, ServerFailed
from tests.services.server import HOST

COMPOSE_FILE = "docker-compose.test.yml"
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


def project_of(checkout: Path) -> str:
    """The name of a checkout's compose project: two checkouts on one machine never share containers or data."""
    return f"spacex-pipeline-{hashlib.sha256(bytes(checkout.resolve())).hexdigest()[:8]}"


class DockerStack(Stack):
    """The compose project of this checkout; it is asked for everything that can be known of it."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__(directory, environment)
        project = project_of(directory.parent)
        self.image = environment.get("APP_IMAGE") or project  # one name for all would run what another checkout built last
        self.outside = {**environment, "APP_IMAGE": self.image, "SOURCE": self.source, "PLACE": self.place}
        self.compose = ["docker", "compose", "--file", COMPOSE_FILE, "--project-name", project, "--progress", "quiet"]

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
        begun = time.monotonic()
        if failed := self._try(*self.compose, "build", "app"):
            return f"the image can't be built: {failed}"
        say(f"image: built ({time.monotonic() - begun:.0f} s)")
        return None

    def up(self) -> None:
        """Start what does not run yet; the bucket and the log group are made before the program starts."""
        services = [*STORES] if self.live else [*STORES, "sample"]
        if failed := self._try(*self.compose, "up", "--detach", "--wait", *services):
            raise ServerFailed(f"the containers did not start: {failed}")
        for name, port in STORES.items():
            say(f"{name}: on {HOST}:{self._port(name, port)}")
        self.write_environment()

    def start(self, arguments: list[str]) -> int:
        """Run the image in a container that is gone afterwards."""
        name = f"spacex-pipeline-{secrets.token_hex(4)}"
        command = [*self.compose, "run", "--rm", "--name", name, "live" if self.live else "app", "run", *arguments]
        # On a signal Compose leaves, and leaves the container running.
        return run_in_front(command, self.outside, stop=["docker", "stop", "--time=30", name])

    @property
    def running(self) -> bool:
        """Whether there are containers."""
        return bool(self._ask("ps", "--quiet"))

    @property
    def login(self) -> Login:
        """The program's user, in this source's database, as the compose file makes them."""
        given = self._file["services"]["mysql"]["environment"]
        port = self._port("mysql", STORES["mysql"])
        return Login(HOST, port, given["MYSQL_USER"], given["MYSQL_PASSWORD"], self.place)

    @property
    def endpoint(self) -> AwsEndpoint:
        """LocalStack."""
        return AwsEndpoint(f"http://{HOST}:{self._port('localstack', STORES['localstack'])}")

    def change_sample(self, launch: str, fields: list[str]) -> str:
        """The sample API listens inside its container only."""
        command = ["python", "-m", "tests.sample_api.change", f"http://{HOST}:8000", launch, *fields]
        try:
            return self._ask("exec", "-T", "sample", *command)
        except ServerFailed as error:
            raise SystemExit(str(error)) from None

    def ask(self, command: str) -> str:
        """These containers must be meant."""
        return f"ENGINE=docker {super().ask(command)}"

    def down(self) -> None:
        """Remove this checkout's containers, network, data and image; layers to build it from again stay."""
        if self._ask("ps", "--all", "--quiet"):
            self._ask("down", "--volumes", "--remove-orphans")
            say("containers: removed")
        if self.image == project_of(self.directory.parent) and runs("docker", "image", "inspect", self.image):
            self._try("docker", "image", "rm", self.image)

    @cached_property
    def _file(self) -> Any:
        """The compose file as Compose understands it, variables put in."""
        return json.loads(self._ask("config", "--format", "json"))

    def _port(self, service: str, port: int) -> int:
        return int(self._ask("port", service, str(port)).rpartition(":")[2])

    def _ask(self, *arguments: str) -> str:
        ended = subprocess.run([*self.compose, *arguments], env=self.outside, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise ServerFailed(f"docker compose {arguments[0]}: {ended.stderr.strip()}")
        return ended.stdout.strip()

    def _try(self, *command: str) -> str | None:
        """The last line that a command says when it fails, or None."""
        ended = subprocess.run(command, env=self.outside, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return None
        return (ended.stderr.strip() or ended.stdout.strip() or f"exit {ended.returncode}").splitlines()[-1]
