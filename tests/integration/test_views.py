"""Views and comments in the database, and meanings in the files: made by the run, repaired by the next, and needed by nothing."""

import io
import json
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest

from app.core.schema import TABLES
from app.core.views import VIEWS
from tests.fault.world import World, new_world
from tests.services import AwsEndpoint, Login

COMMENTS = (
    "SELECT COLUMN_NAME, COLUMN_COMMENT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"
)


@pytest.fixture(scope="module")
def world(mysql: Login, aws: AwsEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path_factory.mktemp("worlds") / "world") as world:
        assert world.run_forked() == 0, world.last_line
        yield world


def views(world: World) -> set[str]:
    return {name for name, _ in world.login.query("SHOW FULL TABLES WHERE Table_type = 'VIEW'")}


def run_again(world: World, said: str = "") -> None:
    """A run that has nothing to publish, whatever it finds of views and comments."""
    versions = world.versions()
    assert world.run_forked() == 0, world.last_line
    assert '"state": "unchanged"' in world.last_line
    assert world.versions() == versions
    assert said in (world.folder / "output").read_text()


def test_every_column_in_mysql_has_its_meaning(world: World) -> None:
    for table in TABLES.values():
        comments = dict(world.login.query(COMMENTS, table.name))
        assert {column.name: column.meaning for column in table.columns}.items() <= comments.items()
        assert all(comments.values())
    assert all(dict(world.login.query(COMMENTS, "pipeline_runs")).values())


def test_every_field_of_a_file_has_its_meaning(world: World) -> None:
    for table in TABLES.values():
        key = world.keys(f"{table.name}/")[0]
        schema = pq.read_schema(io.BytesIO(world.object(key)))
        assert [field.metadata[b"doc"].decode() for field in schema] == [column.meaning for column in table.columns]
        assert schema.metadata[b"doc"].decode() == table.meaning


def test_comments_that_are_gone_come_back_and_columns_stay_as_they_are(world: World) -> None:
    """A column that somebody made wider keeps its type."""
    world.login.query("ALTER TABLE launches MODIFY name LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, COMMENT ''")
    world.login.query("ALTER TABLE launches MODIFY date_utc DATETIME(6) NOT NULL COMMENT 'other words'")
    run_again(world)
    comments = dict(world.login.query(COMMENTS, "launches"))
    assert comments["name"] == "Mission name"
    assert comments["date_utc"] == "Launch time, UTC; see date_precision"
    columns = {row[0]: row[1:3] for row in world.login.query("SHOW COLUMNS FROM launches")}
    assert columns["name"] == ("longtext", "YES")
    assert columns["date_utc"] == ("datetime(6)", "NO")
    assert not any("COMMENT" in effect for effect in effects_of_a_quiet_run(world))


def effects_of_a_quiet_run(world: World) -> list[str]:
    run_again(world)
    return world.effects


def test_a_view_that_is_gone_or_of_another_release_is_made_again(world: World) -> None:
    world.login.query("DROP VIEW mass_to_orbit")
    run_again(world)
    assert views(world) == set(VIEWS)
    world.login.query("CREATE OR REPLACE VIEW mass_to_orbit AS SELECT 1 AS old")
    world.login.query("ALTER TABLE pipeline_runs COMMENT 'views of another release'")
    run_again(world)
    assert world.login.query("SHOW COLUMNS FROM mass_to_orbit")[0][0] == "launch_year"
    assert not any("VIEW" in effect for effect in effects_of_a_quiet_run(world))


def test_without_the_right_to_make_views_a_run_says_so_and_goes_on(world: World, mysql: Login) -> None:
    rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, CREATE TEMPORARY TABLES"
    name, _, host = world.login.query("SELECT CURRENT_USER()")[0][0].rpartition("@")  # of several, the one that the server takes
    user = f"'{name}'@'{host}'"
    world.login.query("DROP VIEW mass_to_orbit")
    mysql.query(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {user}")
    mysql.query(f"GRANT {rights} ON `{world.login.database}`.* TO {user}")
    try:
        run_again(world, "views were not made")
        checks = {check["name"]: check for check in json.loads(world("doctor", "--json").stdout)}
        assert checks["MySQL views"]["warning"]
        assert "CREATE VIEW" in checks["MySQL views"]["found"]
    finally:
        mysql.query(f"GRANT ALL ON `{world.login.database}`.* TO {user}")
    run_again(world)
    assert views(world) == set(VIEWS)


def test_a_table_with_the_name_of_a_view_is_left_alone(world: World) -> None:
    world.login.query("DROP VIEW mass_to_orbit")
    world.login.query("CREATE TABLE mass_to_orbit (somebody_s INT)")
    try:
        run_again(world)
        world.login.query("ALTER TABLE pipeline_runs COMMENT 'views of another release'")
        run_again(world, "mass_to_orbit")
        assert world.login.query("SHOW COLUMNS FROM mass_to_orbit")[0][0] == "somebody_s"
    finally:
        world.login.query("DROP TABLE mass_to_orbit")
    run_again(world)
    assert views(world) == set(VIEWS)


def test_a_view_gives_nobody_a_right_to_rows(world: World) -> None:
    found = world.login.query("SELECT SECURITY_TYPE FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()")
    assert set(found) == {("INVOKER",)}
