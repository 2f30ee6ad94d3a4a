"""The wheel that `make package` builds, installed where there are the pinned packages and nothing of a checkout or its tools."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from app import __version__
from tests.integrations.conftest import World
from tests.integrations.environments import ROOT

pytestmark = pytest.mark.xdist_group("package")
BARE = ROOT / "build/bare/bin"
PACKAGE = ROOT / "build/package"
PUBLIC = """
import pathlib, sys
import spacex_pipeline
assert pathlib.Path(spacex_pipeline.__file__).is_relative_to(sys.prefix), spacex_pipeline.__file__
assert not {"boto3", "pyarrow", "pandas"} & set(sys.modules), "to import the package costs nothing"
for name in getattr(spacex_pipeline, "__all__", ["__version__"]):
    assert getattr(spacex_pipeline, name), name
print(spacex_pipeline.__version__)
"""


@pytest.fixture(scope="module")
def _installed() -> None:
    """The wheel, by pip, which may fetch nothing: what the wheel needs must be among the pinned packages."""
    (wheel,) = PACKAGE.glob("*.whl")
    pip = [str(BARE / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]
    subprocess.run([*pip, "uninstall", "--yes", "spacex-pipeline"], check=True, capture_output=True)
    subprocess.run([*pip, "install", "--no-index", str(wheel)], check=True)
    subprocess.run([*pip, "check"], check=True)


def call(folder: Path, *command: str, **settings: str) -> str:
    """What a command of that environment prints in an empty folder; it must end well."""
    program, *arguments = command
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **settings}
    done = subprocess.run(
        [str(BARE / program), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("_installed")
def test_the_wheel_alone_is_the_whole_program(world: World, tmp_path: Path) -> None:
    assert call(tmp_path, "spacex-pipeline", "--version") == f"spacex-pipeline, version {__version__}\n"
    assert "init-db" in call(tmp_path, "spacex-pipeline", "--help")
    world.has_news()
    settings = tmp_path / "settings"
    settings.write_text("".join(f"{name}={value}\n" for name, value in world.settings.items()))
    checks = json.loads(call(tmp_path, "spacex-pipeline", "--env-file", str(settings), "doctor", "--json"))
    assert all(check["passed"] for check in checks)
    result = json.loads(call(tmp_path, "spacex-pipeline", "run", "--json", "--env-file", str(settings)))
    assert (result["state"], result["stores_equal"], result["rows"]["launches"]) == ("published", True, 205)
    call(tmp_path, "python", "-m", "spacex_pipeline", "report", **world.settings)
    assert "<html" in (tmp_path / "spacex-report.html").read_text()


@pytest.mark.usefixtures("_installed")
def test_the_package_can_be_imported_by_others(tmp_path: Path) -> None:
    assert call(tmp_path, "python", "-c", PUBLIC) == f"{__version__}\n"


@pytest.mark.usefixtures("_installed")
def test_the_file_of_settings_can_be_had_without_a_checkout(tmp_path: Path) -> None:
    assert call(tmp_path, "python", "-m", "spacex_pipeline.env_file") == (ROOT / ".env.example").read_text()


def test_the_sdist_holds_what_the_wheel_is_built_from() -> None:
    (sdist,) = PACKAGE.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "app/report/page.html.j2"} <= names
    assert {str(file.relative_to(ROOT)) for file in (ROOT / "app").rglob("*.py")} <= names
