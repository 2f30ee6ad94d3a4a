"""A temporary directory with no room: a clear failure, nothing left behind, and the next run completes.

The read-only file system is the image's own test (tests/e2e).
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.world import World, new_world
from tests.sample_api import records
from tests.services import AwsEndpoint, Login


@pytest.fixture
def world(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path / "world") as world:
        world.api.set("launches", [records.launch(i) for i in range(records.LAUNCHES)])
        yield world


@pytest.mark.parametrize("kib", [16, 256, 500], ids=["at-the-first-answer", "in-the-list", "at-the-rows"])
def test_a_full_temporary_directory(world: World, tmp_path: Path, kib: int) -> None:
    small = tmp_path / "small"
    small.mkdir()
    # In namespaces of its own, so that the small file system is this process's alone and needs no rights.
    script = f'mount -t tmpfs -o size={kib}k none "{small}" && "$@"; code=$?; ls -A "{small}" >&2; exit $code'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", sys.executable, "-m", "app", "run"]
    environment = {**world.environment, "TMPDIR": str(small)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    last = [line for line in map(json.loads, done.stdout.splitlines()) if "message" in line][-1]
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr
    assert str(small) in last["message"]
    assert "No space left on device" in last["message"]
    assert done.stderr == ""  # the directory is empty afterwards
    assert world.run_forked() == 0, world.last_line
    world.assert_equal(records.LAUNCHES)
