"""A TCP proxy on loopback that hands on what passes, until it is told how the network shall fail."""

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tests.services.server import HOST

_CHUNK = 1 << 16
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class Trouble:
    """How the network fails, from the first request that matches `since` on (the default: from the first byte)."""

    since: bytes = b""
    hole: bool = False  # everything sent is taken, nothing ever comes back
    drip_s: float = 0.0  # pause after each byte of an answer
    reset_after: int | None = None  # bytes of an answer that arrive before the connection is reset
    cut_after: int | None = None  # the same, but it is closed as if that were all
    answer: bytes = b""  # instead of the server's: for each request this, and the connection is closed
    file: bytes = b""  # MySQL: the answer is a request for this file; what then comes is kept in `taken`


@dataclass(frozen=True)
class _Answer:
    """What some requests are answered in the server's place."""

    pattern: re.Pattern[bytes]
    answer: bytes
    times: int
    meanwhile: Callable[[], object]


class Proxy:
    """A port in front of a server.

    `lose(pattern)`: the request is handed on, the server does it, and whoever asked is cut off instead of answered.
    `answer(pattern, …)`: the request never reaches the server, and is answered here.
    To read what passes, `mysql` tells clients that the server has no TLS; `tls` makes the proxy speak TLS to them itself.
    """

    def __init__(
        self, host: str, port: int, *, mysql: bool = False, tls: ssl.SSLContext | None = None, listen: str = HOST
    ) -> None:
        self._target = (host, port)
        self._host = listen
        self._mysql = mysql
        self._tls = tls
        self._trouble: Trouble | None = None
        self._begun = False
        self._losing: re.Pattern[bytes] | None = None
        self._left = 0
        self.lost = 0
        self._answering: _Answer | None = None
        self.answered = 0
        self.taken = b""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = socket.create_server((listen, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """The address for clients of HTTP."""
        return f"http{'s' if self._tls else ''}://{self._host}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            _end(one)

    def fail(self, trouble: Trouble | None) -> None:
        """Fail so from now on; None ends it."""
        self._trouble, self._begun = trouble, False

    def lose(self, pattern: bytes, times: int = 1) -> None:
        """Let so many requests that match have their effect, and cut the connection instead of handing back the answer."""
        self._losing, self._left, self.lost = re.compile(pattern, re.DOTALL), times, 0

    def answer(self, pattern: bytes, answer: bytes, times: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Answer so many requests that match in the server's place, once what happens meanwhile has happened."""
        self._answering, self.answered = _Answer(re.compile(pattern, re.DOTALL), answer, times, meanwhile), 0

    @property
    def failing(self) -> bool:
        """Whether the request has come since which it fails."""
        return self._begun

    # --- connections ----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        try:
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
                self._open.add(client)
            server = socket.create_connection(self._target)
        except OSError:  # a client that does not trust us, a server that is away
            _end(client)
            return
        self._open.add(server)
        connection = _Connection(self, client, server)
        connection.run()
        if connection.reset:  # with this set, closing sends a reset; no thread may be reading there any more
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        for one in (client, server):
            _end(one)
            self._open.discard(one)

    def _trouble_of(self, request: bytes) -> Trouble | None:
        """What is wrong now, once the request has come."""
        trouble = self._trouble
        if trouble and not self._begun and re.search(trouble.since, request, re.DOTALL):
            self._begun = True
        return trouble if self._begun else None

    def _answer_to(self, request: bytes) -> bytes:
        """What this request is answered in the server's place; empty: it is handed on."""
        one = self._answering
        with self._lock:
            if one is None or self.answered >= one.times or not one.pattern.search(request):
                return b""
            self.answered += 1
        one.meanwhile()
        return one.answer

    def _takes(self, request: bytes) -> bool:
        """Whether the answer to this request is to be lost."""
        with self._lock:
            if not self._left or self._losing is None or not self._losing.search(request):
                return False
            self._left -= 1
            self.lost += 1
            return True


class _Connection:
    """One client and the server, and what passes between them."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._cut = threading.Event()
        self._greeted = not proxy._mysql
        self.reset = self._asked = False

    def run(self) -> None:
        back = threading.Thread(target=self._pump, args=(self._server, self._answers), daemon=True)
        back.start()
        self._pump(self._client, self._requests)
        back.join()

    def _pump(self, source: socket.socket, hand_on: Callable[[bytes], bool]) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(_CHUNK)) and hand_on(data):
                pass
        for side in (self._client, self._server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RD if self.reset else socket.SHUT_RDWR)

    def _requests(self, data: bytes) -> bool:
        trouble = self._proxy._trouble_of(data)
        if trouble and trouble.hole:
            return True
        if trouble and trouble.file:
            return self._ask_for(trouble.file, data)
        if trouble and trouble.answer:
            self._client.sendall(trouble.answer)
            return False
        if answer := self._proxy._answer_to(data):
            self._client.sendall(answer)
            return False
        if self._proxy._takes(data):
            self._cut.set()
        self._server.sendall(data)
        return True

    def _ask_for(self, file: bytes, data: bytes) -> bool:
        """Answer a statement with a request for a file, take what comes, and say thanks."""
        if not self._asked:
            self._asked = True
            self._client.sendall(_packet(1, b"\xfb" + file))
            return True
        self._proxy.taken += data
        if data[-4:-1] == b"\0\0\0":  # an empty packet ends the file
            self._client.sendall(_packet(data[-1] + 1, b"\0\0\0\2\0\0\0"))
            self._asked = False
        return True

    def _answers(self, data: bytes) -> bool:
        if self._cut.is_set() and data != _CONTINUE and data[4:5] != b"\xfb":  # 0xfb: MySQL asks for the file to load
            return False  # the server has answered: it is done, and nobody is told
        if not self._greeted:
            data, self._greeted = _without_tls(data), True
        trouble = self._proxy._trouble_of(b"")
        if trouble is None or data == _CONTINUE:
            self._client.sendall(data)
            return True
        if trouble.reset_after is not None or trouble.cut_after is not None:
            self._client.sendall(data[: trouble.reset_after or trouble.cut_after])
            self.reset = trouble.reset_after is not None
            return False
        if trouble.drip_s:
            for byte in data:
                self._client.sendall(bytes([byte]))
                if self._proxy._closing.wait(trouble.drip_s):
                    return False
            return True
        if not trouble.hole:
            self._client.sendall(data)
        return True


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload


def _without_tls(greeting: bytes) -> bytes:
    """A server's first packet (protocol 10) with the capability CLIENT_SSL, 0x0800, taken out."""
    capabilities = greeting.index(b"\0", 5) + 1 + 4 + 8 + 1  # after the version: thread id, salt, filler
    changed = bytearray(greeting)
    changed[capabilities + 1] &= ~0x08
    return bytes(changed)
