"""Settings: every fault in one message, no value of a secret anywhere."""

import subprocess
import sys

import pytest

from app.errors import SettingsError
from app.settings import load_settings
from tests.cases import other_case

GOOD = {
    "S3_BUCKET": "bucket",
    "MYSQL_HOST": "127.0.0.1",
    "MYSQL_PORT": "9",
    "MYSQL_USER": "user",
    "MYSQL_PASSWORD": "marker-5f2c",
    "MYSQL_DATABASE": "base",
    "AWS_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def run(command: str = "run", **settings: str | None) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in {**GOOD, **settings}.items() if value is not None}
    process = subprocess.run([sys.executable, "-m", "app", command], env=environment, capture_output=True, text=True, check=False)
    assert "marker-5f2c" not in process.stdout + process.stderr
    assert "Traceback" not in process.stdout + process.stderr
    return process


def test_every_fault_is_named_at_once() -> None:
    process = run(S3_BUCKET=None, MYSQL_HOST=None, MYSQL_PORT="port", MAX_SHRINK_RATIO="2", SOURCE="elsewhere")
    assert process.returncode == 2
    assert process.stdout == ""
    for name in ("S3_BUCKET is not set", "MYSQL_HOST is not set", "MYSQL_PORT", "MAX_SHRINK_RATIO", "SOURCE"):
        assert name in process.stderr


@pytest.mark.parametrize("catalog", ["hive", "sqlite", "sqlite:///", "postgresql://user:marker-5f2c@host/base", "Glue"])
def test_a_catalog_that_is_none_is_refused(catalog: str) -> None:
    process = run(ICEBERG_CATALOG=catalog, ICEBERG_DATABASE="Space X")
    assert process.returncode == 2
    assert "ICEBERG_CATALOG: must be empty, glue, or sqlite:/// and the path of a file" in process.stderr
    assert "ICEBERG_DATABASE" in process.stderr


def test_without_pyiceberg_a_catalog_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiceberg", None)
    for name, value in {**GOOD, "ICEBERG_CATALOG": "glue"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r'ICEBERG_CATALOG: needs pyiceberg: pip install "spacex-pipeline\[iceberg\]"'):
        load_settings()


def test_e05_a_whole_json_secret_as_password_is_refused_with_a_hint() -> None:
    with other_case("e05-whole-secret-as-password") as keys:
        assert keys.pop("story")
        process, outcome = run(**keys.pop("environment")), keys.pop("outcome")
    assert process.returncode == outcome.pop("exit_code")
    assert outcome.pop("says") in process.stderr
    assert outcome.pop("never_says") not in process.stderr + process.stdout
    assert not outcome


@pytest.mark.parametrize("url", ["http://user:marker-5f2c@api.example", "ftp://api.example", "https://", "api.example"])
def test_a_source_url_that_is_no_plain_address_is_refused(url: str) -> None:
    process = run(SOURCE_URL=url)
    assert process.returncode == 2
    assert "SOURCE_URL" in process.stderr


@pytest.mark.parametrize("token", ["marker-5f2c\n", "marker 5f2c", '{"token": "marker-5f2c"}'])
def test_a_token_that_is_no_word_is_refused_and_not_shown(token: str) -> None:
    process = run(LAUNCH_LIBRARY_TOKEN=token)
    assert process.returncode == 2
    assert "LAUNCH_LIBRARY_TOKEN" in process.stderr
    assert "5f2c" not in process.stderr


@pytest.mark.parametrize("source", ["http", "aggregates", "..errors", "os", ""])
def test_only_sources_are_sources(source: str) -> None:
    process = run(SOURCE=source)
    assert process.returncode == 2
    assert "SOURCE: must be one of " in process.stderr
    assert all(name in process.stderr for name in ("launch_library", "spacex"))


@pytest.mark.parametrize("command", ["run", "plan", "verify"])
def test_c02_the_password_is_in_no_output_when_the_database_is_away(command: str) -> None:
    """The region from AWS_REGION alone gets the program as far as MySQL."""
    process = run(command, LOG_LEVEL="DEBUG")
    assert process.returncode == 6
    assert "user@127.0.0.1:9/base" in process.stdout


def test_unknown_options_and_commands_are_usage_errors() -> None:
    assert run("fly").returncode == 2
    assert run("run --fast").returncode == 2
