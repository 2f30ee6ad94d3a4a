"""Tables that are not as this release makes them: mended, or refused with nothing half done."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fault.world import AFTER, World, new_world
from tests.services import AwsEndpoint, Login


@pytest.fixture
def world(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path / "world") as world:
        assert world.run_forked() == 0, world.last_line
        world.api.set("launches", AFTER)
        yield world


def refused(world: World, said: str, **settings: str) -> None:
    """The next run ends with 6 and says so, and nothing at all has changed."""
    before = world.versions(), world.rows(), world.login.query("SELECT run_id, state FROM pipeline_runs")
    shape = world.login.query("SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS ORDER BY 1, 2")
    assert world.run_forked(**settings) == 6, world.last_line
    assert said in json.loads(world.last_line)["message"]
    assert (world.versions(), world.rows(), world.login.query("SELECT run_id, state FROM pipeline_runs")) == before
    after = world.login.query("SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS ORDER BY 1, 2")
    assert after == shape


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE launches DROP COLUMN details, DROP COLUMN window_s",
        "ALTER TABLE launches MODIFY name VARCHAR(40)",
        "ALTER TABLE launch_payloads MODIFY mass_kg FLOAT",
        "ALTER TABLE launches MODIFY date_utc DATETIME(0) NOT NULL",
        "ALTER TABLE launches ADD COLUMN remark TEXT NULL",
        "ALTER TABLE launches ADD COLUMN remark INT NOT NULL DEFAULT 7",
        "DROP TABLE launch_crew",
    ],
)
def test_what_can_be_mended_is(world: World, change: str) -> None:
    world.login.query(change)
    assert world.run_forked() == 0, world.last_line
    world.login.query("ALTER TABLE launches DROP COLUMN remark") if "remark" in change else None
    world.assert_equal(4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE launches ADD COLUMN remark INT NOT NULL", "MODIFY COLUMN `remark` int"),
        ("ALTER TABLE launches MODIFY window_s VARCHAR(20)", "MODIFY COLUMN `window_s` BIGINT"),
        ("ALTER TABLE launches MODIFY flight_number BIGINT UNSIGNED", "MODIFY COLUMN `flight_number` BIGINT"),
        ("ALTER TABLE launch_cores DROP PRIMARY KEY, ADD PRIMARY KEY (launch_id)", "ADD PRIMARY KEY (`launch_id`, `position`)"),
        ("ALTER TABLE pipeline_runs MODIFY state INT", "MODIFY COLUMN `state`"),
    ],
)
def test_what_a_person_must_decide_stops_the_run(world: World, change: str, said: str) -> None:
    if "state INT" in change:
        world.login.query("UPDATE pipeline_runs SET state = '1'")
    world.login.query(change)
    refused(world, said)


def test_a_view_in_place_of_a_table(world: World) -> None:
    world.login.query("RENAME TABLE launch_crew TO elsewhere")
    world.login.query("CREATE VIEW launch_crew AS SELECT * FROM elsewhere")
    refused(world, "launch_crew is a view")
    world.login.query("DROP VIEW launch_crew")
    world.login.query("RENAME TABLE elsewhere TO launch_crew")
    assert world.run_forked() == 0, world.last_line
    world.assert_equal(4)


def test_a_user_who_may_only_read(world: World, mysql: Login) -> None:
    admin, user = replace(mysql, database=""), f"{world.login.user}r"
    (found,) = mysql.query("SELECT host FROM mysql.user WHERE user = %s ORDER BY host = 'localhost' LIMIT 1", world.login.user)
    admin.query("CREATE USER %s@%s IDENTIFIED BY 'reader'", user, found[0])
    admin.query(f"GRANT SELECT ON `{world.login.database}`.* TO %s@%s", user, found[0])
    try:
        refused(world, "check MYSQL_USER", MYSQL_USER=user, MYSQL_PASSWORD="reader")
    finally:
        admin.query("DROP USER %s@%s", user, found[0])
    assert world.run_forked() == 0, world.last_line


def test_a_lock_that_another_session_holds_on_a_table(world: World) -> None:
    world.login.query("ALTER TABLE launches DROP COLUMN details")
    with world.login.connect(autocommit=False) as other, other.cursor() as cursor:
        cursor.execute("SELECT * FROM launches")  # until it commits, no DDL
        before, started = world.rows(), time.monotonic()
        assert world.run_forked(RUN_TIMEOUT_S="10") == 6, world.last_line
        assert time.monotonic() - started < 25
        assert "ALTER TABLE" in world.last_line or world.login.database in world.last_line
        assert world.rows() == before
        other.commit()
    assert world.run_forked() == 0, world.last_line
    world.assert_equal(4)


def test_rows_that_another_session_holds(world: World) -> None:
    with world.login.connect(autocommit=False) as other, other.cursor() as cursor:
        cursor.execute("SELECT * FROM launches FOR UPDATE")
        before, published = world.rows(), world.published()
        assert world.run_forked(RUN_TIMEOUT_S="10") == 6, world.last_line
        other.rollback()
    assert (world.rows(), world.published()) == (before, published)
    assert world.run_forked() == 0, world.last_line
    world.assert_equal(4)


def test_this_release_after_the_next_one(world: World) -> None:
    """The next release added a column and widened another; this one still runs, and leaves the column alone."""
    world.login.query("ALTER TABLE launches ADD COLUMN booster_color VARCHAR(20) NULL, MODIFY name TEXT")
    world.login.query("UPDATE launches SET booster_color = 'white'")
    manifest = world.manifest()
    world.put_manifest({**manifest, "schema_version": manifest["schema_version"] + 1})
    assert world.run_forked() == 0, world.last_line
    colors = world.login.query("SELECT launch_id, booster_color FROM launches ORDER BY launch_id")
    assert colors == (("launch-1", "white"), ("launch-2", "white"), ("launch-3", "white"), ("launch-4", None))
    world.login.query("ALTER TABLE launches DROP COLUMN booster_color")
    world.assert_equal(4)
