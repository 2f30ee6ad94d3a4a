"""As much of ECS as starting a task and watching it end takes: a task is a process here, and its lines go to CloudWatch Logs."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

from emulator import Emulator
from servers import Account

ARN = "arn:aws:ecs:us-east-1:123456789012"


class Ecs(Emulator):
    """A cluster. `program` makes the words of a process from a container's command."""

    def __init__(self, logs: Account, group: str, program: Callable[[list[str]], list[str]]) -> None:
        self.logs, self.group, self.program = logs, group, program
        self.started: list[dict[str, Any]] = []
        self.refusal: str | None = None
        self.not_pulled: str | None = None
        self._tasks: dict[str, dict[str, Any]] = {}
        super().__init__()

    def answer(self, what: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """RunTask and DescribeTasks."""
        return 200, {"RunTask": self._run, "DescribeTasks": self._describe}[what](request)

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
        container["exitCode"] = self.run(self.program(command), self.logs, self.group, f"task/{container['name']}/{name}")
        task |= {
            "lastStatus": "STOPPED",
            "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
        }
