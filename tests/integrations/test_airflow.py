"""The DAGs by `airflow dags test`, in both variants: what Airflow makes of each exit code, and what ECS was asked for."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.airflow_home import Airflow
from tests.integrations.conftest import World
from tests.integrations.environments import ROOT

NAME = "spacex-pipeline-dev"
LOG_GROUP = "/spacex-pipeline/dev/console"
DEFERRABLE = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"}
WITH_WORKER = pytest.mark.xdist_group("airflow-worker")  # tests of a group share a process, and its services
VARIANTS = [
    pytest.param("worker", {}, id="worker", marks=WITH_WORKER),
    pytest.param("ecs", {}, id="ecs", marks=pytest.mark.xdist_group("airflow-ecs")),
    pytest.param("ecs", DEFERRABLE, id="ecs-deferrable", marks=pytest.mark.xdist_group("airflow-deferrable")),
]
TABLES = ["launch_changes", "launch_cores", "launch_crew", "launch_failures", "launch_payloads", "launches"]


@pytest.fixture(scope="module")
def task(world: World) -> dict[str, str]:
    """What Terraform makes, in moto; where it is, as the DAG's settings."""
    ecs, ec2, logs = (world.aws.client(name) for name in ("ecs", "ec2", "logs"))
    ecs.create_cluster(clusterName=NAME)
    logs.create_log_group(logGroupName=LOG_GROUP)
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
    group = ec2.create_security_group(GroupName="task", Description="task")["GroupId"]
    container = {
        "name": "pipeline",
        "image": "image",
        "memory": 2048,
        "command": ["run"],
        "environment": [{"name": name, "value": value} for name, value in world.settings.items()],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": LOG_GROUP, "awslogs-stream-prefix": "task"}},
    }
    ecs.register_task_definition(
        family=NAME,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="512",
        memory="2048",
        containerDefinitions=[container],
    )
    return {"PIPELINE_SUBNETS": ",".join(subnets), "PIPELINE_SECURITY_GROUP": group}


