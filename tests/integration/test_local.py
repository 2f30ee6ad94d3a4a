"""What `make run-local` and `make down` do, as plain processes, in a checkout of its own."""

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
    for name in ("app", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def local(checkout: Path) -> Iterator[Local]:
    """`python -m tests.local` there; what it started is stopped in the end."""

    def call(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tests.local", *arguments]
        environment = {**os.environ, "ENGINE": "native", **settings}
        return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120, check=False)

    yield call
    call("down")


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
    ports = [int(port) for port in re.findall(r"on 127\.0\.0\.1:(\d+)$", said, re.MULTILINE)]
    assert len(ports) == 3
    assert local("down").returncode == 0
    assert all(map(is_free, ports))
    assert not (checkout / ".local").exists()


def test_another_source_is_refused_and_its_own_data_are_welcome(local: Local) -> None:
    assert local("run", SOURCE="launch_library").returncode == 0
    assert local("run", SOURCE="spacex").returncode == 4
    assert local("run", "--accept-source-change", SOURCE="spacex").returncode == 0


def test_a_reader_who_leaves_is_no_fault(local: Local, checkout: Path) -> None:
    assert local("run", LAUNCHES="3").returncode == 0
    command = f"{sys.executable} -m tests.local ls | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=checkout, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")
