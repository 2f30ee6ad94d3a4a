"""Dependencies point inward, and one file meets the environment."""

import ast
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
PURE = [
    "errors",
    "fields",
    "schema",
    "records",
    "validate",
    "transform",
    "reconcile",
    "drift",
    "sql",
    "contract",
    "figures",
    "charts",
    "markup",
    "words",
    "report",
]
CLIENTS = {"boto3", "botocore", "pymysql", "requests", "urllib3", "watchtower", "os", "time", "socket", "subprocess"}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_touch_no_client_no_clock_and_no_environment(name: str) -> None:
    path = APP / f"{name}.py"
    assert not {module.split(".")[0] for module in imports(path)} & CLIENTS
    assert ".now(" not in path.read_text()


def test_adapters_never_import_each_other() -> None:
    adapters = {"app.lake": APP / "lake.py", "app.warehouse": APP / "warehouse.py", "app.sources.http": APP / "sources/http.py"}
    for name, path in adapters.items():
        assert not imports(path) & (adapters.keys() - {name})


def test_only_settings_read_the_environment() -> None:
    readers = [path.name for path in APP.rglob("*.py") if "environ" in path.read_text().replace("environment", "")]
    assert readers == ["settings.py"]