@pytest.fixture(scope="module")
def airflow(world: World, task: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """Airflow with an empty database."""
    airflow = Airflow(tmp_path_factory.mktemp("airflow"), world.settings | task)
    assert airflow("airflow db migrate").returncode == 0
    return airflow


@pytest.mark.parametrize(("variant", "settings"), VARIANTS)
def test_a_run_that_publishes_is_an_event_of_every_table(
    airflow: Airflow, world: World, task: dict[str, str], variant: str, settings: dict[str, str]
) -> None:
    world.has_news()
    manifests, tasks = set(world.keys("manifests/run=")), tasks_of(world)
    events = len(asset_events(airflow))
    ended = airflow.test(f"spacex_pipeline_{variant}", **settings)
    assert (ended.exit_code, ended.states) == (0, {"run": ("success", 1)}), ended.output
    (manifest,) = set(world.keys("manifests/run=")) - manifests
    run_id = manifest.removeprefix("manifests/run=").removesuffix(".json")
    assert run_id in airflow.last_xcom()  # the program's last line, by way of the log group or of its stdout
    world.assert_equal(205)
    named = asset_events(airflow)[events:]
    assert sorted(name for name, _ in named) == [f"spacex_pipeline.{table}" for table in TABLES]
    if variant == "worker":
        assert {extra for _, extra in named} == {json.dumps({"run_id": run_id, "state": "published"})}
    else:
        (new,) = (asked for arn, asked in tasks_of(world).items() if arn not in tasks)
        assert_asked(new, world, task)


def asset_events(airflow: Airflow) -> list[Any]:
    """Asset and facts of each event, in order."""
    return airflow.query("SELECT name, e.extra FROM asset_event e JOIN asset ON asset.id = asset_id ORDER BY e.id")


def tasks_of(world: World) -> dict[str, Any]:
    """The tasks that ECS was asked to run and that have ended."""
    ecs = world.aws.client("ecs")
    arns = ecs.list_tasks(cluster=NAME, desiredStatus="STOPPED")["taskArns"]
    tasks = ecs.describe_tasks(cluster=NAME, tasks=arns)["tasks"] if arns else []
    return {task["taskArn"]: task for task in tasks}


def assert_asked(asked: dict[str, Any], world: World, task: dict[str, str]) -> None:
    """ECS was asked for what Terraform made, where Terraform's schedule would start it."""
    assert asked["clusterArn"].endswith(f":cluster/{NAME}")
    assert f":task-definition/{NAME}:" in asked["taskDefinitionArn"]
    assert asked["overrides"] == {"containerOverrides": [{"name": "pipeline", "command": ["run"]}]}
    assert asked["capacityProviderName"] == "FARGATE_SPOT"
    (interface,) = asked["attachments"]
    details = {pair["name"]: pair["value"] for pair in interface["details"]}
    assert details["subnetId"] == task["PIPELINE_SUBNETS"].split(",")[0]
    found = world.aws.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
    assert [group["GroupId"] for group in found["NetworkInterfaces"][0]["Groups"]] == [task["PIPELINE_SECURITY_GROUP"]]


@pytest.mark.parametrize(("variant", "settings"), VARIANTS)
def test_a_source_that_is_away_is_asked_again(airflow: Airflow, world: World, variant: str, settings: dict[str, str]) -> None:
    world.has_no_source()
    ended = airflow.test(f"spacex_pipeline_{variant}", **settings)
    assert (ended.exit_code, ended.states) == (1, {"run": ("failed", 3)}), ended.output
    assert "exit 3: " in ended.output


@pytest.mark.parametrize(("variant", "settings"), VARIANTS)
def test_a_refusal_by_the_gate_is_not_repeated(airflow: Airflow, world: World, variant: str, settings: dict[str, str]) -> None:
    world.has_nothing_credible()
    ended = airflow.test(f"spacex_pipeline_{variant}", **settings)
    assert (ended.exit_code, ended.states) == (1, {"run": ("failed", 1)}), ended.output
    assert "exit 4: " in ended.output


@pytest.mark.parametrize(("variant", "settings"), VARIANTS)
def test_a_run_beside_another_is_skipped(airflow: Airflow, world: World, variant: str, settings: dict[str, str]) -> None:
    with world.is_busy():
        ended = airflow.test(f"spacex_pipeline_{variant}", **settings)
    assert (ended.exit_code, ended.states) == (0, {"run": ("skipped", 1)}), ended.output


@pytest.mark.xdist_group("airflow-ecs")
def test_verify_is_the_same_task_with_another_command(airflow: Airflow, world: World) -> None:
    world.has_no_news()
    ended = airflow.test("spacex_pipeline_ecs_verify")
    assert (ended.exit_code, ended.states) == (0, {"verify": ("success", 1)}), ended.output
    assert "verify verified" in ended.output


@pytest.mark.parametrize(("variant", "settings"), VARIANTS[:2])
def test_a_backfill_replays_the_days_of_its_interval(
    airflow: Airflow, world: World, variant: str, settings: dict[str, str]
) -> None:
    world.has_no_news()
    tasks, runs = tasks_of(world), set(world.keys("manifests/run="))
    today = datetime.now(UTC).date()
    ended = airflow.test(f"spacex_pipeline_{variant}_replay", f"{today + timedelta(days=1)}", **settings)
    assert (ended.exit_code, ended.states["replay"]) == (0, ("success", 1)), ended.output
    assert len(set(world.keys("manifests/run=")) - runs) >= 1
    world.assert_equal(205)
    if variant == "ecs":
        (new,) = (asked for arn, asked in tasks_of(world).items() if arn not in tasks)
        (override,) = new["overrides"]["containerOverrides"]
        assert override["command"] == ["replay", "--from", str(today), "--to", str(today)]


@WITH_WORKER
def test_every_dag_parses_where_the_program_is_not_installed(airflow: Airflow, tmp_path: Path) -> None:
    line = f"cd {tmp_path}; python -c 'import app' 2>&1 || airflow dags reserialize && airflow dags list-import-errors -o json"
    done = airflow(line, PIPELINE_COMMAND="")
    assert "ModuleNotFoundError: No module named 'app'" in done.stdout
    assert done.stdout.splitlines()[-1] in {"No data found", "[]"}, done.stdout
    found = {name for (name,) in airflow.query("SELECT dag_id FROM dag")}
    assert found == {f"spacex_pipeline_{variant}{what}" for variant in ("worker", "ecs") for what in ("", "_verify", "_replay")}


def test_the_dag_s_defaults_are_what_terraform_makes() -> None:
    text = "".join(path.read_text() for path in sorted((ROOT / "infra/terraform").glob("*.tf")))
    assert 'container_name = "pipeline"' in text
    assert 'awslogs-stream-prefix = "task"' in text
    assert re.search(r'name\s+= "/\$\{var.project\}/\$\{var.environment\}/\$\{each.key\}"', text)
    assert re.search(r'name\s+= "\$\{var.project\}-\$\{var.environment\}"', text)


@WITH_WORKER
def test_the_assets_are_the_tables(world: World) -> None:
    world.has_news()
    assert sorted(world.run()["rows"]) == TABLES


@pytest.mark.parametrize("name", ["prefect", "airflow"])
def test_what_an_exit_code_means_is_the_same_everywhere(name: str) -> None:
    folder = ROOT / "integrations" / name
    text = "".join(path.read_text() for path in folder.rglob("*.py"))
    assert re.findall(r"^LOCK_HELD = (.*?)  #", text, re.MULTILINE) == ["7"]
    assert re.findall(r"^RETRIED = (.*?)  #", text, re.MULTILINE) == ["{3, 5, 6, 143}"]


@WITH_WORKER
def test_telemetry_is_off(airflow: Airflow) -> None:
    """Airflow 3.3 has none; in a release that has, it is off."""
    assert airflow("airflow config get-value usage_data_collection enabled").stdout.split() == ["False"]
