"""The throw-away services do what the other tests rely on."""

import http.client
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymysql
import pytest

from tests.services import AwsEndpoint, Login, MotoServer, MysqlServer, ServerFailed, create_database
from tests.services.certificates import make_certificates
from tests.services.process import Process, start_time


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MysqlServer]:
    """A server of the test's own, which it may kill."""
    with MysqlServer(tmp_path / "server") as server:
        yield server


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    """Our own emulator, whatever the others test against: it must do what S3 does and what others may not."""
    with MotoServer(tmp_path_factory.mktemp("moto")) as server:
        server.endpoint.create_bucket("test-moto")
        yield server.endpoint


def test_options_reach_the_server(tmp_path: Path) -> None:
    """A server can be made as strange as any that the program may meet."""
    options = "--local-infile=0", "--default-time-zone=-05:00", "--character-set-server=latin1", "--sql-mode="
    with MysqlServer(tmp_path, *options) as server:
        (row,) = server.login.query("SELECT @@local_infile, @@time_zone, @@character_set_database, @@sql_mode")
    assert row == (0, "-05:00", "latin1", "")


def test_local_infile_is_on_unless_switched_off(mysql: Login) -> None:
    """LOAD DATA LOCAL works on the session's server."""
    assert mysql.query("SELECT @@local_infile") == ((1,),)


def test_user_has_all_rights_on_one_database_only(mysql: Login, database: Login) -> None:
    """The program's user can make tables in its own database, and see nothing of another."""
    other = create_database(mysql, f"{database.database}x", f"{database.user}x", "another")
    database.query("CREATE TABLE t (a INT)")
    for statement in (f"USE `{other.database}`", "SELECT * FROM mysql.user", "SET GLOBAL local_infile = 1"):
        with pytest.raises(pymysql.err.OperationalError) as refused:
            database.query(statement)
        assert refused.value.args[0] in {1044, 1142, 1227}
    mysql.query(f"DROP DATABASE `{other.database}`")


def test_two_servers_at_once(server: MysqlServer, tmp_path: Path) -> None:
    """Each has its own port and data."""
    with MysqlServer(tmp_path / "second") as second:
        assert second.port != server.port
        server.login.query("CREATE TABLE only_here (a INT)")
        assert second.login.query("SHOW TABLES") == ()


def test_servers_that_are_made_at_the_same_time(tmp_path: Path) -> None:
    """A MariaDB that starts removes what others keep in a common temporary directory."""

    def one(number: int) -> None:
        with MysqlServer(tmp_path / str(number)) as server:
            server.login.query("SELECT 1")

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(one, range(5)))


def test_stop_leaves_no_process_and_keeps_the_data(server: MysqlServer) -> None:
    """A stopped server is gone, and starts again where it was."""
    server.login.query("CREATE TABLE t (a INT)")
    assert server.process
    pid = server.process.pid
    server.stop()
    assert start_time(pid) is None
    assert not server.running
    server.start()
    assert server.login.query("SHOW TABLES") == (("t",),)


def test_killed_server_is_seen_and_has_what_it_committed(server: MysqlServer) -> None:
    """A crash loses nothing that a client was told is there."""
    server.login.query("CREATE TABLE t (a INT)")
    server.login.query("INSERT INTO t VALUES (1)")
    server.kill()
    assert not server.running
    with pytest.raises(pymysql.err.OperationalError):
        server.login.connect()
    server.start()
    assert server.login.query("SELECT a FROM t") == ((1,),)


def test_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    """The message tells what the server said, and no process stays."""
    server = MysqlServer(tmp_path, "--no-such-option=1")
    with pytest.raises(ServerFailed, match="no-such-option"):
        server.start()
    assert not server.running


def test_server_found_by_its_directory(server: MysqlServer) -> None:
    """A later program uses the running server; another option means another server."""
    again = MysqlServer(server.directory)
    assert again.running
    assert not again.ensure()
    assert again.login == server.login
    strange = MysqlServer(server.directory, "--default-time-zone=+03:00")
    assert strange.ensure()
    assert strange.login.query("SELECT @@time_zone") == (("+03:00",),)
    strange.stop()


def test_tls_with_given_certificates(tmp_path: Path) -> None:
    """A client that trusts the authority is let in over TLS, one that trusts others refuses."""
    files = make_certificates(tmp_path)
    with MysqlServer(tmp_path / "server", tls=files) as server:
        with server.login.connect(ssl={"ca": str(files[0])}) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
            assert cursor.fetchall()[0][1]
        with pytest.raises(pymysql.err.OperationalError):
            server.login.connect(ssl=ssl.create_default_context())


def test_moto_keeps_versions_and_log_groups(aws: AwsEndpoint, bucket: str) -> None:
    """Overwriting makes a new version, a stale conditional put is refused, and making things twice is no error."""
    s3 = aws.client("s3")
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    assert first["VersionId"] != second["VersionId"]
    with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=first["ETag"])
    aws.create_bucket(bucket)
    aws.create_log_group("/test")
    aws.create_log_group("/test")


def test_moto_keeps_a_connection_and_answers_each_request_on_it(moto: AwsEndpoint) -> None:
    """As S3 does, whatever the request: refused with its body sent, without a body, unknown."""
    connection = http.client.HTTPConnection(moto.url.removeprefix("http://"), timeout=10)
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request, SignedHeaders=, Signature="}
    answers = []
    for method, path, headers in (
        ("PUT", "k", {}),
        ("PUT", "k", {"If-None-Match": "*"}),
        ("HEAD", "k", {}),
        ("HEAD", "none", {}),
        ("DELETE", "k", {}),
        ("GET", "k", {}),
    ):
        connection.request(method, f"/test-moto/{path}", b"bytes" if method == "PUT" else None, signed | headers)
        ours = connection.sock
        with connection.getresponse() as answer:
            answer.read()
        answers.append(answer.status)
        assert connection.sock is ours
    connection.close()
    assert answers == [200, 412, 200, 404, 204, 404]


def test_moto_stores_nothing_of_a_body_that_breaks_off(moto: AwsEndpoint) -> None:
    """As S3 does: the fault tests end programs in the middle of a request."""
    host, _, port = moto.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"PUT /test-moto/broken HTTP/1.1\r\nHost: s3\r\nContent-Length: 10\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert moto.client("s3").list_objects_v2(Bucket="test-moto", Prefix="broken")["KeyCount"] == 0


def test_stop_leaves_no_moto(tmp_path: Path) -> None:
    """moto's process is gone after use."""
    with MotoServer(tmp_path) as server:
        assert server.running
    assert not server.running


def test_a_strangers_process_is_left_alone() -> None:
    """An id that was given to another process since is not ours to stop."""
    me = Process(os.getpid(), "started at another time")
    me.stop()
    me.kill()
    assert not me.running
    assert Process(os.getpid(), start_time(os.getpid()) or "").running


def test_stop_ends_a_process_that_does_not_listen(tmp_path: Path) -> None:
    """SIGTERM first, then SIGKILL."""
    command = ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]
    log = tmp_path / "log"
    process = Process.start(command, log=log, environment=dict(os.environ), cwd=None)
    while "ready" not in log.read_text():
        time.sleep(0.01)
    process.stop(timeout_s=0.2)
    assert not process.running
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, signal.SIGCONT)
