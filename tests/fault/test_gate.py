"""What must not be published is not, and both stores stay as they were, to the byte."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.world import BEFORE, State, World, launch, new_world
from tests.services import AwsEndpoint, Login


@pytest.fixture
def world(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path / "world", MAX_REJECTED_RATIO="0.05") as world:
        yield world


def publish(world: World, launches: list[Any]) -> State:
    world.api.set("launches", launches)
    assert world.run_forked() == 0, world.last_line
    return world.state()


def refused(world: World, before: State, said: str, *arguments: str) -> None:
    assert world.run_forked(arguments=arguments) == 4, world.last_line
    assert said in json.loads(world.last_line)["message"]
    assert world.all_in_mysql() == before["mysql"]
    assert world.published() == before["manifest"]


def many(count: int) -> list[Any]:
    return [launch(i, "2020-03-01", payloads=[], cores=[]) for i in range(count)]


@pytest.mark.parametrize(("held", "left"), [(40, 36), (100, 90), (10, 7)])
def test_a_shrink_at_the_limit_passes_and_one_row_more_does_not(world: World, held: int, left: int) -> None:
    """A tenth, or three rows, whichever is more."""
    before = publish(world, many(held))
    world.api.set("launches", many(left - 1))
    refused(world, before, f"launches would shrink from {held} to {left - 1} rows")
    assert len(publish(world, many(left))["mysql"]["launches"]) == left


def test_rejects_at_the_limit_pass_and_one_more_does_not(world: World) -> None:
    good = many(40)
    before = publish(world, good)
    bad = [{**one, "success": "no"} for one in good]
    world.api.set("launches", [*bad[:3], *good[3:]])
    refused(world, before, "3 of 40 launches were rejected")
    assert publish(world, [*bad[:2], *good[2:]])["mysql"] == before["mysql"]  # their last good rows stay


def test_a_malformed_launch_keeps_its_rows_even_when_it_names_another_year(world: World) -> None:
    before = publish(world, many(40))
    after = publish(world, [launch(0, "2021-03-01", success=1), *many(40)[1:]])
    assert (after["mysql"], after["s3"]) == (before["mysql"], before["s3"])
    assert after["manifest"]["retained_ids"] == ["launch-0"]


def test_a_record_without_an_id_deletes_nothing(world: World) -> None:
    before = publish(world, many(40))
    after = publish(world, [{"name": "who?"}, *many(38)])
    assert after["mysql"] == before["mysql"]
    assert after["manifest"]["retained_ids"] == ["launch-38", "launch-39"]
    assert len(publish(world, many(38))["mysql"]["launches"]) == 38


def test_another_source_is_refused_until_it_is_accepted(world: World) -> None:
    publish(world, BEFORE)
    world.put_manifest({**world.manifest(), "source": "another"})
    before = {"mysql": world.rows(), "manifest": world.published()}
    refused(world, before, "the tables hold launches of source another, this is spacex")
    assert world.run_forked(arguments=["--accept-source-change"]) == 0, world.last_line
    world.assert_equal(3)


def test_another_source_is_refused_even_without_a_manifest(world: World) -> None:
    publish(world, BEFORE)
    for key in world.keys("manifests/"):
        world.aws.client("s3").delete_object(Bucket=world.bucket, Key=key)
    world.login.query("UPDATE pipeline_runs SET source = 'another'")
    refused(world, {"mysql": world.rows(), "manifest": {}}, "of source another")


def test_a_lost_manifest_guards_no_less(world: World) -> None:
    before = publish(world, many(40))
    world.aws.client("s3").delete_object(Bucket=world.bucket, Key="manifests/latest.json")
    world.api.set("launches", many(20))
    refused(world, {**before, "manifest": {}}, "launches would shrink from 40 to 20 rows")
    assert publish(world, many(40)) == before
