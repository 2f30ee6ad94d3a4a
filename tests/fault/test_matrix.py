"""Every effect of a run, and the run stopped before it, after it, or cut off from its answer; then a normal run.

The effects are found by running, not listed here. Whatever happens at one of them, each store is at any time as it was before or
as it is after a good run, and the next run leaves both as one good run does, to the byte.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.stopped import Stop
from tests.fault.world import AFTER, BEFORE, WORLDS, State, World, new_world, pattern_of, side_by_side
from tests.services import AwsEndpoint, Login
from tests.services.proxy import Proxy
from tests.services.server import HOST

Way = Callable[[World, str], bool]
"""Runs the program with a fault at an effect; false when the run had no such effect."""


def stopped(when: str, how: str) -> Way:
    def run(world: World, effect: str) -> bool:
        code = world.run_forked(Stop(effect, when, how))  # type: ignore[arg-type]
        assert (code == -9) if how == "kill" else code in (1, 5, 6), f"exit {code}\n{world.last_line}"
        return effect in world.effects

    return run


def answer_lost(times: int) -> Way:
    def run(world: World, effect: str) -> bool:
        s3 = int(world.environment["AWS_ENDPOINT_URL"].rpartition(":")[2])
        in_s3 = re.match(r"\w+Object ", effect) is not None
        with Proxy(HOST, s3) as lake, Proxy(world.login.host, world.login.port, mysql=True) as warehouse:
            proxy = lake if in_s3 else warehouse
            proxy.lose(pattern_of(effect, world), times)
            code = world.run_forked(AWS_ENDPOINT_URL=lake.url, MYSQL_HOST=HOST, MYSQL_PORT=str(warehouse.port))
        assert proxy.lost >= 1, f"nothing of {effect} passed\n{world.last_line}"
        # S3 is asked again, and finds that it was done; so are a COMMIT and the row of a run that has published. Any other
        # statement ends the run.
        survives = (in_s3 and times == 1) or effect.startswith(("COMMIT", "UPDATE `pipeline_runs` SET `state` = IF("))
        assert code == (0 if survives else 5 if in_s3 else 6), f"exit {code}\n{world.last_line}"
        return True

    return run


WAYS = {
    "exception-before": stopped("before", "exception"),
    "exception-after": stopped("after", "exception"),
    "kill-before": stopped("before", "kill"),
    "kill-after": stopped("after", "kill"),
    "answer-lost": answer_lost(1),
    "answer-lost-each-time": answer_lost(99),
}


LEAVES_MOST = "kill-after"


def test_the_effects_are_those_that_the_design_names(good: tuple[State, State, list[str]]) -> None:
    effects = good[2]
    for named in (
        *("PutObject raw/", "PutObject quarantine/", "PutObject launches/", "PutObject launch_payloads/", "DeleteObject"),
        *("LOAD DATA", "INSERT INTO `launches`", "UPDATE `launches`", "DELETE t FROM `launches`", "COMMIT"),
        *("PutObject manifests/run=", "PutObject manifests/latest.json", "UPDATE `pipeline_runs`", "INSERT INTO `pipeline_runs`"),
    ):
        assert any(effect.startswith(named) for effect in effects), named
    assert len(effects) == len(set(effects))


@pytest.mark.parametrize("way", WAYS)
def test_a_fault_at_any_effect_is_repaired_by_the_next_run(
    worlds: list[World], good: tuple[State, State, list[str]], way: str
) -> None:
    before, after, effects = good
    if way == "answer-lost-each-time":  # only S3 is asked more than once
        effects = [effect for effect in effects if re.match(r"\w+Object ", effect)]

    def one(world: World, effect: str) -> None:
        if way == LEAVES_MOST:  # and what is left after the repair must do no harm to a further run
            world.api.set("launches", BEFORE)
            assert world.run_forked() == 0, world.last_line
            world.mark()
        else:
            world.reset()
        world.api.set("launches", AFTER)
        assert WAYS[way](world, effect), "the run had no such effect"
        assert world.rows() in (before["mysql"], after["mysql"]), "MySQL is neither as before nor as after"
        assert world.published() in (before["manifest"], after["manifest"]), "so is what the manifest names"
        assert world.run_forked() == 0, world.last_line
        assert world.state() == after

    failures = side_by_side(worlds, effects, one)
    assert not failures, "\n\n".join(failures)


@pytest.mark.parametrize("way", ["exception-after", "kill-after", "answer-lost"])
def test_a_fault_in_the_first_run_of_all_is_repaired_by_the_next(
    mysql: Login, aws: AwsEndpoint, tmp_path: Path, good: tuple[State, State, list[str]], way: str
) -> None:
    """On an empty database and bucket: the effects that later runs do not have, such as the making of tables."""
    before, _, later = good
    with new_world(mysql, aws, tmp_path / "first") as world:
        assert world.run_forked() == 0, world.last_line
        effects = [effect for effect in world.effects if effect not in later and "TEMPORARY" not in effect]
    assert any(effect.startswith("CREATE TABLE `launches`") for effect in effects)
    numbers = iter(range(len(effects)))

    def one(_: World, effect: str) -> None:
        with new_world(mysql, aws, tmp_path / str(next(numbers))) as world:
            assert WAYS[way](world, effect), "the run had no such effect"
            assert world.rows() in (before["mysql"], {table: [] for table in before["mysql"]}), "MySQL is neither empty nor whole"
            assert world.run_forked() == 0, world.last_line
            assert world.state() == before

    failures = side_by_side([world] * WORLDS, effects, one)
    assert not failures, "\n\n".join(failures)
