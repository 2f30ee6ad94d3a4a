"""The program's user as init-db makes it: a run needs nothing more, and it may do nothing else."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

from tests.program import Program
from tests.sample_api import SampleApi
from tests.services import AwsEndpoint, Login, MysqlServer, drop_database
from tests.services.certificates import make_certificates

DENIED = {1044, 1045, 1142, 1227}


@pytest.fixture
def planned(mysql: Login) -> Iterator[Login]:
    """A log-in that does not exist yet, nor its database; the names hold what GRANT takes for a wild card."""
    name = f"init_{secrets.token_hex(6)}"
    login = Login(mysql.host, mysql.port, name, f"'\"%\\ {secrets.token_hex(12)}", name)
    yield login
    drop_database(mysql, login)


@pytest.fixture
def planned_program(planned: Login, mysql: Login, aws: AwsEndpoint, bucket: str, api: SampleApi) -> Program:
    """The program, set up for that log-in."""
    settings = {**aws.environment(), **planned.environment(), "S3_BUCKET": bucket, "SOURCE_URL": api.url, **administrator(mysql)}
    settings["MYSQL_ALLOW_UNVERIFIED"] = "true"
    return Program({**os.environ, **settings}, aws, planned)


def administrator(login: Login) -> dict[str, str]:
    return {"MYSQL_ADMIN_USER": login.user, "MYSQL_ADMIN_PASSWORD": login.password}


def without_administrator(program: Program) -> Program:
    rest = {name: value for name, value in program.environment.items() if not name.startswith("MYSQL_ADMIN")}
    return Program(rest, program.aws, program.login)


def test_runs_work_with_the_rights_that_init_db_gives(planned_program: Program) -> None:
    """A first run, an unchanged one, and one that has to add a column, load, update and delete."""
    assert planned_program("init-db").lines[-1]["message"] == "init-db ready"
    program = without_administrator(planned_program)
    assert program.run()["state"] == "published"
    assert program.run()["state"] == "unchanged"
    program.login.query("ALTER TABLE launches DROP COLUMN details")
    program.login.query("UPDATE launch_crew SET role = 'altered' LIMIT 1")
    program.login.query("UPDATE launches SET launch_id = 'nobody' LIMIT 1")
    assert program.run()["state"] == "published"
    program.assert_equal(40)


def test_it_makes_a_second_database_that_a_replay_may_load_into(planned_program: Program, planned: Login, mysql: Login) -> None:
    planned_program("init-db")
    again = replace(planned, database=f"{planned.database}_again")
    try:
        planned_program("init-db", "--to-database", again.database)
        program = without_administrator(planned_program)
        program.run()
        program("replay", "--from", "2020-01-01", "--to-prefix", "again", "--to-database", again.database)
        assert again.query("SELECT COUNT(*) FROM launches") == planned.query("SELECT COUNT(*) FROM launches") == ((40,),)
    finally:
        mysql.query(f"DROP DATABASE IF EXISTS `{again.database}`")


def test_it_may_be_repeated_and_brings_a_new_password(planned_program: Program, planned: Login, mysql: Login) -> None:
    planned_program("init-db")
    planned.query("CREATE TABLE kept (a INT)")
    planned_program("init-db")
    new = replace(planned, password=secrets.token_hex(16))
    planned_program("init-db", MYSQL_PASSWORD=new.password)
    assert new.query("SHOW TABLES") == (("kept",),)
    with pytest.raises(pymysql.err.OperationalError) as refused:
        planned.query("SELECT 1")
    assert refused.value.args[0] in DENIED
    charset = "SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s"
    assert mysql.query(charset, planned.database) == (("utf8mb4",),)


def test_the_user_may_do_nothing_else(planned_program: Program, planned: Login, mysql: Login) -> None:
    planned_program("init-db")
    planned.query("CREATE TABLE kept (a INT)")
    alike = planned.database.replace("_", "x")
    mysql.query(f"CREATE DATABASE `{alike}`")
    try:
        for statement in (
            "DROP TABLE kept",
            f"CREATE TABLE `{alike}`.t (a INT)",
            "CREATE USER nobody",
            "SELECT * FROM mysql.user",
            f"GRANT SELECT ON `{planned.database}`.* TO CURRENT_USER",
            "SET GLOBAL local_infile = 1",
        ):
            with pytest.raises(pymysql.err.OperationalError) as refused:
                planned.query(statement)
            assert refused.value.args[0] in DENIED
    finally:
        mysql.query(f"DROP DATABASE `{alike}`")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"MYSQL_ADMIN_USER": ""}, "is not set"),
        ({"MYSQL_ADMIN_PASSWORD": ""}, "is not set"),
        ({"MYSQL_USER": "chief", "MYSQL_ADMIN_USER": "chief"}, "own password"),
    ],
)
def test_without_an_administrator_it_says_so(planned_program: Program, given: dict[str, str], said: str) -> None:
    ended = planned_program("init-db", code=2, **given)
    assert said in ended.stdout + ended.stderr


def test_a_refused_administrator_is_an_error_of_mysql(planned_program: Program) -> None:
    ended = planned_program("init-db", code=6, MYSQL_ADMIN_PASSWORD="wrong-0a1b2c")
    assert "1045" in ended.lines[-1]["message"]
    assert "wrong-0a1b2c" not in ended.stdout + ended.stderr
    assert planned_program.login.password not in ended.stdout + ended.stderr


def test_with_authorities_set_the_user_is_held_to_tls(
    tmp_path: Path, aws: AwsEndpoint, settings_env: dict[str, str], api: SampleApi
) -> None:
    ca, cert, key = make_certificates(tmp_path)
    with MysqlServer(tmp_path / "mysql", tls=(ca, cert, key)) as server:
        login = replace(server.login, user="app", password=secrets.token_hex(12))
        settings = {**settings_env, **login.environment(), **administrator(server.admin), "MYSQL_SSL_CA": str(ca)}
        program = Program({**os.environ, **settings, "SOURCE_URL": api.url}, aws, login)
        program("init-db")
        program.run()
        with pytest.raises(pymysql.err.OperationalError) as refused:
            login.connect(ssl_disabled=True)
        assert refused.value.args[0] in DENIED
