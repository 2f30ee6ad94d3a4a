"""Stores that an earlier schema version wrote: the first run brings both to this one, rows and history whole, however it ends."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow.dataset as ds
import pytest

from app.core.schema import TABLES
from app.core.views import VIEWS
from tests.fault.older import NAMES, row_hash, set_back, set_back_mysql, set_back_s3
from tests.fault.stopped import Stop
from tests.fault.world import AFTER, HISTORY, World, new_world
from tests.program import KEYS
from tests.services import AwsEndpoint, Login

Rows = dict[str, list[dict[str, Any]]]
STOPS = (
    "ALTER TABLE `launch_changes` RENAME COLUMN",
    "ALTER TABLE `launch_changes` ADD COLUMN `source`",
    "ALTER TABLE `launches` MODIFY COLUMN `details`",
    "CREATE SQL SECURITY INVOKER VIEW `mass_to_orbit`",
    "PutObject launch_changes/year=2020/",
    "COMMIT",
    "PutObject manifests/latest.json",
)


@pytest.fixture(scope="module")
def world(mysql: Login, aws: AwsEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with a history, of this schema version."""
    with new_world(mysql, aws, tmp_path_factory.mktemp("worlds") / "world") as world:
        assert world.run_forked() == 0, world.last_line
        world.first = world.object("manifests/latest.json")
        world.api.set("launches", AFTER)
        assert world.run_forked() == 0, world.last_line
        assert len(world.in_mysql(HISTORY)) > 3
        yield world


@pytest.fixture
def rows(world: World) -> Iterator[Rows]:
    """What the stores hold and are to hold again, once the world was set back and a run has brought it up to date."""
    found = held(world)
    yield found
    assert held(world) == found
    assert {table: world.in_s3(table) for table in KEYS} == {table: as_s3_has_it(found[table]) for table in KEYS}
    assert world.run_forked() == 0, world.last_line
    assert '"state": "unchanged"' in world.last_line
    for name in VIEWS:
        world.login.query(f"SELECT * FROM {name}")


def held(world: World) -> Rows:
    return {table: world.in_mysql(table) for table in KEYS}


def as_s3_has_it(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    flags = {column.name for table in TABLES.values() for column in table.columns if column.kind.name == "FLAG"}
    return [{name: bool(v) if name in flags and v is not None else v for name, v in row.items()} for row in rows]


def test_rows_and_history_are_the_same_and_a_change_names_its_source(world: World, rows: Rows) -> None:
    set_back(world)
    assert {row["source"] for row in rows[HISTORY]} == {"spacex"}
    for table, names in NAMES.items():
        there = ds.dataset(f"{world.bucket}/{table}", filesystem=world.filesystem()).schema.names
        assert set(names.values()) <= set(there)
        assert not {*names, *(["source"] if table == HISTORY else [])} & set(there)
    assert world.run_forked() == 0, world.last_line
    assert "not as published" not in (world.folder / "output").read_text()
    assert world("verify").code == 0


def test_before_that_run_plan_tells_the_ddl_and_verify_asks_for_the_run(world: World, rows: Rows) -> None:
    set_back(world)
    versions = world.versions()
    plan = world("plan", "--json").result["plan"]
    for table in NAMES:
        assert any(f"ALTER TABLE `{table}` RENAME COLUMN" in statement for statement in plan["ddl"])
    assert sum("VIEW" in statement for statement in plan["ddl"]) == len(VIEWS)
    assert any("MODIFY COLUMN `details`" in statement for statement in plan["ddl"])
    assert plan["rows"].pop(HISTORY) == {"add": 0, "change": len(rows[HISTORY]), "remove": 0}  # they get their source
    assert {count for counts in plan["rows"].values() for count in counts.values()} == {0}
    assert "run first" in json.dumps(world("verify", code=6).lines[-1])
    assert world.versions() == versions
    assert world.run_forked() == 0, world.last_line


@pytest.fixture(scope="module")
def effects(world: World) -> list[str]:
    """What the run does that brings both stores up to date."""
    set_back(world)
    assert world.run_forked() == 0, world.last_line
    return world.effects


@pytest.mark.parametrize("stop", STOPS)
def test_a_run_that_is_killed_in_the_middle_is_finished_by_the_next(
    world: World, effects: list[str], rows: Rows, stop: str
) -> None:
    assert rows
    set_back(world)
    effect = next(effect for effect in effects if effect.startswith(stop))
    assert world.run_forked(Stop(effect, "after", "kill")) == -9, world.last_line
    assert world.run_forked() == 0, world.last_line


def test_history_that_only_mysql_has_is_kept(world: World, rows: Rows) -> None:
    """A run of the earlier version was killed between COMMIT and manifest, and what it had put is gone."""
    assert rows
    set_back_mysql(world)
    world.aws.client("s3").put_object(Bucket=world.bucket, Key="manifests/latest.json", Body=world.first)
    manifest = world.manifest()
    files = [file for file in manifest["files"] if file["table"] != HISTORY]
    world.put_manifest({**manifest, "files": files, "schema_version": 1})
    world.login.query("UPDATE pipeline_runs SET state = 'merged' ORDER BY number DESC LIMIT 1")
    for key in world.keys(f"{HISTORY}/"):
        world.aws.client("s3").delete_object(Bucket=world.bucket, Key=key)
    assert world.run_forked() == 0, world.last_line


def test_history_that_only_s3_has_is_kept_with_the_sources_that_manifests_name(world: World, rows: Rows) -> None:
    assert rows
    set_back_s3(world)
    for table in world.tables():
        world.login.query(f"DROP TABLE `{table}`")
    assert world.run_forked() == 0, world.last_line


def test_what_an_earlier_version_received_can_be_replayed(world: World, rows: Rows) -> None:
    assert rows
    run_id = world.manifest()["run_id"]
    set_back(world)
    assert world("replay", run_id).code == 0


def test_an_altered_row_of_an_earlier_version_is_not_taken_for_sound(world: World, rows: Rows) -> None:
    assert rows[HISTORY][0]["row_hash"] != row_hash(rows[HISTORY][0])
    set_back_mysql(world)
    world.login.query("UPDATE launch_changes SET `new` = 'altered' LIMIT 1")
    assert world.run_forked() == 0, world.last_line
