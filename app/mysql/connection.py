"""PyMySQL's connection to a server that may lie: it gets no file and no password, and its garbled answers are errors.

LOAD DATA LOCAL lets a server ask the client for any file by name: this client never opens one and answers only with the stream
that was handed to it. A log-in method may ask for the password itself: it is sent only where TLS was verified.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import pymysql
from pymysql import _auth
from pymysql.connections import Connection as PyMysqlConnection
from pymysql.connections import MySQLResult
from pymysql.constants import CR
from pymysql.err import OperationalError

from ..errors import PipelineError, WarehouseError

MALFORMED = CR.CR_MALFORMED_PACKET
_PACKET_BYTES = 1 << 20
_CHALLENGED = (b"mysql_native_password", b"client_ed25519")  # the password itself is never sent, whatever the server answers
_FAST_LOGIN_ACCEPTED = 3  # by caching_sha2_password; 4 asks for the full log-in
_WEAK = (b"mysql_old_password",)


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


class Connection(PyMysqlConnection):
    """A connection; `trusted`: the server was verified, or the settings allow one that was not."""

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
