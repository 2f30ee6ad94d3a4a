"""As much of EMR Serverless as Terraform and `infra/spark` take: a job run is a process here, its lines go to CloudWatch Logs."""

import re
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import botocore.session
from emulator import Emulator
from servers import Account

ARN = "arn:aws:emr-serverless:us-east-1:123456789012:"

# A program that says what it was given and ends as it is told.
PROGRAM = """
import json, sys, time
for line in (*sys.argv[1:], "first"):
    print(line, flush=True)
if "--slow" in sys.argv:
    time.sleep(120)
code = int(sys.argv[sys.argv.index("--code") + 1]) if "--code" in sys.argv else 0
if "--die" in sys.argv:
    sys.exit(137)
print(json.dumps({"message": "replay failed", "exit_code": code} if code else {"message": "replay published"}), flush=True)
sys.exit(code)
"""


MODEL = botocore.session.get_session().get_service_model("emr-serverless")


def faults(shape: Any, value: Any) -> Iterator[str]:
    """What in a request is not as the service's own model has it; clients do not look at patterns."""
    match shape.type_name:
        case "structure":
            for name, part in shape.members.items():
                if name in value:
                    yield from faults(part, value[name])
        case "list":
            for one in value:
                yield from faults(shape.member, one)
        case "map":
            for key, one in value.items():
                yield from (f"{key}: {fault}" for fault in (*faults(shape.key, key), *faults(shape.value, one)))
        case "string":
            most, pattern = shape.metadata.get("max", len(value)), shape.metadata.get("pattern", ".*")
            if len(value) > most or not re.fullmatch(pattern, value) or (shape.enum and value not in shape.enum):
                yield f"{value!r} is no {shape.name}"


class EmrServerless(Emulator):
    """Applications, and job runs of PROGRAM with their arguments."""

    content_type = "application/json"

    def __init__(self, logs: Account | None = None) -> None:
        self.logs = logs
        self.started: list[dict[str, Any]] = []
        self._applications: dict[str, dict[str, Any]] = {}
        self._runs: dict[str, dict[str, Any]] = {}
        super().__init__()

    def answer(self, what: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """By path: applications, one of them, its job runs, one of those."""
        method, path = what.partition("?")[0].split()
        words = path.strip("/").split("/")
        if method == "POST":
            called = MODEL.operation_model("CreateApplication" if len(words) == 1 else "StartJobRun")
            if found := list(faults(called.input_shape, request)):
                return 400, {"message": "; ".join(found)}
        match method, words:
            case "POST", ["applications"]:
                return 200, self._create(request)
            case "GET", ["applications"]:
                return 200, {"applications": [a for a in self._applications.values() if a["state"] != "TERMINATED"]}
            case "POST", ["applications", application, "jobruns"]:
                return 200, self._start(application, request)
            case "GET", ["applications", _, "jobruns", run]:
                return 200, {"jobRun": self._runs[run]}
            case _, ["applications", application] if application not in self._applications:
                return 404, {"message": f"Application {application} does not exist"}
            case "GET", ["applications", application]:
                return 200, {"application": self._applications[application]}
            case "DELETE", ["applications", application]:
                self._applications[application]["state"] = "TERMINATED"
                return 200, {}
        return 400, {"message": f"not emulated: {what}"}

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        one = uuid.uuid4().hex[:16]
        # A new application has not been started; as AWS answers, its type is a word.
        given = {name: value for name, value in request.items() if name != "clientToken"} | {"type": request["type"].capitalize()}
        made = {"applicationId": one, "arn": f"{ARN}/applications/{one}", "state": "CREATED", "createdAt": 0, "updatedAt": 0}
        self._applications[one] = given | made
        return {"applicationId": one, "name": request["name"], "arn": made["arn"]}

    def _start(self, application: str, request: dict[str, Any]) -> dict[str, Any]:
        known = next((run for run in self._runs.values() if run["clientToken"] == request["clientToken"]), None)
        run = known or {"jobRunId": uuid.uuid4().hex[:16], "clientToken": request["clientToken"], "state": "SUBMITTED"}
        if not known:
            self.started.append(request)
            self._runs[run["jobRunId"]] = run
            threading.Thread(target=self._live, args=(application, run, request), daemon=True).start()
        arn = f"{ARN}/applications/{application}/jobruns/{run['jobRunId']}"
        return {"applicationId": application, "jobRunId": run["jobRunId"], "arn": arn}

    def _live(self, application: str, run: dict[str, Any], request: dict[str, Any]) -> None:
        assert self.logs
        run["state"] = "RUNNING"
        log = request["configurationOverrides"]["monitoringConfiguration"]["cloudWatchLoggingConfiguration"]
        words = request["jobDriver"]["sparkSubmit"]["entryPointArguments"]
        stream = f"{log['logStreamNamePrefix']}/applications/{application}/jobs/{run['jobRunId']}/SPARK_DRIVER/stdout"
        code = self.run([sys.executable, "-c", PROGRAM, *words], self.logs, log["logGroupName"], stream)
        details = (
            f"Job failed, please check complete logs in configured logging destination. ExitCode: {code}. Last few exceptions:"
        )
        run |= {"state": "FAILED", "stateDetails": details} if code else {"state": "SUCCESS"}
