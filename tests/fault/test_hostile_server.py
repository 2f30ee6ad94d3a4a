"""A MySQL server that answers a statement with a request for a file of ours gets nothing but the rows that were to be loaded."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fault.world import AFTER, new_world
from tests.services import AwsEndpoint, Login
from tests.services.lying import packet
from tests.services.proxy import Proxy, Trouble
from tests.services.server import HOST

OF_A_FIRST_RUN = [b"CREATE TABLE", b"INTO TABLE `launches`"]
STATEMENTS = [
    *OF_A_FIRST_RUN,
    *(b"SET NAMES", b"SET SESSION sql_mode", b"GET_LOCK", b"information_schema"),
    *(b"INSERT INTO `pipeline_runs`", b"COUNT", b"CREATE TEMPORARY", b"START TRANSACTION", b"UPDATE `launches`"),
    *(b"INSERT INTO `launches`", b"DELETE t", b"BIT_XOR", b"\x03COMMIT$", b"LOAD DATA"),
    b"INTO TABLE `stage_launches`",
]


def test_a_request_for_a_file_is_never_granted(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> None:
    secret = Path("/etc/passwd").read_bytes().splitlines()[0]

    def asked_at(statement: bytes) -> str:
        folder = tmp_path / str(STATEMENTS.index(statement))
        with new_world(mysql, aws, folder, RUN_TIMEOUT_S="30") as world:
            if statement not in OF_A_FIRST_RUN:
                assert world.run_forked() == 0, world.last_line
                world.api.set("launches", AFTER)
            with Proxy(world.login.host, world.login.port, mysql=True) as proxy:
                proxy.fail(Trouble(statement, file=b"/etc/passwd"))
                code = world.run_forked(MYSQL_HOST=HOST, MYSQL_PORT=str(proxy.port))
                assert proxy.failing, f"no {statement!r} was sent"
                assert code == 6, f"{statement!r}: exit {code}: {world.last_line}"
                # After the question come statements, as they ever would, and where rows were to be loaded those.
                assert secret not in proxy.taken
                if statement in (b"INTO TABLE `stage_launches`", b"INTO TABLE `launches`"):
                    assert b"launch-1\tspacex\t1\tLaunch 1" in proxy.taken
            assert world.run_forked() == 0, world.last_line
            return world.last_line

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(asked_at, STATEMENTS))


GARBLED = [  # payloads of a first answer to a statement; the last ones are whole answers with values of another kind
    b"\0",
    b"\1",
    b"\xff",
    b"\xfe\xfe",
    b"\2\3def",
    b"\x15" * 40,
]


def test_a_garbled_answer_is_a_failure_of_mysql(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> None:
    """At every step of the dialogue; the next run is a good one."""

    def garbled_at(statement: bytes) -> None:
        folder = tmp_path / str(STATEMENTS.index(statement))
        with new_world(mysql, aws, folder, RUN_TIMEOUT_S="30") as world:
            if statement not in OF_A_FIRST_RUN:
                assert world.run_forked() == 0, world.last_line
                world.api.set("launches", AFTER)
            for payload in (GARBLED[STATEMENTS.index(statement) % len(GARBLED)], rows(b"nonsense"), rows()):
                with Proxy(world.login.host, world.login.port, mysql=True) as proxy:
                    proxy.fail(Trouble(statement, answer=payload if payload[3:4] == b"\1" else packet(1, payload)))
                    code = world.run_forked(MYSQL_HOST=HOST, MYSQL_PORT=str(proxy.port))
                    assert proxy.failing, f"no {statement!r} was sent"
                    assert code == 6, f"{statement!r}, {payload!r}: exit {code}: {world.last_line}"
            assert world.run_forked() == 0, world.last_line

    with ThreadPoolExecutor(3) as pool:
        failures = [
            failure for failure in (pool.submit(garbled_at, statement) for statement in STATEMENTS) if failure.exception()
        ]
    assert [str(failure.exception()) for failure in failures] == []


def rows(*values: bytes) -> bytes:
    """A whole answer of one column of text: one row for each value."""
    column = b"\3def\0\0\0\1x\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0"
    ended = b"\xfe\0\0\2\0"
    parts = [b"\1", column, ended, *(bytes([len(value)]) + value for value in values), ended]
    return b"".join(packet(number, part) for number, part in enumerate(parts, start=1))
