"""The sending of answers, right or wrong, on a loopback port."""

import contextlib
import gzip
import os
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.sample_api.faults import Fault

_HOST = "127.0.0.1"
JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
CHANGE = "_change"
"""The path that takes changes of launches."""


@dataclass(frozen=True)
class Request:
    """One request as it came; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One answer, and how wrong it is to be sent."""

    status: int
    body: bytes | bytearray = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = field(default_factory=Fault)


class Server(ThreadingHTTPServer):
    """Ends kept-alive connections too when it closes, and says nothing of clients that went away."""

    request_queue_size = 128

    def __init__(self, port: int, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__((_HOST, port), _Handler)
        self.url = f"http://{_HOST}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.socket.getsockname()[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        """One more connection, remembered."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """One connection less."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening and break off what is open."""
        self.closing.set()
        super().server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of our own faults only."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        answer = self.server.answer(Request(self.command, self.path, headers, body))
        fault = answer.fault
        if fault.hang_s and self.server.closing.wait(fault.hang_s):
            self.close_connection = True
        elif fault.reset:
            self._reset()
        else:
            zipped = fault.gzip and "gzip" in headers.get("accept-encoding", "")
            self._send(answer, gzip.compress(answer.body, 1) if zipped else answer.body, zipped=zipped)

    do_POST = do_GET  # noqa: N815 - the base class asks for these names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: `SampleApi.requests` tells."""

    def _send(self, answer: Answer, body: bytes | bytearray, *, zipped: bool) -> None:
        headers = {"Content-Type": answer.content_type, **answer.headers}
        if zipped:
            headers["Content-Encoding"] = "gzip"
        if answer.fault.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif answer.status not in {204, 304}:
            headers["Content-Length"] = str(len(body))
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.status not in {204, 304}:
            self._send_body(memoryview(body), answer.fault)

    def _send_body(self, body: memoryview, fault: Fault) -> None:
        sent = body[: len(body) // 2] if fault.cut else body
        size = fault.drip_bytes if fault.drip_s else max(1, len(sent))
        for start in range(0, len(sent), size):
            piece = sent[start : start + size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), bytes(piece)) if fault.chunked else piece)
            if fault.drip_s and self.server.closing.wait(fault.drip_s):
                self.close_connection = True
                return
        if fault.cut:
            self.close_connection = True
        elif fault.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        """Close so that the system sends a reset: at once, without the farewell that the base class would say."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True
