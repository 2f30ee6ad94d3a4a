"""`infra/spark` by its effects: what it puts and starts, shows, and how it ends. The AWS command line is real, EMR emulated."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from emr import EmrServerless
from environment import REPOSITORY, moto_server
from servers import Account

SPARK: dict[str, Any] = {
    "region": "us-east-1",
    "application": "00f1a2b3c4d5e6f7",
    "role": "arn:aws:iam::123456789012:role/spacex-pipeline-dev-us-east-1-spark",
    "architecture": "ARM64",
    "workers": 4,
    "bucket": "lake",
    "packages": "spark/",
    "replays": "replays/",
    "log_group": "/spacex-pipeline/dev/spark",
    "secret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:spacex-pipeline-dev/mysql-AbCdEf",
    "environment": {"S3_BUCKET": "lake", "S3_PREFIX": "", "HTTPS_PROXY": "http://proxy.example:3128"},
}
REPLAY = ("--from", "2020-01-01", "--to-prefix", "replays/again", "--to-database", "again")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The lake, and CloudWatch Logs with the jobs' group."""
    with moto_server(tmp_path_factory.mktemp("spark")) as services:
        services.client("logs").create_log_group(logGroupName=SPARK["log_group"])
        services.client("s3").create_bucket(Bucket=SPARK["bucket"])
        yield services


@pytest.fixture
def emr(services: Account) -> Iterator[EmrServerless]:
    """An application."""
    emulator = EmrServerless(services)
    yield emulator
    emulator.close()


@pytest.fixture
def environment(emr: EmrServerless, services: Account, tmp_path: Path) -> dict[str, str]:
    """Terraform's answer is played, and what `make spark-package` makes; all else is as it would be."""
    programs = {
        "terraform": f"[ \"$*\" = 'output -json spark' ] && echo '{json.dumps(SPARK)}'",
        "make": f'echo "$*" >>{tmp_path}/made; for word; do case $word in TO=*) echo packed >"${{word#TO=}}";; esac; done',
    }
    for name, code in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{code}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | replace(services, emr_serverless=emr.url).environment() | {"PATH": path}


