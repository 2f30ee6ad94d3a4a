"""Merged rows are proven over a second connection while more is merged; where there is none, over the first, as strictly."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.core.model import Run
from app.core.schema import LAUNCHES
from app.mysql.warehouse import MysqlWarehouse
from app.settings import load_settings
from tests.program import Ended, Program
from tests.sample_api import SampleApi
from tests.sample_api.records import FEW, few
from tests.services import Login
from tests.services.proxy import Proxy
from tests.services.server import HOST

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run("20260101T000000Z-00000000", NOW, "spacex", NOW)
UNCOMMITTED = b"READ UNCOMMITTED"


def proven(ended: Ended) -> tuple[int, int]:
    """How many partitions a run proved, and how many of them over the second connection."""
    (line,) = (line for line in ended.lines if line.get("stage") == "prove")
    return line["partitions"], line["beside"]


def rename_all(api: SampleApi) -> None:
    api.set("launches", [few(index) | {"name": f"Renamed {index}"} for index in range(FEW)])


def test_a_first_run_and_a_later_one_are_proven_beside_the_load(program: Program, api: SampleApi) -> None:
    partitions, beside = proven(program("run"))
    assert beside == partitions - 1  # of the history nothing was loaded: it is empty
    rename_all(api)
    partitions, beside = proven(program("run"))
    assert beside == partitions
    program.assert_equal(FEW)


def limit_connections(mysql: Login, program: Program, most: int) -> None:
    """How many connections the program's user may have; 0 is any number."""
    for (host,) in mysql.query("SELECT host FROM mysql.user WHERE user = %s", program.login.user):
        mysql.query(f"ALTER USER '{program.login.user}'@'{host}' WITH MAX_USER_CONNECTIONS {most}")


def test_who_may_have_one_connection_only_proves_over_that(program: Program, mysql: Login) -> None:
    limit_connections(mysql, program, 1)
    partitions, beside = proven(program("run"))
    assert (partitions > 0, beside) == (True, 0)
    limit_connections(mysql, program, 0)
    program.assert_equal(FEW)


def test_a_second_connection_that_is_lost_is_done_without(program: Program, api: SampleApi) -> None:
    with Proxy(program.login.host, program.login.port, mysql=True) as proxy:
        proxy.lose(UNCOMMITTED, 99)
        partitions, beside = proven(program("run", MYSQL_HOST=HOST, MYSQL_PORT=str(proxy.port)))
        assert (proxy.lost, partitions > 0, beside) == (1, True, 0)
    program.assert_equal(FEW)


def test_what_a_server_alters_is_found_by_both_connections(program: Program, mysql: Login, api: SampleApi) -> None:
    program.run()
    before = program.in_mysql("launches")
    admin = replace(mysql, database=program.login.database)
    admin.query("CREATE TRIGGER alters BEFORE UPDATE ON launches FOR EACH ROW SET NEW.details = 'altered'")
    rename_all(api)
    assert "MySQL launches" in program("run", code=8).lines[-1]["message"]
    assert program.in_mysql("launches") == before


def test_what_a_trigger_alters_in_another_table_is_found_wherever_it_is(program: Program, mysql: Login, api: SampleApi) -> None:
    """A table may be proven already, or not be touched by the run at all."""
    program.run()
    before = program.in_mysql("launches")
    admin = replace(mysql, database=program.login.database)
    alters = "UPDATE launches SET details = 'altered' ORDER BY launch_id LIMIT 1"
    admin.query(f"CREATE TRIGGER reaches AFTER INSERT ON launch_changes FOR EACH ROW {alters}")
    newest = few(FEW - 1)
    api.set("launches", [*(few(index) for index in range(FEW - 1)), newest | {"name": "Renamed"}])
    assert "MySQL launches" in program("run", code=8).lines[-1]["message"]
    assert program.in_mysql("launches") == before
    admin.query("DROP TRIGGER reaches")
    assert proven(program("run"))[1] > 0


def test_a_trigger_that_keeps_a_table_of_its_own_does_no_harm(program: Program, mysql: Login, api: SampleApi) -> None:
    admin = replace(mysql, database=program.login.database)
    admin.query("CREATE TABLE tally (number INT)")
    admin.query("INSERT INTO tally VALUES (0)")
    program.run()
    admin.query("CREATE TRIGGER counts AFTER UPDATE ON launches FOR EACH ROW UPDATE tally SET number = number + 1")
    rename_all(api)
    partitions, beside = proven(program("run"))
    assert (partitions > 0, beside) == (True, 0)
    program.assert_equal(FEW)
    admin.query("DROP TABLE tally")


@pytest.fixture
def warehouse(program: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[MysqlWarehouse]:
    """A run that has looked."""
    program.run()
    for name, value in program.environment.items():
        monkeypatch.setenv(name, value)
    with MysqlWarehouse(load_settings()) as warehouse:
        warehouse.lock()
        warehouse.prepare(RUN)
        warehouse.all_checksums().result()
        yield warehouse


def test_the_second_connection_sees_what_is_not_yet_committed_while_nobody_else_does(
    program: Program, warehouse: MysqlWarehouse
) -> None:
    (year,) = program.login.query("SELECT MIN(launch_year) FROM launches")[0]
    key = (LAUNCHES.name, year)
    before = warehouse.all_checksums().result()[key]
    with warehouse.merge(RUN, {}, {}, [key]) as merge:
        warehouse._session.execute(f"DELETE FROM launches WHERE launch_year = {year} LIMIT 1")
        merge.prove(LAUNCHES.name)
        assert merge.has_side_effects()
        inside = merge.checksums([key])
        assert merge.beside() == inside != {key: before}
        assert warehouse.all_checksums().result()[key] == before


def test_a_server_that_does_not_see_the_merge_proves_nothing(program: Program, warehouse: MysqlWarehouse) -> None:
    """As where a proxy sends the second connection to a replica: what it holds may even be what is wanted."""
    (year,) = program.login.query("SELECT MIN(launch_year) FROM launches")[0]
    assert warehouse.second.merged(RUN, LAUNCHES.name, {year}).result() == {}
    with warehouse.merge(RUN, {}, {}, ()):
        assert warehouse.second.merged(RUN, LAUNCHES.name, {year}).result() != {}
