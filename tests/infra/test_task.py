"""`infra/task` by its effects: what it starts, shows, and how it ends. The AWS command line is real, ECS is emulated."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ecs import Ecs
from environment import REPOSITORY, moto_server
from servers import Account

TASK: dict[str, Any] = {
    "region": "us-east-1",
    "cluster": "spacex-pipeline-dev",
    "container": "pipeline",
    "capacity": "FARGATE_SPOT",
    "log_group": "/spacex-pipeline/dev/console",
    "log_stream": "task/pipeline",
    "subnets": ["subnet-1", "subnet-2"],
    "security_groups": ["sg-1"],
    "public_ip": True,
    "definitions": {"run": "spacex-pipeline-dev", "init-db": "spacex-pipeline-dev-init-db"},
}
# A program that says what it was given and ends as it is told.
PROGRAM = """
import sys, time
for line in (*sys.argv[1:], "first", "last"):
    print(line, flush=True)
if sys.argv[1] == "slow":
    time.sleep(120)
sys.exit(int(sys.argv[2]) if sys.argv[2:] and sys.argv[2].isdigit() else 0)
"""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """CloudWatch Logs with the console's group."""
    with moto_server(tmp_path_factory.mktemp("logs")) as account:
        account.client("logs").create_log_group(logGroupName=TASK["log_group"])
        yield account


@pytest.fixture
def ecs(logs: Account) -> Iterator[Ecs]:
    """A cluster that runs PROGRAM."""
    cluster = Ecs(logs, TASK["log_group"], lambda command: [sys.executable, "-c", PROGRAM, *command])
    yield cluster
    cluster.close()


@pytest.fixture
def environment(ecs: Ecs, logs: Account, tmp_path: Path) -> dict[str, str]:
    """Terraform's answer is played; all else is as it would be."""
    (tmp_path / "terraform").write_text(f"#!/bin/sh\n[ \"$*\" = 'output -json task' ] && echo '{json.dumps(TASK)}'\n")
    (tmp_path / "terraform").chmod(0o755)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | logs.environment() | {"AWS_ENDPOINT_URL_ECS": ecs.url, "PATH": path}


def infra_task(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    command = [str(REPOSITORY / "infra/task"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_it_starts_what_the_schedule_would_start_and_shows_its_lines(environment: dict[str, str], ecs: Ecs) -> None:
    done = infra_task(environment, "dev", "run", "--accept-shrink")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["run", "--accept-shrink", "first", "last"]), done.stderr
    (request,) = ecs.started
    assert request["cluster"] == TASK["cluster"]
    assert request["taskDefinition"] == "spacex-pipeline-dev"
    assert request["propagateTags"] == "TASK_DEFINITION"
    assert request["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert request["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "ENABLED",
    }
    assert request["overrides"]["containerOverrides"] == [{"name": "pipeline", "command": ["run", "--accept-shrink"]}]


def test_it_ends_with_the_program_s_exit_code_and_waits_for_lines_that_come_late(environment: dict[str, str], ecs: Ecs) -> None:
    ecs.logs_are_late = True
    done = infra_task(environment, "dev", "verify", "8")
    assert (done.returncode, done.stdout.splitlines()) == (8, ["verify", "8", "first", "last"]), done.stderr


def test_init_db_has_a_definition_of_its_own_and_a_refused_start_is_told(environment: dict[str, str], ecs: Ecs) -> None:
    ecs.refusal = "RESOURCE:ENI"
    done = infra_task(environment, "dev", "init-db")
    assert ecs.started[0]["taskDefinition"] == "spacex-pipeline-dev-init-db"
    assert (done.returncode, done.stdout) == (125, "")
    assert "RESOURCE:ENI" in done.stderr


def test_a_task_that_never_ran_is_told(environment: dict[str, str], ecs: Ecs) -> None:
    ecs.not_pulled = "CannotPullContainerError: not found"
    done = infra_task(environment, "dev", "run")
    assert done.returncode == 125
    assert "TaskFailedToStart" in done.stderr
    assert "CannotPullContainerError" in done.stderr


def test_interrupted_it_leaves_the_task_and_says_how_to_end_it(environment: dict[str, str]) -> None:
    command = [str(REPOSITORY / "infra/task"), "dev", "slow"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "slow\n"  # while the task runs
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "aws ecs stop-task --region us-east-1 --cluster spacex-pipeline-dev --task arn:aws:ecs:" in error


def test_where_it_can_not_follow_the_task_it_says_that_it_goes_on(environment: dict[str, str], ecs: Ecs) -> None:
    ecs.denied = "DescribeTasks"
    done = infra_task(environment, "dev", "run")
    assert (done.returncode, len(ecs.started)) == (125, 1)
    assert "it goes on; to end it: aws ecs stop-task " in done.stderr
    assert "denied" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["dev"], ["--help"]])
def test_without_an_environment_and_a_command_it_says_how(arguments: list[str], environment: dict[str, str]) -> None:
    done = infra_task(environment, *arguments)
    assert (done.returncode, done.stderr) == (2, "usage: infra/task ENVIRONMENT COMMAND [OPTION...]\n")


def test_an_environment_that_is_none_is_told(environment: dict[str, str]) -> None:
    done = infra_task(environment, "elsewhere", "run")
    assert done.returncode == 125
    assert "there is no env/elsewhere.tfvars" in done.stderr
