"""A source that answers whatever a test wants, on a loopback port, and remembers what it was sent."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

Headers = dict[str, str]


@dataclass
class Reply:
    """One answer; a body may come piece by piece."""

    body: bytes | Iterable[bytes] = b"[]"
    status: int = 200
    headers: Headers = field(default_factory=dict)


class Stranger:
    """Answers every request by `reply`, which receives method and path."""

    def __init__(self, reply: Callable[[str, str], Reply]) -> None:
        self.asked: list[tuple[str, Headers]] = []
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                stranger.asked.append((f"{self.command} {self.path}", {k.lower(): v for k, v in self.headers.items()}))
                answer = reply(self.command, self.path)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if isinstance(answer.body, bytes):
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                try:
                    for piece in [answer.body] if isinstance(answer.body, bytes) else answer.body:
                        self.wfile.write(piece)
                except OSError:  # the client has heard enough
                    self.close_connection = True

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Listening."""
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Gone."""
        self._server.shutdown()
        self._server.server_close()
