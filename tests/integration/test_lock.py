"""The run lock can be lost while the connection lives, as behind a proxy that shares connections: then nothing more is done."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.core.model import Run
from app.errors import WarehouseError
from app.mysql.warehouse import MysqlWarehouse
from app.settings import load_settings
from tests.program import Program

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run("20260101T000000Z-00000000", NOW, "spacex", NOW)


@pytest.fixture
def warehouse(program: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[MysqlWarehouse]:
    """A run that has begun; whatever becomes of it, the stores are as before and the next run publishes."""
    program.run()
    for name, value in program.environment.items():
        monkeypatch.setenv(name, value)
    with MysqlWarehouse(load_settings()) as warehouse:
        warehouse.lock()
        warehouse.prepare(RUN)
        yield warehouse
    assert program.login.query("SELECT state FROM pipeline_runs WHERE run_id = %s", RUN.id) == (("running",),)
    program.run()
    program.assert_equal(40)


def test_without_the_lock_nothing_is_merged(warehouse: MysqlWarehouse) -> None:
    lose_lock(warehouse)
    with pytest.raises(WarehouseError, match="the run lock was lost"):
        warehouse.merge(RUN, {}, {}, ()).__enter__()


def test_without_the_lock_nothing_is_committed(warehouse: MysqlWarehouse) -> None:
    with warehouse.merge(RUN, {}, {}, ()) as merge:
        lose_lock(warehouse)
        with pytest.raises(WarehouseError, match="the run lock was lost"):
            merge.commit()


def lose_lock(warehouse: MysqlWarehouse) -> None:
    """As the server sees it, nobody holds it now."""
    warehouse._session.query("SELECT RELEASE_ALL_LOCKS()")
