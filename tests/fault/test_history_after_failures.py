"""Several runs in a row that end badly: the history has what was committed, and nothing of what was not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.stopped import Stop
from tests.fault.world import HISTORY, World, launch, new_world
from tests.services import AwsEndpoint, Login

COMMITTED = Stop("COMMIT #1", "after", "kill")  # MySQL is ahead of the manifest
ROLLED_BACK = Stop("COMMIT #1", "before", "kill")  # all objects are put, and nothing is committed


@pytest.fixture
def world(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path / "world") as world:
        yield world


def named(world: World, name: str, stop: Stop | None = None) -> None:
    """A run, perhaps stopped, that finds one launch with this name."""
    world.api.set("launches", [launch(1, "2020-03-01", name=name), launch(2, "2020-06-01")])
    assert world.run_forked(stop) == (-9 if stop else 0), world.last_line


def names(world: World) -> list[tuple[str, str]]:
    changes = [(row["old_value"], row["new_value"]) for row in world.in_mysql(HISTORY)]
    assert changes == [(row["old_value"], row["new_value"]) for row in world.in_s3(HISTORY)]
    return sorted(changes)


def test_what_was_put_and_not_committed_is_no_history_when_mysql_is_ahead(world: World) -> None:
    named(world, "A")
    named(world, "B", COMMITTED)
    named(world, "C", ROLLED_BACK)
    named(world, "D")
    assert names(world) == [("A", "B"), ("B", "D")]


def test_a_launch_whose_deletion_was_committed_does_not_come_back_because_of_a_record_without_an_id(world: World) -> None:
    world.api.set("launches", [launch(1, "2020-03-01"), launch(2, "2020-06-01")])
    assert world.run_forked() == 0, world.last_line
    world.api.set("launches", [launch(1, "2020-03-01")])
    assert world.run_forked(COMMITTED) == -9
    world.api.set("launches", [launch(1, "2020-03-01"), {"name": "no id"}])
    assert world.run_forked() == 0, world.last_line
    assert [row["launch_id"] for row in world.in_mysql("launches")] == ["launch-1"]
    assert names(world) == [("launch-2", None)]
    world.assert_equal(1)


def test_before_there_is_any_manifest_what_was_put_and_not_committed_is_no_history_either(world: World) -> None:
    named(world, "A", COMMITTED)
    named(world, "B", ROLLED_BACK)
    named(world, "C")
    assert names(world) == [("A", "C")]


def test_a_rejected_launch_keeps_the_children_that_somebody_deleted_in_mysql_before_a_run_that_failed(world: World) -> None:
    world.api.set("launches", [launch(1, "2020-03-01"), launch(2, "2020-06-01")])
    assert world.run_forked() == 0, world.last_line
    world.login.query("DELETE FROM launch_payloads")
    world.api.set("launches", [launch(1, "2020-03-01"), launch(2, "2020-06-01", success="no")])
    assert world.run_forked(ROLLED_BACK) == -9
    assert world.run_forked() == 0, world.last_line
    assert [row["launch_id"] for row in world.in_mysql("launch_payloads")] == ["launch-1", "launch-2"]
    world.assert_equal(2)
