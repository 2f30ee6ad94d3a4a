"""The whole of docker-compose.test.yml, as run-local uses it: the app waits for its stores, its API and what makes the bucket."""

import json
import os
import subprocess
from typing import Any

from tests.e2e.container import ROOT


def run(network: str, code: int = 0, **settings: str) -> dict[str, Any]:
    """The result of one run of the compose file's own app."""
    project = network.removesuffix("_default")
    command = ["docker", "compose", "--file", "docker-compose.test.yml", "--project-name", project, "--progress", "quiet"]
    command += ["run", "--rm", "app", "run", "--json"]
    environment = {**os.environ, **settings}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(json.loads(done.stdout))


def test_the_app_of_the_compose_file_runs_on_what_it_brings(network: str) -> None:
    first = run(network)
    assert (first["source"], first["state"], first["rows"]["launches"]) == ("spacex", "published", 205)
    assert run(network)["state"] == "unchanged"
    other = run(network, SOURCE="launch_library")  # with a prefix and a database of its own
    assert (other["source"].split("-")[0], other["state"]) == ("launch_library", "published")
    assert run(network)["state"] == "unchanged"
