"""A Prefect flow around the pipeline's program: an attempt is one process, its stages become task runs.

The program stays a stranger here. It runs in an environment of its own, and what is known of it is what the README promises: the
JSON lines on its stdout, and its exit code. How to set it up: docs/schedulers.md.
"""

import json
import logging
import os
import shlex
import subprocess
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, State

LOCK_HELD = 7  # another run is at work: nothing to do, and no failure
RETRIED = {3, 5, 6, 143}  # source, S3 or MySQL failed, or it was stopped: may be well in some minutes; all others want a person
RETRIES = 2
NO_COUNTS = {"time", "level", "message", "run_id", "stage", "seconds"}  # all else in a stage's line is a count

Line = dict[str, Any]


class ProgramFailed(Exception):
    """The program left with another exit code than 0 or 7; the text says why."""

    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(f"exit {exit_code}: {reason}")
        self.exit_code = exit_code


@flow(name="spacex-pipeline")
def pipeline(command: str = "run", retry_delay_s: float = 300) -> State:
    """Run one of the program's commands, with its options: `run`, `verify`, `replay --from 2026-11-01 --to 2026-11-25`."""
    # The retries belong to a task: those of a flow would also repeat what must not be repeated.
    verdict = attempt.with_options(retry_delay_seconds=retry_delay_s)(command)
    if verdict["state"] == "published":
        publish_report()
    return Completed(name=verdict["state"].title(), message=verdict["message"])


def may_be_repeated(_task: object, _run: object, state: State) -> bool:
    """Whether the exit code of an attempt that failed is one that may be well later."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, ProgramFailed) and failure.exit_code in RETRIED


@task(task_run_name="{command}", retries=RETRIES, retry_condition_fn=may_be_repeated, cache_policy=NO_CACHE)
def attempt(command: str) -> Line:
    """Run the program once; its last line. Raises ProgramFailed."""
    exit_code, lines = run_program(shlex.split(command))
    verdict = next((line for line in reversed(lines) if "state" in line), {"state": "failed", **lines[-1]})
    if exit_code == LOCK_HELD:
        verdict["state"] = "skipped"
    show(verdict)
    if exit_code not in {0, LOCK_HELD}:
        raise ProgramFailed(exit_code, verdict["message"])
    return verdict


@task(task_run_name="{name}: {seconds} s", cache_policy=NO_CACHE)
def stage(name: str, seconds: float, counts: Line) -> None:
    """A stage that the program has just ended. Its seconds are in the name: Prefect measures only how long this line took."""
    get_run_logger().info("%s done in %s s %s", name, seconds, counts or "")


@task(task_run_name="report --publish", cache_policy=NO_CACHE)
def publish_report() -> None:
    """Have the program write its report into the bucket, and link it; without it the run is no less published."""
    exit_code, lines = run_program(["report", "--publish"], show_stages=False)
    if exit_code:
        get_run_logger().warning("the report is still the last one: %s", lines[-1]["message"])
    for address in [line["object"] for line in lines if "object" in line]:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        url = f"https://console.aws.amazon.com/s3/object/{bucket}?prefix={key}"
        create_link_artifact(url, link_text=address, key="report", description="Charts, data quality and the last runs")


def run_program(arguments: list[str], *, show_stages: bool = True) -> tuple[int, list[Line]]:
    """Run the program to its end, each line shown as it comes; its exit code and its lines.

    It is started as the environment variable PIPELINE_COMMAND says. Its settings are the environment of the worker.
    """
    program = shlex.split(os.environ.get("PIPELINE_COMMAND", "spacex-pipeline"))
    process = subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: list[Line] = [{"message": "it said nothing"}]
    try:
        for text in process.stdout or ():
            line = read(text)
            if "_aws" in line:  # metrics, for CloudWatch
                continue
            lines.append(line)
            if show_stages and "stage" in line and "seconds" in line:
                counts = {name: value for name, value in line.items() if name not in NO_COUNTS}
                stage(line["stage"], line["seconds"], counts)
            else:
                get_run_logger().log(logging.getLevelNamesMapping()[line["level"]], "%s", line["message"])
        exit_code = process.wait()
    finally:  # also when Prefect cancels: its SIGTERM arrives here as an exception
        if process.poll() is None:
            process.terminate()  # the program rolls back, and leaves within 20 seconds; Prefect waits for 30
            get_run_logger().info("the program was stopped: exit %d", process.wait())
    return exit_code if exit_code >= 0 else 128 - exit_code, lines  # ended by a signal: as shells count it


def read(text: str) -> Line:
    """One line of the program's output; what is no JSON is a library's word, or a usage error."""
    try:
        return dict(json.loads(text))
    except ValueError:
        return {"level": "WARNING", "message": text.rstrip()}


def show(verdict: Line) -> None:
    """The program's last line as a table beside the run."""
    rows = [f"| {name} | {json.dumps(value)} |" for name, value in verdict.items() if name not in {"time", "level", "message"}]
    table = "\n".join([f"**{verdict['message']}**", "", "| | |", "|---|---|", *rows])
    create_markdown_artifact(table, key="verdict", description=verdict["state"])
