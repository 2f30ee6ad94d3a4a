"""A MySQL server that lies: it greets as one does, asks for what it should not, and keeps everything that a client sends."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Self

from tests.services.server import HOST

_TLS, _OTHERS = 0x0800, 0xFFF7DF  # capabilities: TLS, and everything else that servers offer to log in
_SALT = b"abcdefgh", b"ijklmnopqrst\0"


def packet(number: int, payload: bytes) -> bytes:
    """A packet of the protocol."""
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload


def greeting(method: str, *, tls: bool = False, version: str = "8.4.0") -> bytes:
    """What a server sends first: version, capabilities, salt, and the method that it would like."""
    capabilities = (_OTHERS | (_TLS if tls else 0)).to_bytes(4, "little")
    head = b"\x0a" + version.encode() + b"\0" + (7).to_bytes(4, "little") + _SALT[0] + b"\0"
    return packet(
        0, head + capabilities[:2] + b"\xff\2\0" + capabilities[2:] + b"\x15" + bytes(10) + _SALT[1] + method.encode() + b"\0"
    )


def switch_to(method: str, data: bytes = b"12345678901234567890\0") -> bytes:
    """A request to log in by another method."""
    return b"\xfe" + method.encode() + b"\0" + data


class LyingServer:
    """Greets with `first`, answers each packet of the client with the next of `answers`, and hangs up, or is silent for ever."""

    def __init__(
        self, first: bytes, answers: Sequence[bytes] = (), *, tls: ssl.SSLContext | None = None, silent: bool = False
    ) -> None:
        self._first, self._answers, self._tls, self._silent = first, answers, tls, silent
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.received: list[bytes] = []
        """Every packet's payload, in the order in which they came."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, EOFError):
            stack.enter_context(client)
            client.sendall(self._first)
            if self._tls:
                _read_packet(client)  # the request for TLS, which holds no secret
                client = stack.enter_context(self._tls.wrap_socket(client, server_side=True))
            for answer in self._answers:
                number, payload = _read_packet(client)
                self.received.append(payload)
                client.sendall(packet(number + 1, answer))
            self.received.append(_read_packet(client)[1])
            while self._silent and client.recv(1):
                pass


def _read_packet(client: socket.socket) -> tuple[int, bytes]:
    head = _read(client, 4)
    return head[3], _read(client, int.from_bytes(head[:3], "little"))


def _read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += (more := client.recv(size - len(data)))
        if not more:
            raise EOFError
    return data
