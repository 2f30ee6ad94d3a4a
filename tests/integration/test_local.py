"""What `make run-local` and `make down` do, as plain processes, in a checkout of its own."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.server import is_free

ROOT = Path(__file__).parents[2]

Local = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copied(tmp_path / "a checkout")


def copied(folder: Path) -> Path:
    """A checkout of its own; the name of its folder holds a blank."""
    for name in ("app", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@contextlib.contextmanager
def calling(checkout: Path) -> Iterator[Local]:
    """`python -m tests.local` there; what it started is stopped in the end."""

    def call(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tests.local", *arguments]
        # Empty: the copy is compiled once, and not at each start.
        environment = {**os.environ, "ENGINE": "native", "PYTHONDONTWRITEBYTECODE": "", **settings}
        return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120, check=False)

    try:
        yield call
    finally:
        call("down")


@pytest.fixture
def local(checkout: Path) -> Iterator[Local]:
    with calling(checkout) as call:
        yield call


def test_first_and_second_run_hints_and_down(local: Local, checkout: Path) -> None:
    first = local("run")
    assert first.returncode == 0, first.stdout + first.stderr
    assert '"message": "run published"' in first.stdout
    second = local("run")
    assert second.returncode == 0
    assert '"message": "run unchanged"' in second.stdout
    said = second.stdout + second.stderr
    hints = re.findall("^  (.+)$", said.split("Look further:\n")[1], re.MULTILINE)
    assert len(hints) >= 2
    for hint in hints:
        shown = subprocess.run(["bash", "-c", hint], cwd=checkout, capture_output=True, text=True, timeout=60, check=False)
        assert shown.returncode == 0, f"{hint}: {shown.stderr}"
        assert "2006" in shown.stdout
    assert said.splitlines()[-2:] == [
        "Run it again: make run-local. End it: make down",
        "Source spacex has been frozen since 2022. The living one: make run-local SOURCE=launch_library",
    ]
    ports = [int(port) for port in re.findall(r"on 127\.0\.0\.1:(\d+)$", said, re.MULTILINE)]
    assert len(ports) == 3
    assert local("down").returncode == 0
    assert all(map(is_free, ports))
    assert not (checkout / ".local").exists()


def test_sources_are_switched_freely_and_checkouts_share_nothing(local: Local, checkout: Path, tmp_path: Path) -> None:
    few = {"LAUNCHES": "5"}
    first = local("run", SOURCE="launch_library", **few)
    assert '"message": "run published"' in first.stdout
    assert first.stderr.splitlines()[-1] == "Run it again: make run-local SOURCE=launch_library. End it: make down"
    with calling(copied(tmp_path / "another checkout")) as another:
        assert '"message": "run published"' in another("run", **few).stdout
        assert '"message": "run published"' in local("run", **few).stdout
        assert '"message": "run unchanged"' in local("run", SOURCE="Launch_Library", **few).stdout
        assert another("down").returncode == 0
    shown = local("sql", "SELECT DISTINCT source FROM launches", SOURCE="launch_library")
    assert shown.stdout == "source\nlaunch_library\n"
    assert local("sql", "SELECT DISTINCT source FROM launches").stdout == "source\nspacex\n"
    assert local("sql", "SELECT", SOURCE="launch_library").stderr.startswith("MySQL says: You have an error in your SQL syntax")
    for source in ("launch_library", "spacex"):
        assert f" {source}/manifests/latest.json" in local("ls", f"{source}/").stdout
    assert local("run", SOURCE="nasa").stderr == "SOURCE is 'nasa'; it must be one of launch_library, spacex\n"


def test_a_reader_who_leaves_is_no_fault(local: Local, checkout: Path) -> None:
    assert local("run", LAUNCHES="3").returncode == 0
    command = f"{sys.executable} -m tests.local ls | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=checkout, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")
