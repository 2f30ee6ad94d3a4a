"""As much of ECS as starting a task and watching it end takes: a task is a process here, and its lines go to CloudWatch Logs."""

import json
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from servers import Account

ARN = "arn:aws:ecs:us-east-1:123456789012"


class Ecs:
    """A cluster. `program` makes the words of a process from a container's command."""

    def __init__(self, logs: Account, group: str, program: Callable[[list[str]], list[str]]) -> None:
        self.logs, self.group, self.program = logs.client("logs"), group, program
        self.started: list[dict[str, Any]] = []
        self.refusal: str | None = None
        self.not_pulled: str | None = None
        self.logs_are_late = False
        self._processes: list[subprocess.Popen[str]] = []
        self._streams: set[str] = set()
        self._tasks: dict[str, dict[str, Any]] = {}
        answers = {"RunTask": self._run, "DescribeTasks": self._describe}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = answers[self.headers["X-Amz-Target"].rpartition(".")[2]](request)
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        for process in self._processes:
            process.kill()
        self._server.shutdown()
        self._server.server_close()

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        self.started.append(request)
        if self.refusal:
            return {"tasks": [], "failures": [{"arn": request["cluster"], "reason": self.refusal}]}
        ((override),) = request["overrides"]["containerOverrides"]
        name = uuid.uuid4().hex
        task = {
            "taskArn": f"{ARN}:task/{request['cluster']}/{name}",
            "lastStatus": "PROVISIONING",
            "containers": [{"name": override["name"], "lastStatus": "PENDING"}],
        }
        self._tasks[task["taskArn"]] = task
        threading.Thread(target=self._live, args=(task, name, override["command"]), daemon=True).start()
        return {"tasks": [task], "failures": []}

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"tasks": [self._tasks[arn] for arn in request["tasks"]], "failures": []}

    def _live(self, task: dict[str, Any], name: str, command: list[str]) -> None:
        (container,) = task["containers"]
        if self.not_pulled:
            container |= {"reason": self.not_pulled}
            task |= {"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": "Task failed to start"}
            return
        task["lastStatus"] = "RUNNING"
        stream = f"task/{container['name']}/{name}"
        held = []
        with subprocess.Popen(self.program(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            self._processes.append(process)
            assert process.stdout
            for line in process.stdout:
                if self.logs_are_late:
                    held.append(line)
                else:
                    self._put(stream, line)
        container["exitCode"] = process.returncode
        task |= {
            "lastStatus": "STOPPED",
            "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
        }
        if held:  # as a buffering driver may do
            time.sleep(2)
        for line in held:
            self._put(stream, line)

    def _put(self, stream: str, line: str) -> None:
        if stream not in self._streams:
            self._streams.add(stream)
            self.logs.create_log_stream(logGroupName=self.group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": line.rstrip("\n")}
        self.logs.put_log_events(logGroupName=self.group, logStreamName=stream, logEvents=[event])
