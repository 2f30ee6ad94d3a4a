"""moto's server with an ECS whose tasks run: each is the program of this checkout, in the environment of its definition.

moto itself starts nothing and leaves a container PENDING for ever.
"""

import subprocess
import sys
import threading
import time
from typing import Any

import moto.ecs.models
from moto.server import main

from tests.services import AwsEndpoint, MotoServer
from tests.services.server import HOST


class EcsServer(MotoServer):
    """The server in a process of its own."""

    def command(self) -> list[str]:
        """What is below."""
        return [sys.executable, "-m", __name__, str(self.port)]


def _run(task: Any, definition: Any, logs: Any) -> None:
    """What Fargate does: log driver, environment, command, exit code."""
    (container,) = definition.container_definitions
    (override,) = task.overrides["containerOverrides"]
    options = container["logConfiguration"]["options"]
    group, stream = options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{container['name']}/{task.id}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    environment = {"PATH": "/usr/bin:/bin", **{pair["name"]: pair["value"] for pair in container["environment"]}}
    command = [sys.executable, "-m", "app", *override.get("command", container["command"])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    events = [{"timestamp": int(time.time() * 1000), "message": line} for line in (done.stdout + done.stderr).splitlines()]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    task.containers[0].exitCode, task.containers[0].last_status = done.returncode, "STOPPED"
    task.desired_status = task.status = "STOPPED"


def _serve(port: str) -> None:
    backend = moto.ecs.models.EC2ContainerServiceBackend
    accept = backend.run_task
    logs = AwsEndpoint(f"http://{HOST}:{port}").client("logs")

    def run_task(self: Any, *arguments: Any, **options: Any) -> Any:
        tasks = accept(self, *arguments, **options)
        for task in tasks:
            # Its status is not a matter of how often it was looked at.
            task.advance = lambda: None  # type: ignore[method-assign]
            definition = self.describe_task_definition(task.task_definition_arn)
            threading.Thread(target=_run, args=(task, definition, logs), daemon=True).start()
        return tasks

    backend.run_task = run_task  # type: ignore[method-assign]
    main(["-H", HOST, "-p", port])


if __name__ == "__main__":
    _serve(sys.argv[1])
