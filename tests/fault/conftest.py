"""Worlds that many tests share, and what a good run makes of them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fault.world import AFTER, BEFORE, WORLDS, State, World, new_world
from tests.services import AwsEndpoint, Login


@pytest.fixture(scope="session")
def worlds(mysql: Login, aws: AwsEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """Worlds that hold what a good run published before, and some history, so that no table is empty."""
    folder = tmp_path_factory.mktemp("worlds")
    with ExitStack() as stack:
        found = [stack.enter_context(new_world(mysql, aws, folder / str(i))) for i in range(WORLDS)]
        for world in found:
            for launches in (BEFORE, AFTER, BEFORE):
                world.api.set("launches", launches)
                assert world.run_forked() == 0, world.last_line
            world.keep()
        yield found


@pytest.fixture(scope="session")
def good(worlds: list[World]) -> tuple[State, State, list[str]]:
    """The state before, the one after a good run, and the effects of that run."""
    world = worlds[0]
    before = world.state()
    world.api.set("launches", AFTER)
    assert world.run_forked() == 0, world.last_line
    effects, after = world.effects, world.state()
    world.reset()
    assert world.state() == before  # the way back, on which every case relies
    world.api.set("launches", AFTER)
    assert world.run_forked() == 0, world.last_line
    world.api.set("launches", BEFORE)
    assert world.run_forked() == 0, world.last_line
    world.mark()
    assert world.state() == before  # and the other way back
    world.reset()
    return before, after, effects
