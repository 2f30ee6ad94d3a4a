"""Airflow runs the program as a process on its worker; the program's settings are the environment of the worker."""

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from pipeline_schedule import end_by, make_dags


class ProgramOperator(BaseOperator):
    """Runs one of the program's commands, started as the environment variable PIPELINE_COMMAND says."""

    template_fields = ("arguments",)

    def __init__(self, *, arguments: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.arguments = arguments

    def execute(self, context: Any) -> dict[str, Any]:
        """The last line of the program, which says how it ended."""
        program = shlex.split(os.environ.get("PIPELINE_COMMAND", "spacex-pipeline"))
        self._process = subprocess.Popen([*program, *self.arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        verdict: dict[str, Any] = {}
        text = ""
        for text in self._process.stdout or ():
            self.log.info("%s", text.rstrip())
            line = read(text)
            verdict = line if "state" in line else verdict
        code = self._process.wait()
        end_by(code if code >= 0 else 128 - code, verdict.get("message") or text.strip())
        for asset in self.outlets:
            context["outlet_events"][asset].extra = {"run_id": verdict["run_id"], "state": verdict["state"]}
        return verdict

    def on_kill(self) -> None:
        """Stop the program with the task: it rolls back, and leaves within 20 seconds."""
        self._process.terminate()
        self._process.wait()


def read(text: str) -> dict[str, Any]:
    """One line of the program's output; what is no JSON is a library's word, or a usage error."""
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}


run, verify, replay = make_dags("worker", ProgramOperator)
