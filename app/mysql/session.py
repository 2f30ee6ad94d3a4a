"""The connection to MySQL: strict sessions, verified TLS, passwords that stay secret, and files that stay ours.

A server is not trusted before it is verified. LOAD DATA LOCAL lets it ask the client for any file by name: this client never
opens one and answers only with the stream that was handed to `load`. A log-in method may ask for the password itself: it is sent
only where TLS was verified.
"""

import contextlib
import functools
import math
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

import pymysql
from pymysql import _auth
from pymysql.connections import Connection, MySQLResult
from pymysql.constants import CR
from pymysql.err import OperationalError

from ..errors import PipelineError, WarehouseError, waiting_for
from ..settings import Settings
from .hints import hint_for

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_TIMEOUT_S = 10
LOCK_WAIT_S = 30  # for a row or for a table's metadata
MALFORMED = CR.CR_MALFORMED_PACKET
_SPARE_S = 60  # the server keeps a quiet session this much longer than a run may take
_PACKET_BYTES = 1 << 20
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}  # gateways forget connections that are quiet
_CHALLENGED = (b"mysql_native_password", b"client_ed25519")  # the password itself is never sent, whatever the server answers
_FAST_LOGIN_ACCEPTED = 3  # by caching_sha2_password; 4 asks for the full log-in
_WEAK = (b"mysql_old_password",)
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


class _Result(MySQLResult):
    """A result whose file request is answered from the connection's own stream."""

    def _read_load_local_packet(self, first_packet: Any) -> None:  # noqa: ARG002  # the name that it asks for does not matter
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
        except Exception as error:  # noqa: BLE001  # the server must learn that the stream ended before the error goes on
            fault = error
        connection.write_packet(b"")
        packet = connection._read_packet()
        if fault:
            connection.stream_fault = fault
            raise fault
        if stream is None:
            connection._force_close()
            raise WarehouseError("the server asked for a file that nothing was to be loaded from", hint="nothing was sent")
        self._read_ok_packet(packet)  # type: ignore[attr-defined]


class _Connection(Connection):
    """PyMySQL's connection, with a server that may lie: it gets no file, no password, and its garbled answers are errors."""

    _auth_plugin_name: str
    stream: Iterable[bytes] | None = None
    stream_fault: BaseException | None = None

    def __init__(self, *, trusted: bool, **options: Any) -> None:
        self._trusted = trusted
        super().__init__(**options)

    # --- garbled answers ------------------------------------------------------------------------------------------

    def connect(self, sock: Any = None) -> None:
        with self._readable():
            super().connect(sock)

    def _read_query_result(self, unbuffered: bool = False) -> int:  # noqa: ARG002  # no caller asks for it
        with self._readable():
            self._result = None
            result = _Result(self)
            result.read()
            self._result = result
            if result.server_status is not None:
                self.server_status = result.server_status
            return result.affected_rows or 0

    def _read_ok_packet(self) -> Any:
        with self._readable():
            return super()._read_ok_packet()  # type: ignore[misc]

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Make an OperationalError of anything that PyMySQL stumbles over: it expects a server that keeps the protocol."""
        try:
            yield
        except (pymysql.MySQLError, PipelineError):
            raise
        except Exception as error:
            if error is self.stream_fault:
                raise
            self._force_close()  # type: ignore[attr-defined]
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise OperationalError(MALFORMED, f"the server's answer can't be read ({text})") from error

    # --- logging in -----------------------------------------------------------------------------------------------

    def _get_server_information(self) -> None:
        super()._get_server_information()  # type: ignore[misc]
        if not self._trusted and self._auth_plugin_name.encode() not in _CHALLENGED:
            # For sha256_password PyMySQL would send the password at once. A server that wants another method says so.
            self._auth_plugin_name = "caching_sha2_password"

    def _get_auth_plugin_handler(self, plugin_name: bytes) -> "_Login | None":
        return None if self._trusted and plugin_name not in _WEAK else _Login(self, plugin_name)


class _Login:
    """How PyMySQL logs in to a server that was not verified, in place of its own code: the password itself is never sent."""

    def __init__(self, connection: Any, method: bytes) -> None:
        self._connection, self._method = connection, method

    def authenticate(self, packet: Any) -> Any:
        """Answer a packet of the log-in; the server's next one."""
        if self._method in _WEAK:
            raise OperationalError(
                CR.CR_AUTH_PLUGIN_CANNOT_LOAD, f"the server asks for {self._method.decode()}, which is not safe"
            )
        if self._method in _CHALLENGED:
            return self._connection._process_auth(self._method, packet)
        if self._method == b"caching_sha2_password":
            return self._fast(packet)
        raise self._refusal(self._method.decode("ascii", "replace"))

    def _fast(self, packet: Any) -> Any:
        """The part of caching_sha2_password that proves the password without sending it."""
        connection = self._connection
        if packet.is_auth_switch_request():
            connection.salt = packet.read_all().removesuffix(b"\0")
            connection.write_packet(_auth.scramble_caching_sha2(connection.password, connection.salt))
            packet = connection._read_packet()
        if not packet.is_extra_auth_data():
            return packet
        if packet.get_all_data()[1] == _FAST_LOGIN_ACCEPTED:
            return connection._read_packet()
        raise self._refusal("caching_sha2_password's full log-in")

    @staticmethod
    def _refusal(method: str) -> OperationalError:
        asked = f"the server asks for the password itself ({method}), as it does for a wrong one"
        text = f"{asked}, and who it is was not verified; nothing was sent"
        return OperationalError(CR.CR_AUTH_PLUGIN_ERR, text)


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
                self._connection = _Connection(
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
