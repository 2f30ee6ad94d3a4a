"""Servers that would refuse a run say so before anything is put, and what is set there for others troubles no run."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.program import Program
from tests.sample_api import Fault, SampleApi
from tests.services import AwsEndpoint, MysqlServer

LIMITS = {
    "wait_timeout": 3,
    "interactive_timeout": 3,
    "net_read_timeout": 1,
    "net_write_timeout": 1,
    "sql_select_limit": 5,
    "sql_safe_updates": 1,
    "sql_big_selects": 0,
    "max_error_count": 0,
    "sql_notes": 0,
}
MARIADB_LIMITS = {"idle_transaction_timeout": 1, "idle_write_transaction_timeout": 1, "max_statement_time": 1}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MysqlServer]:
    """A server of this file's own, whose global variables the tests set; with a binary log."""
    with MysqlServer(tmp_path_factory.mktemp("mysql"), "--log-bin=binlog", "--server-id=1") as server:
        yield server


@pytest.fixture
def program(server: MysqlServer, aws: AwsEndpoint, bucket: str, api: SampleApi) -> Program:
    """The program on that server, with a bucket that nothing was put into."""
    settings = {**aws.environment(), **server.login.environment(), "S3_BUCKET": bucket, "SOURCE": "spacex", "SOURCE_URL": api.url}
    return Program({**os.environ, **settings}, aws, server.login)


@pytest.fixture
def set_global(server: MysqlServer) -> Iterator[dict[str, object]]:
    """Global variables by name, to be filled; they are given back their values in the end."""
    wanted: dict[str, object] = {}
    before: dict[str, object] = {}

    class Setting(dict[str, object]):
        def __setitem__(self, name: str, value: object) -> None:
            before.setdefault(name, server.admin.query(f"SELECT @@global.{name}")[0][0])
            server.admin.query(f"SET GLOBAL {name} = %s", value)
            super().__setitem__(name, value)

    yield Setting(wanted)
    for name, value in before.items():
        server.admin.query(f"SET GLOBAL {name} = %s", value)


@pytest.mark.parametrize(
    ("name", "value", "said", "check"),
    [
        ("local_infile", 0, "set local_infile = 1", "MySQL local_infile"),
        ("read_only", 1, "the server takes no writes", "MySQL writes"),
        ("max_allowed_packet", 1 << 20, "is 1,048,576 bytes, and 8,0", "MySQL max_allowed_packet"),
        ("binlog_format", "STATEMENT", "binlog_format = ROW", "MySQL writes"),
    ],
)
def test_a_server_that_would_refuse_is_found_before_anything_is_put(
    name: str, value: object, said: str, check: str, program: Program, set_global: dict[str, object]
) -> None:
    """Both with tables that are there and, on the first run, without."""
    program.run()
    program.login.query("DELETE FROM launches")
    before = program.versions()
    set_global[name] = value
    ended = program("run", code=6)
    assert said in ended.lines[-1]["message"], ended.lines[-1]
    assert {key for key, _ in program.versions() - before if not key.startswith("raw/")} == set()
    checks = {found["name"]: found for found in json.loads(program("doctor", "--json", code=6).stdout)}
    assert not checks[check]["passed"]
    assert said in checks[check]["found"] + checks[check]["hint"]


@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "DELETE", "CREATE TEMPORARY TABLES"])
def test_a_right_that_is_missing_is_found_before_anything_is_put(right: str, program: Program, server: MysqlServer) -> None:
    program.run()
    before = program.versions()
    change = "{} " + right + f" ON `{program.login.database}`.* {{}} %s@%s"
    hosts = [host for (host,) in server.admin.query("SELECT host FROM mysql.user WHERE user = %s", program.login.user)]
    for host in hosts:
        server.admin.query(change.format("REVOKE", "FROM"), program.login.user, host)
    try:
        ended = program("run", code=6)
        checks = {found["name"]: found for found in json.loads(program("doctor", "--json", code=6).stdout)}
    finally:
        for host in hosts:
            server.admin.query(change.format("GRANT", "TO"), program.login.user, host)
    assert "denied" in ended.lines[-1]["message"]
    assert "user's rights" in ended.lines[-1]["message"]
    assert {key for key, _ in program.versions() - before if not key.startswith("raw/")} == set()
    assert right in checks["MySQL rights"]["found"]


def test_rights_through_a_role_count(program: Program, server: MysqlServer) -> None:
    """A user with no right of its own, and a role with all that a run needs."""
    database = program.login.database
    server.admin.query("CREATE ROLE pipeline_role")
    server.admin.query(
        f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, CREATE TEMPORARY TABLES ON `{database}`.* TO pipeline_role"
    )
    server.admin.query("CREATE USER by_role@'%%' IDENTIFIED BY %s", program.login.password)
    server.admin.query("GRANT pipeline_role TO by_role@'%'")
    if server.flavour == "mariadb":
        server.admin.query("SET DEFAULT ROLE pipeline_role FOR by_role@'%'")
    else:
        server.admin.query("SET DEFAULT ROLE ALL TO by_role@'%'")
        replace(program.login, user="by_role").connect().close()
    try:
        checks = json.loads(program("doctor", "--json", MYSQL_USER="by_role").stdout)
        assert [check["name"] for check in checks if not check["passed"]] == []
        program.run(MYSQL_USER="by_role")
    finally:
        server.admin.query("DROP USER by_role@'%'")
        server.admin.query("DROP ROLE pipeline_role")


def test_a_server_that_requires_primary_keys_serves_a_run(
    program: Program, server: MysqlServer, set_global: dict[str, object]
) -> None:
    set_global["innodb_force_primary_key" if server.flavour == "mariadb" else "sql_require_primary_key"] = 1
    program("doctor")
    program.run()
    program.assert_equal()


def test_a_quiet_source_and_a_server_with_narrow_limits_give_a_good_run(
    program: Program, server: MysqlServer, api: SampleApi, set_global: dict[str, object]
) -> None:
    limits = LIMITS | (MARIADB_LIMITS if server.flavour == "mariadb" else {})
    for name in limits:
        set_global[name] = limits[name]
    api.fault("launches", Fault(hang_s=5, first=1))
    assert program.run()["state"] == "published"
    program("verify")
    assert program.login.query("SELECT COUNT(*) FROM launches") == ((40,),)


def test_a_clock_that_disagrees_is_a_warning(program: Program, set_global: dict[str, object]) -> None:
    set_global["init_connect"] = "SET timestamp = UNIX_TIMESTAMP() + 3600"
    ended = program("doctor")
    (line,) = [line for line in ended.lines if line.get("name") == "MySQL clock"]
    assert line["level"] == "WARNING"
    assert "3600 s" in line["found"] or "3599 s" in line["found"]  # the second may turn between the two clocks
