"""Whole runs of the built image: exit codes, both stores, log events, metrics."""

import json
import time

import pytest

from tests.e2e.container import Image, docker, sample_api
from tests.program import KEYS, Ended


def metrics(ended: Ended) -> dict[str, float]:
    """The values of the one metrics line, which is the last; every metric that it declares has one. Rows by table beside them."""
    (line,) = [line for text in ended.stdout.splitlines() if "_aws" in (line := json.loads(text))]
    assert json.loads(ended.stdout.splitlines()[-1]) == line
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    values = {metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]}
    return values | {name: value for name, value in line.items() if name.startswith("Rows.")}


def assert_logged(image: Image, ended: Ended) -> None:
    """CloudWatch holds what the console shows, each line once, in the stream named after the run."""
    (run_id,) = {line["run_id"] for line in ended.lines}
    assert [json.loads(message) for message in image.logged(run_id)] == ended.lines


def checksums(image: Image) -> object:
    """What was ever put under the tables and the pointer, and every row."""
    rows = {table: image.login.query(f"SELECT * FROM `{table}` ORDER BY 1, 2") for table in KEYS}
    return rows, [image.versions(f"{table}/") for table in KEYS], image.versions("manifests/latest.json")


def test_first_run_then_unchanged_then_changed(image: Image, network: str) -> None:
    first = image("run")
    assert first.lines[-1]["message"] == "run published"
    assert_logged(image, first)
    image.assert_equal(205)
    found = metrics(first)
    assert (found["Success"], found["StoresEqual"], found["Rejected"]) == (1, 1, 0)
    assert found["Rows.launches.inserted"] == 205
    assert found["DataAgeDays"] > 1000
    assert all(found[f"StageSeconds.{stage}"] >= 0 for stage in ("extract", "validate", "merge", "put", "manifest"))
    before = checksums(image)

    second = image("run")
    assert second.lines[-1]["message"] == "run unchanged"
    assert_logged(image, second)
    assert checksums(image) == before
    found = metrics(second)
    assert (found["Success"], found["StoresEqual"], found["RowsWritten"]) == (1, 1, 0)

    with sample_api(network, "-n", "230") as larger:
        third = image.on(larger)("run")
        image.on(larger).assert_equal(230)
    assert third.lines[-1]["message"] == "run published"
    assert_logged(image, third)
    assert metrics(third)["Rows.launches.inserted"] == 25


def test_the_image_brings_iceberg(image: Image) -> None:
    image("run", ICEBERG_CATALOG="sqlite:////tmp/catalog.db")  # gone with the container: the tables' files stay
    assert set(image.manifest()["iceberg"]) == set(KEYS)
    assert {key.split("/")[1] for key in image.keys("iceberg/") if key.endswith(".metadata.json")} == set(KEYS)


@pytest.mark.parametrize(
    ("fault", "code"),
    [("launches:status=503", 3), ("launches:body=html", 3), ("rockets:reset", 3), ("launches:body=empty_list", 4)],
)
def test_a_failing_source_leaves_the_stores_as_they_were(image: Image, network: str, fault: str, code: int) -> None:
    image("run")
    before = checksums(image)
    with sample_api(network, "--fault", fault) as failing:
        ended = image.on(failing)("run", code=code)
    assert (ended.lines[-1]["level"], ended.lines[-1]["exit_code"]) == ("ERROR", code)
    assert_logged(image, ended)
    found = metrics(ended)
    assert (found["Success"], found["RowsWritten"]) == (0, 0)
    assert checksums(image) == before


@pytest.mark.parametrize("fault", ["launches:hang_s=300", "launches:drip_s=0.5,drip_bytes=1000"])
def test_docker_stop_ends_a_slow_run_cleanly_and_the_next_goes_on(image: Image, network: str, fault: str) -> None:
    with sample_api(network, "--fault", fault) as slow:
        started = image.on(slow).begin("run")
        started.wait_for('"look done"')
        began = time.monotonic()
        docker("stop", "--time=30", started.name)
        ended = started.end()
        assert time.monotonic() - began < 20
    assert ended.code == 143, ended
    assert "stopped by SIGTERM" in ended.lines[-1]["message"]
    assert_logged(image, ended)
    assert metrics(ended)["Success"] == 0
    assert image.login.query("SELECT state FROM pipeline_runs") == (("failed",),)
    assert not image.keys("launches/")
    image("run")
    image.assert_equal(205)


def test_docker_stop_while_s3_is_silent_is_a_stop_too(image: Image, sample: str) -> None:
    """A client library must not take the signal for an error of S3."""
    with sample_api(f"container:{sample}", "--fault", "*:hang_s=300", port=8001):
        started = image.begin("run", AWS_ENDPOINT_URL_S3="http://127.0.0.1:8001")
        started.wait_for('"prepare done"')
        docker("stop", "--time=30", started.name)
        ended = started.end()
    assert ended.code == 143, ended
    assert "stopped by SIGTERM" in ended.lines[-1]["message"]


def test_a_killed_run_is_made_good_by_the_next(image: Image, network: str) -> None:
    with sample_api(network, "--fault", "launches:hang_s=300") as slow:
        started = image.on(slow).begin("run")
        started.wait_for('"look done"')
        docker("kill", started.name)
        assert started.end().code == 137
    image("run")
    image.assert_equal(205)


def test_a_wrong_password_is_told_and_not_shown(image: Image) -> None:
    ended = image("run", code=6, MYSQL_PASSWORD="not-the-password")
    assert "not-the-password" not in ended.stdout + ended.stderr
    assert "as it does for a wrong one" in ended.lines[-1]["message"]  # a server that is not verified gets no second try
    assert_logged(image, ended)
    assert metrics(ended)["Success"] == 0
    assert image.keys() == []
    assert image.login.query("SHOW TABLES") == ()


@pytest.mark.parametrize("fault", ["closed", "silent", "denied"])
def test_a_log_service_that_is_away_changes_nothing(image: Image, sample: str, fault: str) -> None:
    """The console has every line and says what CloudWatch did not get; the run takes a few seconds longer at most."""
    address = "http://127.0.0.1:9" if fault == "closed" else "http://127.0.0.1:8001"
    answer = "*:status=403" if fault == "denied" else "*:hang_s=300"
    with sample_api(f"container:{sample}", "--fault", answer, port=8001):
        began = time.monotonic()
        ended = image("run", AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=address)
        assert time.monotonic() - began < 30
    assert any(line["message"] == "run published" for line in ended.lines)
    assert f"CloudWatch group {image.environment['LOG_GROUP']} did not take every line: " in ended.lines[-1]["message"]
    assert metrics(ended)["Success"] == 1
    assert image.streams() == []
