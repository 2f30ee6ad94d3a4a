"""Prefect's server and a process that serves the flow, both on loopback, and what the server tells of runs."""

import json
import os
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.integrations.environments import ROOT, with_environment
from tests.services import Server
from tests.services.server import HOST, http_status

BUSY_S = 30
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class PrefectServer(Server):
    """A server with a home of its own."""

    name = "Prefect server"

    @property
    def url(self) -> str:
        """Its API."""
        return f"http://{HOST}:{self.port}/api"

    def environment(self) -> dict[str, str]:
        """The page's environment, but for home and port."""
        return {**os.environ, "PREFECT_HOME": str(self.directory / "home"), "PREFECT_API_URL": self.url}

    def command(self) -> list[str]:
        """The server without its user interface, which would only be more to start."""
        return with_environment("prefect", f"exec prefect server start --host {HOST} --port {self.port} --no-ui")

    def answers(self) -> bool:
        """Whether it is healthy."""
        return http_status(self.port, "/api/health") == 200

    def ask(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """The answer to one request, past any proxy; asked again, as Prefect's own client does, while its database is locked."""
        request = urllib.request.Request(  # noqa: S310  # our own server's address
            f"{self.url}{path}",
            data=None if method == "GET" else json.dumps(body or {}).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        opener, ends = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic() + BUSY_S
        while True:
            try:
                with opener.open(request, timeout=30) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > ends:
                    raise
                error.close()
            time.sleep(0.5)

    def deployment(self, name: str = "hourly") -> dict[str, Any]:
        """A deployment of the flow."""
        return dict(self.ask(f"/deployments/name/spacex-pipeline/{name}", method="GET"))


class Served(Server):
    """The flow as a deployment, served by one process that runs it with these settings."""

    name = "served flow"

    def __init__(self, directory: Path, prefect: PrefectServer, settings: Mapping[str, str]) -> None:
        super().__init__(directory)
        self._prefect = prefect
        self._settings = settings

    def environment(self) -> dict[str, str]:
        """The program's settings among it; it looks for runs every second, not every ten."""
        return {**self._prefect.environment(), **self._settings, "PREFECT_RUNNER_POLL_FREQUENCY": "1"}

    def command(self) -> list[str]:
        """As a person would type it."""
        serve = 'prefect flow serve integrations/prefect/flow.py:pipeline --name hourly --cron "7 * * * *" --timezone UTC'
        return with_environment("prefect", f"cd {shlex.quote(str(ROOT))}; exec {serve} --global-limit 1")

    def answers(self) -> bool:
        """Whether the server knows of the deployment, and this process waits for its runs."""
        try:
            return bool(self._prefect.deployment()["status"] == "READY")
        except OSError:
            return False


class FlowRun:
    """One run of the deployment."""

    def __init__(self, prefect: PrefectServer, **parameters: Any) -> None:
        """Start it."""
        self._prefect = prefect
        deployment = prefect.deployment()["id"]
        self.id = prefect.ask(f"/deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"]

    @property
    def state(self) -> dict[str, Any]:
        """Its state now."""
        return dict(self._prefect.ask(f"/flow_runs/{self.id}", method="GET")["state"])

    def end(self) -> dict[str, Any]:
        """Its last state."""
        wait_until(lambda: self.state["type"] in FINAL, self.told)
        return self.state

    def cancel(self) -> None:
        """Ask for what the button in the user interface asks for."""
        state = {"type": "CANCELLING", "name": "Cancelling"}
        self._prefect.ask(f"/flow_runs/{self.id}/set_state", {"state": state})

    def tasks(self) -> list[dict[str, Any]]:
        """Its task runs in the order in which they began; the server hears of them some moments later."""
        body = {"flow_runs": {"id": {"any_": [self.id]}}, "sort": "EXPECTED_START_TIME_ASC"}
        return sorted(self._prefect.ask("/task_runs/filter", body), key=lambda task: str(task["start_time"]))

    def stages(self) -> list[str]:
        """The names of its stages, in order."""
        return [task["name"].partition(":")[0] for task in self.tasks() if ":" in task["name"]]

    def attempts(self) -> list[int]:
        """How often each attempt task ran."""
        return [task["run_count"] for task in self.tasks() if task["name"] == "run"]

    def artifact(self, key: str) -> dict[str, Any] | None:
        """The last artifact of that key."""
        body = {"flow_runs": {"id": {"any_": [self.id]}}, "artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC"}
        found = self._prefect.ask("/artifacts/filter", body)
        return dict(found[0]) if found else None

    def log(self) -> list[str]:
        """What it logged; it comes in some moments later."""
        body = {"logs": {"flow_run_id": {"any_": [self.id]}}, "sort": "TIMESTAMP_ASC"}
        return [line["message"] for line in self._prefect.ask("/logs/filter", body)]

    def told(self) -> str:
        """Everything that helps to find out why it is not as it should be."""
        return "\n".join([str(self.state), *self.log(), *(f"{task['name']} ran {task['run_count']}" for task in self.tasks())])


def wait_until(reached: Callable[[], object], told: Callable[[], str] = str, timeout_s: float = 120) -> None:
    """Return once it is so; else fail with what is told."""
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, told()
        time.sleep(0.2)
