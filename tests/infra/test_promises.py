"""What the container definition says equals what the image is and what the program knows."""

import ast
import json
import os
import re
import subprocess
from typing import Any

import pytest
from environment import REPOSITORY, Applied, missing


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Every text in the program's code, and the names of its settings."""
    found: set[str] = set()
    for path in (REPOSITORY / "app").rglob("*.py"):
        tree = ast.parse(path.read_text())
        found |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        for kind in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name.endswith("Settings")):
            found |= {f.target.id.upper() for f in kind.body if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)}
    return found


@pytest.fixture(scope="module", params=["", "-init-db"])
def container(request: pytest.FixtureRequest, applied: Applied) -> dict[str, Any]:
    """What the task definition says."""
    task = applied.account.client("ecs").describe_task_definition(taskDefinition=f"{applied.name}{request.param}")
    return task["taskDefinition"]["containerDefinitions"][0]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def image() -> dict[str, Any]:
    """The built image that APP_IMAGE names; else what the Dockerfile says of its last stage."""
    if name := os.environ.get("APP_IMAGE"):
        done = subprocess.run(["docker", "image", "inspect", name], capture_output=True, text=True, check=True)
        config = json.loads(done.stdout)[0]["Config"]
        return {"user": config["User"], "entry point": config["Entrypoint"], "volumes": list(config["Volumes"] or {})}
    path = REPOSITORY / "Dockerfile"
    if not path.exists():
        missing("Dockerfile")
    last = re.split(r"^FROM ", path.read_text(), flags=re.MULTILINE)[-1]
    said = dict(re.findall(r"^(USER|ENTRYPOINT|VOLUME)\s+(.*)$", last, re.MULTILINE))
    volumes = said.get("VOLUME", "[]")
    return {
        "user": said.get("USER"),
        "entry point": json.loads(said["ENTRYPOINT"]),
        "volumes": json.loads(volumes) if volumes.startswith("[") else volumes.split(),
    }


def test_the_image_is_what_the_task_expects(container: dict[str, Any], image: dict[str, Any]) -> None:
    """The user in numbers; the temp directory a volume of the image's, or Fargate would mount it for root alone."""
    assert image["user"].split(":")[0] == container["user"]
    assert image["entry point"] == ["python", "-m", "app"]
    assert "entryPoint" not in container
    assert {m["containerPath"] for m in container["mountPoints"]} <= set(image["volumes"])


def test_the_image_brings_the_database_s_authorities(container: dict[str, Any]) -> None:
    dockerfile = REPOSITORY / "Dockerfile"
    if not dockerfile.exists():
        missing("Dockerfile")
    (path,) = [e["value"] for e in container["environment"] if e["name"] == "MYSQL_SSL_CA"]
    folder, _, name = path.rpartition("/")
    assert re.search(rf"^COPY .* {folder}$", dockerfile.read_text(), re.MULTILINE)
    assert f"/{name}" in dockerfile.read_text()


def test_the_program_knows_the_command(container: dict[str, Any], names: set[str]) -> None:
    assert set(container["command"]) <= names


def test_the_program_knows_every_variable(container: dict[str, Any], names: set[str]) -> None:
    given = {e["name"] for e in container["environment"] + container["secrets"]}
    assert given - names == set()


def test_settings_that_may_be_added_are_known(names: set[str]) -> None:
    text = (REPOSITORY / "infra/terraform/variables_job.tf").read_text()
    listed = re.search(r"setsubtract\(keys\(var\.settings\), \[(.*?)\]\)", text, re.DOTALL)
    assert listed
    assert set(re.findall(r'"([A-Z_0-9]+)"', listed[1])) - names == set()


def test_metrics_tables_and_exit_code_are_the_program_s(names: set[str]) -> None:
    text = (REPOSITORY / "infra/terraform/locals.tf").read_text()
    metrics = set(re.findall(r'= "([A-Z][A-Za-z]+)"$', text, re.MULTILINE))
    assert {"SpacexPipeline", "Success", "RowsWritten"} <= metrics
    assert {m for m in metrics if not any(n == m or n.startswith(f"{m}.") for n in names)} == set()  # or one a stage
    assert set(re.findall(r'"(launch\w*)"', text)) <= names
    assert re.search(r"exit_lock_held\s*= 7$", text, re.MULTILINE)
    assert re.search(r"exit_code\D{0,20}= 7\b", (REPOSITORY / "app/errors.py").read_text())
