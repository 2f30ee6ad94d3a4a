"""What CloudWatch holds of a run, and that a run does not depend on it."""

import io
import json
import logging
import signal
import time
from typing import Any

import pytest

from app.telemetry.logs import cloudwatch, logger_to
from tests.program import Ended, Program
from tests.sample_api import Fault, SampleApi
from tests.services import AwsEndpoint

LARGEST_BYTES = 256 * 1024 - 26  # of an event, as CloudWatch counts


@pytest.fixture
def group(aws: AwsEndpoint, bucket: str) -> str:
    """A log group of the test's own, as Terraform makes one."""
    aws.create_log_group(name := f"/test/{bucket}")
    return name


def streams(aws: AwsEndpoint, group: str) -> dict[str, list[str]]:
    """The messages of each stream of a group."""
    logs = aws.client("logs")
    names = [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    pages = {name: logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True) for name in names}
    return {name: [event["message"] for event in page["events"]] for name, page in pages.items()}


def assert_held(aws: AwsEndpoint, group: str, ended: Ended) -> list[dict[str, Any]]:
    """One stream, named after the run, holds each line of the console once, in order; these lines."""
    ((name, messages),) = streams(aws, group).items()
    lines = [json.loads(message) for message in messages]
    assert lines == ended.lines
    assert {line["run_id"] for line in lines} == {name}
    return lines


def test_a_run_has_a_stream_of_its_own(program: Program, group: str) -> None:
    lines = assert_held(program.aws, group, program("run", LOG_GROUP=group))
    assert lines[-1]["message"] == "run published"
    (merged,) = [line for line in lines if line.get("stage") == "merge"]
    assert merged["message"] == "merge done"
    assert merged["seconds"] > 0
    (checked,) = [line for line in lines if line.get("stage") == "validate"]
    assert any(value == 40 for value in checked.values())
    program("run", LOG_GROUP=group)
    assert len(streams(program.aws, group)) == 2


def test_a_failed_run_is_told_to_its_end(program: Program, api: SampleApi, group: str) -> None:
    api.fault("launches", Fault(body="html"))
    lines = assert_held(program.aws, group, program("run", code=3, LOG_GROUP=group))
    assert (lines[-1]["level"], lines[-1]["exit_code"], lines[-1]["stage"]) == ("ERROR", 3, "extract")


def test_a_stopped_run_is_told_to_its_end(program: Program, api: SampleApi, group: str) -> None:
    api.fault("launches", Fault(hang_s=60))
    process = program.start("run", LOG_GROUP=group)
    while not api.requests:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    lines = assert_held(program.aws, group, Ended(process.returncode, out, err))
    assert (process.returncode, lines[-1]["exit_code"]) == (143, 143)


def test_libraries_are_held_back_even_where_the_program_tells_all(program: Program, group: str) -> None:
    ended = program("run", LOG_GROUP=group, LOG_LEVEL="DEBUG")
    assert_held(program.aws, group, ended)
    assert not any(name in ended.stdout for name in ("botocore", "urllib3", "watchtower"))


def test_a_group_that_nobody_made_is_not_made(program: Program) -> None:
    ended = program("run", LOG_GROUP="/nobody/made/it")
    assert any(line["message"] == "run published" for line in ended.lines)
    assert ended.lines[-1]["message"].startswith("CloudWatch group /nobody/made/it did not take every line: ")
    assert program.aws.client("logs").describe_log_groups(logGroupNamePrefix="/nobody")["logGroups"] == []


AWAY = {"denied": Fault(status=403), "broken": Fault(status=500), "cut off": Fault(reset=True), "silent": Fault(hang_s=60)}


@pytest.mark.parametrize("fault", AWAY)
@pytest.mark.parametrize("code", [0, 3])
def test_a_service_that_refuses_or_hangs_changes_no_outcome(program: Program, api: SampleApi, fault: str, code: int) -> None:
    """Told once on the console, within a bounded time, whether the run itself is good or not."""
    if code:
        api.fault("launches", Fault(body="html"))
    with SampleApi(faults={"*": AWAY[fault]}) as away:
        began = time.monotonic()
        ended = program("run", code=code, LOG_GROUP="/away", AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=away.url)
        assert time.monotonic() - began < 20
        assert away.requests
    told = [line["message"] for line in ended.lines if "CloudWatch" in line["message"]]
    assert len(told) == 1
    assert told[0].startswith("CloudWatch group /away did not take every line: ")
    assert "watchtower" not in ended.stdout + ended.stderr


def test_long_lines_are_shortened_and_stay_json(
    monkeypatch: pytest.MonkeyPatch, aws: AwsEndpoint, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    told: list[str] = []
    console = io.StringIO()
    handlers = logging.getLogger().handlers[:]
    logger = logger_to(console, "INFO", ("a secret",))
    try:
        with cloudwatch(logger, group, "one-run", "us-east-1", ("a secret",), told.append):
            logger.info("é" * 500_000, extra={"fields": {"run_id": "one-run"}})
            logger.info("many", extra={"fields": {"run_id": "one-run", "names": ["a secret, é"] * 50_000}})
    finally:
        logger.handlers.clear()
        logging.captureWarnings(capture=False)
        logging.getLogger().handlers[:] = handlers
    (messages,) = streams(aws, group).values()
    assert messages == console.getvalue().splitlines()
    assert told == []
    assert all(len(message.encode()) < LARGEST_BYTES for message in messages)
    long, many = map(json.loads, messages)
    assert long["message"] == "é" * 7_999 + "…"
    assert (many["message"], many["run_id"], many["shortened"]) == ("many", "one-run", True)
    assert "a secret" not in "".join(messages)
