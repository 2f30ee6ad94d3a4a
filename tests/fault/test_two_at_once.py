"""Two runs at the same time on one database and one bucket: the end state is that of one."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fault.stopped import run_stopped
from tests.fault.world import AFTER, BEFORE, World, new_world
from tests.sample_api import Fault
from tests.services import AwsEndpoint, Login

PAIRS = 20
HANG_S = 0.4  # a source this slow keeps the first run at work while the second comes


@pytest.fixture
def world(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path / "world") as world:
        yield world


def test_twenty_pairs_end_as_one_run_each(world: World, tmp_path: Path) -> None:
    good = {}
    world.run_forked()
    for name, launches in (("after", AFTER), ("before", BEFORE)):
        world.mark()
        world.api.set("launches", launches)
        world.run_forked()
        good[name] = world.state()
    codes: list[list[int]] = []
    for pair in range(PAIRS):
        name, launches = (("after", AFTER), ("before", BEFORE))[pair % 2]
        world.mark()
        world.api.set("launches", launches)
        world.api.fault("launches", Fault(hang_s=HANG_S, first=1))
        with ThreadPoolExecutor(2) as pool:
            folders = [tmp_path / f"{pair}-{side}" for side in "ab"]
            codes.append(list(pool.map(lambda folder: _run(world, folder), folders)))
        for folder, code in zip(folders, codes[-1], strict=True):
            if code == 7:
                assert "another run holds the lock" in (folder / "output").read_text()
        # Started a moment later, the second may also come when the first is done: then it finds nothing to do.
        assert sorted(codes[-1]) in ([0, 7], [0, 0])
        assert world.state() == good[name]
    assert sum(7 in pair for pair in codes) > PAIRS / 2
    running = world.login.query("SELECT COUNT(*) FROM pipeline_runs WHERE state NOT IN ('published', 'unchanged')")
    assert running == ((0,),)


def _run(world: World, folder: Path) -> int:
    folder.mkdir()
    return run_stopped(world.environment, ["run"], folder / "output", folder / "effects", None)


def test_a_killed_run_frees_its_lock_at_once(world: World) -> None:
    world.api.fault("launches", Fault(hang_s=30, first=1))
    run = world.start("run")
    while not world.api.requests:
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    killed = time.monotonic()
    run.communicate()
    lock = f"spacex_pipeline.{world.login.database}"
    while world.login.query("SELECT IS_FREE_LOCK(%s)", lock) != ((1,),):
        assert time.monotonic() - killed < 2
        time.sleep(0.02)
    assert world.run_forked() == 0, world.last_line
    assert world.published()["files"]
