"""A service of AWS that starts processes here; what they print goes to CloudWatch Logs."""

import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from servers import Account


class Emulator:
    """Answers on loopback; `answer` says what."""

    content_type = "application/x-amz-json-1.1"

    def __init__(self) -> None:
        self.logs_are_late = False
        self.denied = ""  # what an operation's name holds that is refused
        self._processes: list[subprocess.Popen[str]] = []
        emulator = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                request = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                what = target or f"{self.command} {self.path}"
                is_denied = emulator.denied and emulator.denied in what
                code, said = (400, {"message": "denied"}) if is_denied else emulator.answer(what, json.loads(request or "{}"))
                body = json.dumps(said).encode()
                self.send_response(code)
                self.send_header("Content-Type", emulator.content_type)
                if code >= 400:
                    self.send_header("X-Amzn-Errortype", "ResourceNotFoundException" if code == 404 else "ValidationException")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def do_DELETE(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, what: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The answer to a call: of a target, or of a method and a path."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop answering."""
        for process in self._processes:
            process.kill()
        self._server.shutdown()
        self._server.server_close()

    def run(self, words: list[str], logs: Account, group: str, stream: str) -> int:
        """Run a process to its end, its lines in a stream; its exit code."""
        held = []
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            self._processes.append(process)
            assert process.stdout
            put = _Stream(logs, group, stream)
            for line in process.stdout:
                if self.logs_are_late:
                    held.append(line)
                else:
                    put(line)
        if held:  # as a buffering driver may do
            threading.Thread(target=self._put_late, args=(put, held), daemon=True).start()
        return process.returncode

    def _put_late(self, put: "_Stream", lines: list[str]) -> None:
        time.sleep(2)
        for line in lines:
            put(line)


class _Stream:
    """A stream of CloudWatch Logs, made with its first line."""

    def __init__(self, logs: Account, group: str, stream: str) -> None:
        self._client, self._names = logs.client("logs"), {"logGroupName": group, "logStreamName": stream}
        self._is_made = False

    def __call__(self, line: str) -> None:
        if not self._is_made:
            self._is_made = True
            self._client.create_log_stream(**self._names)
        event = {"timestamp": int(time.time() * 1000), "message": line.rstrip("\n")}
        self._client.put_log_events(**self._names, logEvents=[event])
