"""The flow through a served deployment on a real server: what Prefect shows of runs that end in every way."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integrations.conftest import World
from tests.integrations.environments import with_environment
from tests.integrations.prefect_server import FlowRun, PrefectServer, Served, wait_until
from tests.sample_api import Fault

pytestmark = pytest.mark.xdist_group("prefect")
FIRST_START_S = 240  # it makes its database


@pytest.fixture(scope="module")
def prefect(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """The server, and a process that serves the flow."""
    server = PrefectServer(tmp_path_factory.mktemp("prefect"))
    served = Served(tmp_path_factory.mktemp("served"), server, world.settings)
    try:
        server.start(FIRST_START_S)
        served.start(FIRST_START_S)
        yield server
    finally:
        served.stop()
        server.stop()


def test_a_run_that_publishes_is_shown_stage_by_stage(prefect: PrefectServer, world: World) -> None:
    world.has_news()
    run = FlowRun(prefect)
    state = run.end()
    assert (state["type"], state["name"]) == ("COMPLETED", "Published"), run.told()
    manifest = json.loads(world.object("manifests/latest.json"))
    run_id = Path(manifest["manifest"]).stem.removeprefix("run=")

    stages = json.loads(world.login.query("SELECT stage_seconds FROM pipeline_runs WHERE run_id = %s", run_id)[0][0])
    wait_until(lambda: {*stages} == {*run.stages()}, lambda: f"{stages} {run.told()}", 20)
    assert run.stages()[:5] == ["connect", "lock", "prepare", "look", "extract"]
    names = [task["name"] for task in run.tasks()]
    assert [name for name in names if ":" in name and not re.fullmatch(r"\w+: \d+(\.\d+)? s", name)] == []
    wait_until(lambda: any(re.search(r"^validate done in .*'accepted': 205", line) for line in run.log()), run.told)

    verdict, report = run.artifact("verdict"), run.artifact("report")
    assert verdict
    assert run_id in verdict["data"]
    assert report
    assert f"s3/object/{world.bucket}?prefix=report/report.html" in report["data"]
    assert world.object("report/report.html").startswith(b"<!DOCTYPE html>")


def test_a_run_that_finds_nothing_new_is_named_unchanged(prefect: PrefectServer, world: World) -> None:
    world.has_no_news()
    run = FlowRun(prefect)
    state = run.end()
    assert (state["type"], state["name"]) == ("COMPLETED", "Unchanged"), run.told()
    assert run.artifact("report") is None


def test_a_source_that_comes_back_is_asked_again(prefect: PrefectServer, world: World) -> None:
    world.has_no_source(times=1)
    run = FlowRun(prefect, retry_delay_s=1)
    state = run.end()
    assert (state["type"], state["name"]) == ("COMPLETED", "Published"), run.told()
    wait_until(lambda: run.attempts() == [2], run.told)


def test_a_refusal_by_the_gate_is_not_repeated(prefect: PrefectServer, world: World) -> None:
    world.has_nothing_credible()
    run = FlowRun(prefect, retry_delay_s=1)
    state = run.end()
    assert state["type"] == "FAILED"
    assert "exit 4: " in state["message"], run.told()
    wait_until(lambda: run.attempts() == [1], run.told)
    verdict = run.artifact("verdict")
    assert verdict
    assert "| exit_code | 4 |" in verdict["data"]


def test_a_run_beside_another_is_skipped(prefect: PrefectServer, world: World) -> None:
    with world.is_busy():
        run = FlowRun(prefect)
        state = run.end()
    assert (state["type"], state["name"]) == ("COMPLETED", "Skipped"), run.told()


def test_a_cancelled_run_rolls_back_and_frees_the_lock(prefect: PrefectServer, world: World) -> None:
    world.has_no_news()
    world.has_news()
    world.api.fault("v5/launches", Fault(hang_s=100, first=1))
    run = FlowRun(prefect)
    wait_until(lambda: "look" in run.stages(), run.told)
    run.cancel()
    assert run.end()["type"] == "CANCELLED", run.told()
    wait_until(lambda: "the program was stopped: exit 143" in run.log(), run.told)
    assert "stopped by SIGTERM" in world.last_run()["error"]
    assert world.run()["state"] == "published"  # it would leave with 7 if the lock were still held


def test_telemetry_is_off() -> None:
    """As the program that would send it understands the settings; in CI it never would, so that is taken away."""
    code = "from prefect.analytics import is_telemetry_enabled as a; from prefect.settings import get_current_settings as s; "
    line = f"unset CI GITHUB_ACTIONS; python -c '{code}print(a(), s().server.analytics_enabled)'"
    done = subprocess.run(with_environment("prefect", line), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
