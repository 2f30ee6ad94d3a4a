"""The session with MySQL: strict, over verified TLS, with limits of its own and errors that say what to do."""

import functools
import math
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

import pymysql

from ..errors import WarehouseError, waiting_for
from ..settings import Settings
from .connection import MALFORMED, Connection
from .hints import hint_for

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_TIMEOUT_S = 10
LOCK_WAIT_S = 30  # for a row or for a table's metadata
_SPARE_S = 60  # the server keeps a quiet session this much longer than a run may take
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}  # gateways forget connections that are quiet
_SQL_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"


def _settings_of(quiet_s: int) -> str:
    """The session's own settings, in place of whatever the server's are; `quiet_s` is how long it may say nothing."""
    names = ("wait_timeout", "interactive_timeout", "net_read_timeout", "net_write_timeout")
    idle = ("idle_transaction_timeout", "idle_write_transaction_timeout", "idle_readonly_transaction_timeout")
    variables = [
        f"sql_mode = '{_SQL_MODE}'",
        "time_zone = '+00:00'",
        f"lock_wait_timeout = {LOCK_WAIT_S}",
        f"innodb_lock_wait_timeout = {LOCK_WAIT_S}",
        *(f"{name} = {quiet_s}" for name in names),
        # Limits that would cut results or refuse a merge, and counts of warnings that would leave some out.
        "sql_select_limit = 18446744073709551615",
        "sql_safe_updates = 0",
        "sql_big_selects = 1",
        "sql_notes = 1",
    ]
    only_mariadb = ", ".join([*(f"{name} = {quiet_s}" for name in idle), "max_statement_time = 0", "max_error_count = 64"])
    return f"SET SESSION {', '.join(variables)} /*M!100300 , {only_mariadb} */ /*!80000 , max_execution_time = 0 */"


def checked(method: Callable[P, T]) -> Callable[P, T]:
    """Make a WarehouseError of rows that keep the protocol but are not what was asked for: no row, or a value of another kind."""

    @functools.wraps(method)
    def reading(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return method(*arguments, **named)
        except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise WarehouseError(f"MySQL's answer is not what was asked for ({text})", hint=hint_for(MALFORMED)) from error

    return reading


class Session:
    """One connection, and its statements with errors that say what to do."""

    def __init__(self, settings: Settings, *, timeout_s: float) -> None:
        self._where = f"{settings.mysql_user}@{settings.mysql_host}:{settings.mysql_port}/{settings.mysql_database}"
        ca = settings.mysql_ssl_ca
        if ca and not ca.is_file():
            raise WarehouseError(f"MYSQL_SSL_CA names {ca}, which is no file", hint="TLS is required when it is set")
        self.trusted = bool(ca) or settings.mysql_allow_unverified
        """The server was verified, or the settings allow one that was not: secrets may be sent."""
        connect_s = min(CONNECT_TIMEOUT_S, timeout_s)
        try:
            with waiting_for(WarehouseError):
                self._connection = Connection(
                    trusted=self.trusted,
                    host=settings.mysql_host,
                    port=settings.mysql_port,
                    user=settings.mysql_user,
                    password=settings.mysql_password.get_secret_value().encode(),  # of a str PyMySQL would make Latin-1
                    database=settings.mysql_database,
                    charset="utf8mb4",
                    collation="utf8mb4_bin",
                    local_infile=True,
                    autocommit=True,
                    connect_timeout=connect_s,
                    read_timeout=connect_s,  # until the session is set up
                    write_timeout=connect_s,
                    ssl_ca=str(ca) if ca else None,
                    ssl_verify_cert=True if ca else None,
                    ssl_verify_identity=True if ca else None,
                )
        except pymysql.MySQLError as error:
            raise self._explained("connect", error, f" with the authorities in {ca}" if ca else "") from error
        except OSError as error:  # a CA file that is no certificate
            raise WarehouseError(f"connect to {self._where}: {error}", hint=f"check {ca}" if ca else "") from error
        _keep_alive(self._connection._sock)  # type: ignore[attr-defined]
        self.execute(_settings_of(math.ceil(settings.run_timeout_s) + _SPARE_S))
        self.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
        self.set_timeout(timeout_s)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it touched. Raises WarehouseError."""
        return self._run(statement, values)[0]

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query; its rows. Raises WarehouseError."""
        return self._run(statement, values)[1]

    def load(self, statement: str, stream: Iterable[bytes], sent: Callable[[], int], values: Sequence[Any] = ()) -> None:
        """LOAD DATA LOCAL from our own stream, strict: every row loaded, no warning of any kind.

        `sent` gives how many rows the stream held, once it has ended. Raises WarehouseError.
        """
        self._connection.stream = stream
        try:
            loaded = self.execute(statement, values)
        finally:
            self._connection.stream = self._connection.stream_fault = None
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
        unverified = isinstance(getattr(error, "original_exception", None), ssl.SSLError)
        return WarehouseError(f"{doing} on {self._where}{more}: {code} {text}", hint=hint_for(code, tls=unverified))


def _keep_alive(connected: socket.socket) -> None:
    for name, value in _KEEPALIVE.items():
        if option := getattr(socket, name, None):
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
