"""Whole runs of the built image: exit codes, both stores, log events, metrics."""

import json
import time

import pytest

from tests.e2e.container import SOURCE_URL, Image, docker, sample_api
from tests.program import KEYS, Ended


def metrics(ended: Ended) -> dict[str, float]:
    """The values of the one metrics line, which is the last; every metric that it declares has one."""
    lines = [line for text in ended.stdout.splitlines() if "_aws" in (line := json.loads(text))]
    assert len(lines) == 1
    assert json.loads(ended.stdout.splitlines()[-1]) == lines[0]
    (directive,) = lines[0]["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["environment"]]
    assert abs(time.time() - lines[0]["_aws"]["Timestamp"] / 1000) < 120
    assert lines[0]["environment"] == "local"
    assert len(directive["Metrics"]) <= 100  # more, and CloudWatch drops the line
    return {metric["Name"]: lines[0][metric["Name"]] for metric in directive["Metrics"]}


def assert_logged(image: Image, ended: Ended) -> None:
    """CloudWatch holds what the console shows, each line once, in the stream named after the run."""
    (run_id,) = {line["run_id"] for line in ended.lines}
    assert [json.loads(message) for message in image.logged(run_id)] == ended.lines


def contents(image: Image) -> object:
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
    before = contents(image)

    second = image("run")
    assert second.lines[-1]["message"] == "run unchanged"
    assert_logged(image, second)
    assert contents(image) == before
    found = metrics(second)
    assert (found["Success"], found["StoresEqual"], found["RowsWritten"]) == (1, 1, 0)

    with sample_api(network, "-n", "230") as larger:
        process = image.begin("run", sample=larger).process
        out, err = process.communicate(timeout=120)
        third = Ended(process.returncode, out, err)
    assert third.code == 0, out + err
    assert_logged(image, third)
    assert metrics(third)["Rows.launches.inserted"] == 25
    assert {line["run_id"] for ended in (first, second, third) for line in ended.lines} <= set(image.streams())
    image.sample = ""  # that API has gone
    assert len(image.in_mysql("launches")) == len(image.in_s3("launches")) == 230


@pytest.mark.parametrize(
    ("fault", "code"),
    [("launches:status=503", 3), ("launches:body=html", 3), ("rockets:cut", 3), ("launches:body=empty_list", 4)],
)
def test_a_failing_source_leaves_the_stores_as_they_were(image: Image, network: str, fault: str, code: int) -> None:
    image("run")
    before = contents(image)
    with sample_api(network, "--fault", fault) as failing:
        image.sample = failing
        ended = image("run", code=code)
    assert ended.lines[-1]["level"] == "ERROR"
    assert ended.lines[-1]["exit_code"] == code
    assert_logged(image, ended)
    found = metrics(ended)
    assert (found["Success"], found["RowsWritten"]) == (0, 0)
    assert contents(image) == before


def test_fewer_launches_need_leave(image: Image, network: str) -> None:
    image("run")
    with sample_api(network, "-n", "150") as smaller:
        image.sample = smaller
        image("run", code=4)
        image("run", "--accept-shrink")
        image.assert_equal(150)


@pytest.mark.parametrize("fault", ["launches:hang_s=300", "launches:drip_s=0.5,drip_bytes=1000"])
def test_docker_stop_ends_a_slow_run_cleanly_and_the_next_goes_on(image: Image, network: str, fault: str) -> None:
    with sample_api(network, "--fault", fault) as slow:
        started = image.begin("run", sample=slow)
        lines = started.read_until('"look done"')
        began = time.monotonic()
        docker("stop", "--time=30", started.name)
        out, err = started.process.communicate(timeout=30)
        assert time.monotonic() - began < 20
    ended = Ended(started.process.returncode, "".join(lines) + out, err)
    assert ended.code == 143, ended
    assert "stopped by SIGTERM" in ended.lines[-1]["message"]
    assert_logged(image, ended)
    assert metrics(ended)["Success"] == 0
    assert image.login.query("SELECT state FROM pipeline_runs") == (("failed",),)
    assert not image.keys("launches/")
    image("run")
    image.assert_equal(205)


def test_docker_stop_while_s3_is_silent_is_a_stop_too(image: Image, network: str) -> None:
    """A client library must not take the signal for an error of S3."""
    with sample_api(f"container:{image.sample}", "--fault", "*:hang_s=300", port=8001):
        started = image.begin("run", AWS_ENDPOINT_URL_S3="http://127.0.0.1:8001")
        lines = started.read_until('"prepare done"')
        docker("stop", "--time=30", started.name)
        out, err = started.process.communicate(timeout=30)
    assert started.process.returncode == 143, "".join(lines) + out + err
    assert "stopped by SIGTERM" in out


def test_a_killed_run_is_made_good_by_the_next(image: Image, network: str) -> None:
    with sample_api(network, "--fault", "launches:hang_s=300") as slow:
        started = image.begin("run", sample=slow)
        started.read_until('"look done"')
        docker("kill", started.name)
        started.process.communicate(timeout=30)
    assert started.process.returncode == 137
    image("run")
    image.assert_equal(205)


def test_a_wrong_password_is_told_and_not_shown(image: Image) -> None:
    ended = image("run", code=6, MYSQL_PASSWORD="not-the-password")
    assert "not-the-password" not in ended.stdout + ended.stderr
    assert "Access denied" in ended.lines[-1]["message"]
    assert_logged(image, ended)
    assert metrics(ended)["Success"] == 0
    assert image.keys() == []
    assert image.login.query("SHOW TABLES") == ()


def test_a_whole_secret_for_a_password_is_told_and_not_shown(image: Image) -> None:
    ended = image("run", code=2, MYSQL_PASSWORD='{"username": "u", "password": "not-to-be-seen"}')
    assert "password::" in ended.stderr
    assert "not-to-be-seen" not in ended.stdout + ended.stderr


def test_a_full_volume_is_told(image: Image) -> None:
    """Nothing is written outside of /tmp: where that can't be, the run says so and leaves the stores alone."""
    ended = image("run", code=1, TMPDIR="/srv")
    assert "temporary" in ended.lines[-1]["message"]
    assert image.keys("launches/") == []


@pytest.mark.parametrize("fault", ["closed", "silent", "refused"])
def test_a_log_service_that_is_away_changes_nothing(image: Image, fault: str) -> None:
    """The console has every line and says what CloudWatch did not get; the run takes a few seconds longer at most."""
    answer = "*:status=403" if fault == "refused" else "*:hang_s=300"
    address = "http://127.0.0.1:9" if fault == "closed" else "http://127.0.0.1:8001"
    with sample_api(f"container:{image.sample}", "--fault", answer, port=8001):
        began = time.monotonic()
        ended = image("run", AWS_ENDPOINT_URL_LOGS=address)
        assert time.monotonic() - began < 30
    assert any(line["message"] == "run published" for line in ended.lines)
    assert any("CloudWatch" in line["message"] or "log" in line["message"] for line in ended.lines if line["level"] == "WARNING")
    assert metrics(ended)["Success"] == 1
    assert image.streams() == []


def test_verify_counts_as_a_success(image: Image) -> None:
    image("run")
    assert metrics(image("verify"))["Success"] == 1
    assert SOURCE_URL == image.inside["SOURCE_URL"]
