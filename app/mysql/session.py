"""The connection to MySQL: sessions that warn of nothing in silence, TLS that is verified, and files that stay ours.

LOAD DATA LOCAL lets the server ask the client for any file by name. This client never opens one: it answers such a request
with the stream that was handed to `load`, whatever the server asks for, and with nothing at any other time.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pymysql
from pymysql.connections import Connection, MySQLResult
from pymysql.constants import ER

from ..errors import PipelineError, WarehouseError, waiting_for
from ..settings import Settings

CONNECT_TIMEOUT_S = 10
LOCK_WAIT_S = 30  # for a row or for a table's metadata
_PACKET_BYTES = 1 << 20
_LOCAL_INFILE_OFF = {1148, 3948, 3950, 4166}
_DENIED = {
    ER.ACCESS_DENIED_ERROR,
    ER.DBACCESS_DENIED_ERROR,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.COLUMNACCESS_DENIED_ERROR,
    1227,
}
_SQL_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"


class _Result(MySQLResult):
    """A result whose file request is answered from the connection's own stream."""

    def _read_load_local_packet(self, first_packet: Any) -> None:  # noqa: ARG002  # the name it asks for is no matter
        connection: Any = self.connection
        stream, connection.stream = connection.stream, None
        fault: BaseException | None = None
        try:
            for chunk in stream or ():
                for start in range(0, len(chunk), _PACKET_BYTES):
                    connection.write_packet(chunk[start : start + _PACKET_BYTES])
        except pymysql.MySQLError:
            raise
        except PipelineError:  # an interruption: a packet may be cut in two, nothing can follow it
            connection._force_close()
            raise
        except Exception as error:  # noqa: BLE001  # the server must be told that the stream ends before the error goes on
            fault = error
        connection.write_packet(b"")
        packet = connection._read_packet()
        if fault:
            raise fault
        if stream is None:
            connection._force_close()
            raise WarehouseError("the server asked for a file that nothing was to be loaded from", hint="nothing was sent")
        self._read_ok_packet(packet)  # type: ignore[attr-defined]


class _Connection(Connection):
    stream: Iterable[bytes] | None = None

    def _read_query_result(self, unbuffered: bool = False) -> int:  # noqa: ARG002  # nobody here asks for it
        self._result = None
        result = _Result(self)
        result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows or 0


class Session:
    """One connection, and its statements with errors that say what to do."""

    def __init__(self, settings: Settings, *, timeout_s: float) -> None:
        self._where = f"{settings.mysql_user}@{settings.mysql_host}:{settings.mysql_port}/{settings.mysql_database}"
        ca = settings.mysql_ssl_ca
        if ca and not ca.is_file():
            raise WarehouseError(f"MYSQL_SSL_CA names {ca}, which is no file", hint="TLS is required when it is set")
        try:
            with waiting_for(WarehouseError):
                self._connection = _Connection(
                    host=settings.mysql_host,
                    port=settings.mysql_port,
                    user=settings.mysql_user,
                    password=settings.mysql_password.get_secret_value(),
                    database=settings.mysql_database,
                    charset="utf8mb4",
                    local_infile=True,
                    autocommit=True,
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=timeout_s,
                    write_timeout=timeout_s,
                    ssl_ca=str(ca) if ca else None,
                    ssl_verify_cert=True if ca else None,
                    ssl_verify_identity=True if ca else None,
                )
        except pymysql.MySQLError as error:
            raise self._explained("connect", error, f" with the authorities in {ca}" if ca else "") from error
        except OSError as error:  # a CA file that is no certificate
            raise WarehouseError(f"connect to {self._where}: {error}", hint=f"check {ca}" if ca else "") from error
        self.execute("SET NAMES utf8mb4 COLLATE utf8mb4_bin")
        self.execute(f"SET SESSION sql_mode = '{_SQL_MODE}', time_zone = '+00:00'")
        self.execute(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}, innodb_lock_wait_timeout = {LOCK_WAIT_S}")
        self.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it touched. Raises WarehouseError."""
        return self._run(statement, values)[0]

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query; its rows. Raises WarehouseError."""
        return self._run(statement, values)[1]

    def load(self, statement: str, stream: Iterable[bytes], sent: Callable[[], int], values: Sequence[Any] = ()) -> None:
        """LOAD DATA LOCAL from our own stream, strict: every row loaded, no warning of any kind.

        `sent` tells how many rows the stream held, once it has ended. Raises WarehouseError.
        """
        self._connection.stream = stream
        try:
            loaded = self.execute(statement, values)
        finally:
            self._connection.stream = None
        warnings = self._connection._result.warning_count if self._connection._result else 0
        rows = sent()
        if warnings:
            said = "; ".join(f"{code} {text}" for _, code, text in self.query("SHOW WARNINGS LIMIT 3"))
            raise WarehouseError(f"the load of {rows} rows gave {warnings} warnings: {said}", hint="nothing was merged")
        if loaded != rows:
            raise WarehouseError(f"{rows} rows were sent, {loaded} were loaded", hint="nothing was merged")

    def commit(self) -> None:
        """COMMIT. Raises pymysql.MySQLError as it is: whether it happened is for the caller to find out."""
        with waiting_for(WarehouseError):
            self._connection.commit()

    @property
    def is_open(self) -> bool:
        """The connection was neither closed nor found dead."""
        return bool(self._connection.open)

    def set_timeout(self, timeout_s: float) -> None:
        """Wait no longer than this for any further answer."""
        self._connection._read_timeout = self._connection._write_timeout = timeout_s  # type: ignore[attr-defined]

    def close(self) -> None:
        """Leave; the server frees the run lock and drops temporary tables."""
        self._connection._force_close()  # type: ignore[attr-defined]

    def _run(self, statement: str, values: Sequence[Any]) -> tuple[int, list[tuple[Any, ...]]]:
        try:
            with waiting_for(WarehouseError), self._connection.cursor() as cursor:
                touched = cursor.execute(statement, values or None)
                return touched, list(cursor.fetchall())
        except pymysql.MySQLError as error:
            raise self._explained(" ".join(statement.split()[:6]), error) from error

    def _explained(self, doing: str, error: pymysql.MySQLError, more: str = "") -> WarehouseError:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else str(error)
        hint = ""
        if code in _LOCAL_INFILE_OFF:
            hint = "set local_infile = 1 on the server (on RDS: in its parameter group); the client allows it already"
        elif code in _DENIED:
            hint = "check MYSQL_USER, MYSQL_PASSWORD and the user's rights on the database"
        elif code == ER.LOCK_WAIT_TIMEOUT:
            hint = f"another session held a lock for over {LOCK_WAIT_S} s"
        elif code in (2003, 2013, 2006):
            hint = "is the server up, and reachable from here?"
        return WarehouseError(f"{doing} on {self._where}{more}: {code} {text}", hint=hint)
