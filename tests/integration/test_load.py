"""The strict load: what LOAD DATA LOCAL alters or skips with no more than a warning, or with none, is a failed load."""

from collections.abc import Iterator

import pytest

from app.errors import WarehouseError
from app.mysql.session import Session
from app.settings import load_settings
from tests.program import KEYS, Program
from tests.sample_api import SampleApi
from tests.sample_api.records import launch

LOAD = "LOAD DATA LOCAL INFILE 'rows' INTO TABLE `loaded` CHARACTER SET utf8mb4"


@pytest.fixture
def session(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    for name, value in settings_env.items():
        monkeypatch.setenv(name, value)
    session = Session(load_settings(), timeout_s=30)
    session.execute(
        "CREATE TEMPORARY TABLE `loaded` (`id` INT NOT NULL PRIMARY KEY, `text` VARCHAR(3) CHARACTER SET utf8mb4, `at` DATETIME)"
    )
    yield session
    session.close()


@pytest.mark.parametrize(
    "line",
    [
        b"2\tlong\t\\N\n",
        b"two\tabc\t\\N\n",
        b"\\N\tabc\t\\N\n",
        b"99999999999\tabc\t\\N\n",
        b"1\tagain\t\\N\n",
        b"2\tabc\t2020-02-31 00:00:00\n",
        b"2\tabc\t0000-00-00 00:00:00\n",
        b"2\tabc\n",
        b"2\tabc\t\\N\tmore\n",
        b"2\t\xff\t\\N\n",
    ],
)
def test_what_gives_a_warning_or_an_error_fails(session: Session, line: bytes) -> None:
    with pytest.raises(WarehouseError):
        session.load(LOAD, iter([b"1\tabc\t2020-01-01 00:00:00\n", line]), lambda: 2)


@pytest.mark.parametrize("stream", [b"", b"1\tabc\t\\N\n", b"1\tabc\t\\N\n2\tabc\t\\N\n3\tabc\t\\N\n"])
def test_rows_that_go_or_come_on_the_way_fail_without_a_warning(session: Session, stream: bytes) -> None:
    with pytest.raises(WarehouseError, match="2 rows were sent"):
        session.load(LOAD, iter([stream]), lambda: 2)


def test_what_fits_is_loaded_as_it_is(session: Session) -> None:
    session.load(LOAD, iter([b"1\tabc\t2020-01-01", b" 00:00:00\n2\t", "äöü\t\\N\n".encode()]), lambda: 2)
    assert session.query("SELECT `id`, `text` FROM `loaded`") == [(1, "abc"), (2, "äöü")]


def test_other_statements_alter_nothing_either(session: Session) -> None:
    with pytest.raises(WarehouseError, match="text"):
        session.execute("INSERT INTO `loaded` (`id`, `text`) VALUES (1, 'long')")


def test_an_empty_table_that_takes_a_row_only_with_a_warning_stays_empty(program: Program, api: SampleApi) -> None:
    """Somebody's own index: LOCAL makes a warning of what it forbids, and skips the row."""
    program.run()
    for table in (*KEYS, "pipeline_runs"):
        program.login.query(f"TRUNCATE TABLE `{table}`")
    program.login.query("ALTER TABLE `launches` ADD UNIQUE `one_name` (`name`)")
    api.set_launches([launch(0), launch(1) | {"name": launch(0)["name"]}])
    failed = program.run("--accept-shrink", code=6)
    assert "2 rows gave 1 warnings" in failed["error"]
    assert "Duplicate entry" in failed["error"]
    assert [program.in_mysql(table) for table in KEYS] == [[]] * len(KEYS)
    program.login.query("ALTER TABLE `launches` DROP INDEX `one_name`")
    assert program.run("--accept-shrink")["merged"]["launches"] == {"inserted": 2, "updated": 0, "deleted": 0}
    program.assert_equal(2)
