"""What the container definition says equals what the image is and what the program knows."""

import ast
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import certifi
import pytest
from environment import REPOSITORY, Applied, missing

# Not the program's own: what the libraries under it read.
NETWORK = {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"}


def _settings() -> set[str]:
    (kind,) = (n for n in ast.parse(_text("app/settings.py")).body if isinstance(n, ast.ClassDef) and n.name == "Settings")
    return {f.target.id.upper() for f in kind.body if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)}


def _text(path: str) -> str:
    return (REPOSITORY / path).read_text()


@pytest.fixture(scope="module", params=["", "-init-db"])
def task(request: pytest.FixtureRequest, applied: Applied) -> dict[str, Any]:
    """The definition of the program's task, and of init-db's."""
    family = f"{applied.name}{request.param}"
    return applied.account.client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def container(task: dict[str, Any]) -> dict[str, Any]:
    """Its one container."""
    (container,) = task["containerDefinitions"]
    return container  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def image() -> str:
    """The image, built now, with some authority in the place of those of RDS."""
    if not (REPOSITORY / "Dockerfile").exists():
        missing("Dockerfile")
    if not shutil.which("docker") or subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        missing("a Docker Engine")
    authority = Path(certifi.where()).read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    given = {
        "PYTHON_IMAGE": os.environ.get("PYTHON_IMAGE", "python:3.13-slim"),
        "RDS_CA_BUNDLE": "data:," + quote(authority[authority.index("-----BEGIN") :]),
        "RELEASE": "1",
    }
    arguments = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    command = ["docker", "build", "--quiet", "--network", os.environ.get("BUILD_NETWORK", "default"), *arguments, "."]
    environment = os.environ | {"DOCKER_BUILDKIT": "1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _inspected(image: str) -> dict[str, Any]:
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)[0]  # type: ignore[no-any-return]


def _in_container(image: str, container: dict[str, Any], *command: str, entry_point: str | None = None) -> tuple[int, str]:
    """The image as the task would start it, on no network: exit code and output."""
    assert container["readonlyRootFilesystem"]
    words = ["docker", "run", "--rm", "--network=none", "--read-only", "--init", f"--user={container['user']}"]
    words += [f"--cap-drop={name}" for name in container["linuxParameters"]["capabilities"]["drop"]]
    words += [word for m in container["mountPoints"] for word in ("--volume", m["containerPath"])]
    values = {e["name"]: e["value"] for e in container["environment"]} | {s["name"]: "x" for s in container["secrets"]}
    values |= {"MYSQL_ADMIN_USER": "another"} if "MYSQL_ADMIN_USER" in values else {}
    values |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    words += [word for name, value in values.items() for word in ("--env", f"{name}={value}")]
    words += [f"--entrypoint={entry_point}"] if entry_point else []
    done = subprocess.run([*words, image, *command], capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_image_is_what_the_task_expects(container: dict[str, Any], image: str) -> None:
    """The user in numbers; the temp directory a volume of the image's, or Fargate would mount it for root alone."""
    config = _inspected(image)["Config"]
    assert config["User"] == container["user"]
    assert config["Entrypoint"] == ["python", "-m", "app"]
    assert "entryPoint" not in container
    assert {m["containerPath"] for m in container["mountPoints"]} == set(config["Volumes"])


def test_the_image_brings_the_database_s_authorities(container: dict[str, Any], image: str) -> None:
    (path,) = [e["value"] for e in container["environment"] if e["name"] == "MYSQL_SSL_CA"]
    code = "import ssl, sys; ssl.create_default_context(cafile=sys.argv[1])"
    assert _in_container(image, container, "-c", code, path, entry_point="python") == (0, "")


def test_the_image_takes_the_command_and_every_setting(container: dict[str, Any], image: str) -> None:
    """It goes as far as a network would be needed: the name of the database server is not found."""
    code, output = _in_container(image, container, *container["command"])
    assert code == 6, output
    assert "connect on" in output


def test_scheduled_commands_are_the_program_s(applied: Applied) -> None:
    commands = set(re.findall(r'Request\("([\w-]+)"', _text("app/cli.py")))
    schedules = applied.account.client("scheduler").list_schedules(GroupName=applied.name)["Schedules"]
    assert {s["Name"].removeprefix(f"{applied.name}-") for s in schedules} <= commands


def test_the_program_knows_every_variable(container: dict[str, Any]) -> None:
    given = {e["name"] for e in container["environment"] + container["secrets"]}
    assert given - _settings() == set()


def test_settings_that_may_be_added_are_all_that_terraform_does_not_set(applied: Applied) -> None:
    listed = re.search(r"setsubtract\(keys\(var\.settings\), \[(.*?)\]\)", _text("infra/terraform/variables_job.tf"), re.DOTALL)
    assert listed
    may_be_added = set(re.findall(r'"([A-Z_0-9]+)"', listed[1])) - NETWORK
    definitions = [
        applied.account.client("ecs").describe_task_definition(taskDefinition=applied.name + suffix)["taskDefinition"]
        for suffix in ("", "-init-db")
    ]
    set_here = {e["name"] for d in definitions for c in d["containerDefinitions"] for e in c["environment"] + c["secrets"]}
    assert not may_be_added & set_here
    a_secret_if_there_is_one = "LAUNCH_LIBRARY_TOKEN"
    only_on_one_machine = "MYSQL_ALLOW_UNVERIFIED"
    assert may_be_added | set_here | {a_secret_if_there_is_one, only_on_one_machine} == _settings()


def test_sources_are_the_program_s() -> None:
    offered = re.search(r"contains\(\[(.*?)\], var\.pipeline_source\)", _text("infra/terraform/variables_job.tf"))
    assert offered
    packages = (REPOSITORY / "app/sources").glob("*/__init__.py")
    known = {p.parent.name for p in packages if re.search(r"\bmake\b", p.read_text())}
    assert {"launch_library", "spacex"} <= set(re.findall(r"\w+", offered[1])) <= known


def test_metrics_tables_and_exit_code_are_the_program_s() -> None:
    text, telemetry = _text("infra/terraform/locals.tf"), _text("app/telemetry/metrics.py")
    metrics = set(re.findall(r'= "([A-Z][A-Za-z]+)"$', text, re.MULTILINE))
    assert {"SpacexPipeline", "Success", "RowsWritten"} <= metrics
    assert {m for m in metrics if not re.search(rf'"{m}["\.]', telemetry)} == set()  # or one a stage
    tables = re.findall(r'^\w+ = Table\(\s+"(\w+)"', _text("app/core/schema.py"), re.MULTILINE)
    assert tables
    assert set(re.findall(r'"(launch\w*)"', text)) - {"launch_library"} == set(tables)
    assert re.search(r"exit_lock_held\s*= 7$", text, re.MULTILINE)
    assert re.search(r"class LockHeld.*?exit_code = 7$", _text("app/errors.py"), re.MULTILINE | re.DOTALL)