def infra_spark(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    command = [str(REPOSITORY / "infra/spark"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)


def test_the_first_job_puts_the_package_and_the_next_finds_it(
    environment: dict[str, str], emr: EmrServerless, services: Account, tmp_path: Path
) -> None:
    for _ in range(2):
        done = infra_spark(environment, "dev", *REPLAY)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-2:] == ["first", '{"message": "replay published"}']
    assert (tmp_path / "made").read_text().count("spark-package PYTHON_VERSION=3.11 ARCHITECTURE=ARM64 REGION=us-east-1 TO=") == 1
    s3 = services.client("s3")
    replay, archive = sorted((o["Key"] for o in s3.list_objects_v2(Bucket="lake")["Contents"]), reverse=True)
    package = archive.removesuffix("environment.tar.gz")
    assert (package.split("/")[0], package[-7:], replay) == ("spark", "-arm64/", f"{package}replay.py")
    body = s3.get_object(Bucket="lake", Key=replay)["Body"].read()
    assert body == (REPOSITORY / "integrations/spark/replay.py").read_bytes()
    first, second = emr.started
    assert first["clientToken"] != second["clientToken"]
    job = first["jobDriver"]["sparkSubmit"]
    assert job["entryPoint"] == f"s3://lake/{replay}"
    assert job["entryPointArguments"] == ["--secret", SPARK["secret"], *REPLAY]
    assert first["executionRoleArn"] == SPARK["role"]
    monitoring = first["configurationOverrides"]["monitoringConfiguration"]
    assert monitoring["cloudWatchLoggingConfiguration"]["logGroupName"] == SPARK["log_group"]
    assert monitoring["managedPersistenceMonitoringConfiguration"] == {"enabled": False}
    ((configuration),) = first["configurationOverrides"]["applicationConfiguration"]
    properties = configuration["properties"]
    assert properties["spark.archives"] == f"s3://lake/{archive}#environment"
    driver = of(properties, "spark.emr-serverless.driverEnv.")
    assert (driver["S3_BUCKET"], "S3_PREFIX" in driver) == ("lake", False)  # an empty setting is one that is not set
    assert driver["MYSQL_SSL_CA"] == "environment/rds.pem"
    assert first["executionTimeoutMinutes"] * 60 > int(driver["RUN_TIMEOUT_S"])
    # Executors go to S3 alone.
    assert of(properties, "spark.executorEnv.") == {
        "AWS_DEFAULT_REGION": "us-east-1",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "PYSPARK_PYTHON": "python3.11",
        "PYTHONPATH": "./environment",
    }
    assert int(properties["spark.dynamicAllocation.maxExecutors"]) == 3


def of(properties: dict[str, str], prefix: str) -> dict[str, str]:
    """The environment that properties of one kind make."""
    return {name.removeprefix(prefix): value for name, value in properties.items() if name.startswith(prefix)}


@pytest.mark.parametrize(("options", "code"), [(("--code", "8"), 8), (("--die",), 137)])
def test_it_ends_with_the_program_s_exit_code(options: tuple[str, ...], code: int, environment: dict[str, str]) -> None:
    """By the program's last line; where it has none, by what EMR says of the driver."""
    done = infra_spark(environment, "dev", *REPLAY, *options)
    assert (done.returncode, "failed" in done.stderr) == (code, True), done.stderr
    assert f"ExitCode: {code}" in done.stderr
    assert "SPARK_DRIVER/stderr" in done.stderr


def test_lines_that_come_late_are_waited_for(environment: dict[str, str], emr: EmrServerless) -> None:
    emr.logs_are_late = True
    done = infra_spark(environment, "dev", *REPLAY, "--code", "5")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (5, '{"message": "replay failed", "exit_code": 5}')


def test_interrupted_it_leaves_the_job_and_says_how_to_end_it(environment: dict[str, str]) -> None:
    command = [str(REPOSITORY / "infra/spark"), "dev", *REPLAY, "--slow"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "--secret\n"  # while the job runs
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"cancel-job-run --region us-east-1 --application-id {SPARK['application']} --job-run-id " in error


def test_where_it_can_not_follow_the_job_it_says_that_it_goes_on(environment: dict[str, str], emr: EmrServerless) -> None:
    emr.denied = "GET /applications"
    done = infra_spark(environment, "dev", *REPLAY)
    assert (done.returncode, len(emr.started)) == (125, 1)
    assert "it goes on; to end it: aws emr-serverless cancel-job-run " in done.stderr
    assert "denied" in done.stderr


@pytest.mark.parametrize("prefix", ["again", "replays/", "replays", "lake/replays/again"])
def test_another_prefix_than_a_job_may_write_is_refused_at_once(
    prefix: str, environment: dict[str, str], emr: EmrServerless
) -> None:
    done = infra_spark(environment, "dev", "--from", "2020-01-01", "--to-prefix", prefix, "--to-database", "again")
    assert (done.returncode, emr.started) == (2, [])
    assert "--to-prefix replays/NAME" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["dev"], ["--help"]])
def test_without_an_environment_and_options_it_says_how(arguments: list[str], environment: dict[str, str]) -> None:
    done = infra_spark(environment, *arguments)
    assert (done.returncode, done.stderr) == (2, "usage: infra/spark ENVIRONMENT OPTION...\n")


def test_an_environment_without_spark_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "terraform").write_text("#!/bin/sh\necho 'Output \"spark\" not found' >&2\nexit 1\n")
    done = infra_spark(environment, "dev", *REPLAY)
    assert done.returncode == 125
    assert 'Output "spark" not found' in done.stderr


def test_what_s3_refuses_is_no_absence(environment: dict[str, str], emr: EmrServerless, tmp_path: Path) -> None:
    (tmp_path / "aws").write_text(
        "#!/bin/sh\necho 'An error occurred (403) when calling the HeadObject operation' >&2\nexit 254\n"
    )
    (tmp_path / "aws").chmod(0o755)
    done = infra_spark(environment, "dev", *REPLAY)
    assert (done.returncode, emr.started, (tmp_path / "made").exists()) == (125, [], False)
    assert "(403)" in done.stderr
