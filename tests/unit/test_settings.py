"""Settings: every fault in one message, no value of a secret anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.errors import SettingsError
from app.settings import Settings, load_settings
from tests.cases import other_case

CASES = yaml.safe_load((Path(__file__).parents[1] / "fixtures/settings.yaml").read_text())

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


def only(monkeypatch: pytest.MonkeyPatch, **settings: str | None) -> None:
    """Make the environment hold good settings and these alone."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in {**GOOD, **settings}.items():
        if value is not None:
            monkeypatch.setenv(name, value)


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


def test_e05_a_whole_json_secret_as_password_is_refused_with_a_hint() -> None:
    with other_case("e05-whole-secret-as-password") as keys:
        assert keys.pop("story")
        process, outcome = run(**keys.pop("environment")), keys.pop("outcome")
    assert process.returncode == outcome.pop("exit_code")
    assert outcome.pop("says") in process.stderr
    assert outcome.pop("never_says") not in process.stderr + process.stdout
    assert not outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['setting']}={case['value']}")
def test_a_value_is_taken_or_refused_by_name(case: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, **{case["setting"]: case["value"]})
    if says := case.get("says"):
        with pytest.raises(SettingsError) as refused:
            load_settings()
        assert refused.value.message.startswith(says)
        assert "; " not in refused.value.message
        assert case["setting"] == "SOURCE_URL" or "secret" not in str(refused.value)
        assert "user:" not in str(refused.value)
    else:
        assert isinstance(load_settings(), Settings)


def test_every_setting_is_among_the_cases_or_is_free_text() -> None:
    free = {"MYSQL_ADMIN_USER", "MYSQL_ADMIN_PASSWORD"}  # as MYSQL_USER and MYSQL_PASSWORD
    assert {name.upper() for name in Settings.model_fields} - {case["setting"] for case in CASES} == free


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if not field.is_required()])
def test_an_empty_variable_is_an_unset_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, **{name.upper(): None})
    unset = load_settings()
    only(monkeypatch, **{name.upper(): ""})
    assert load_settings() == unset


def test_an_empty_variable_of_boto3_is_an_unset_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, AWS_PROFILE="", AWS_ENDPOINT_URL="", AWS_DEFAULT_REGION="", AWS_REGION="eu-west-1")
    assert load_settings().aws_region == "eu-west-1"
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"} & set(os.environ)


@pytest.mark.parametrize("name", ["\ufeffS3_BUCKET", "S3_BUCKET ", "AWS_PROFILE\t"])
def test_a_name_that_is_not_quite_one_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, S3_BUCKET=None, **{name: "bucket"})
    with pytest.raises(SettingsError, match=f"^{name.strip()} is set by a name that ".replace("\ufeff", "")) as refused:
        load_settings()
    assert "S3_BUCKET is not set" in refused.value.message


def test_letters_of_either_case_and_slashes_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    only(
        monkeypatch, LOG_LEVEL="info", SOURCE="SpaceX", SPACEX_API_VERSION="V4", SOURCE_URL="http://a.example/", S3_PREFIX="/a/b"
    )
    found = load_settings()
    assert (found.log_level, found.source, found.spacex_api_version) == ("INFO", "spacex", "v4")
    assert (found.source_url, found.s3_prefix) == ("http://a.example", "a/b/")


def test_init_db_says_in_the_same_answer_what_it_needs_more() -> None:
    process = run("init-db", S3_BUCKET=None, MYSQL_ADMIN_USER="")
    assert process.returncode == 2
    for name in ("S3_BUCKET", "MYSQL_ADMIN_USER", "MYSQL_ADMIN_PASSWORD"):
        assert f"{name} is not set" in process.stderr


@pytest.mark.parametrize("token", ["marker-5f2c\n", "marker 5f2c", '{"token": "marker-5f2c"}'])
def test_a_token_that_is_no_word_is_refused_and_not_shown(token: str) -> None:
    process = run(LAUNCH_LIBRARY_TOKEN=token)
    assert process.returncode == 2
    assert "LAUNCH_LIBRARY_TOKEN" in process.stderr
    assert "5f2c" not in process.stderr


@pytest.mark.parametrize("source", ["http", "aggregates", "..errors", "os"])
def test_only_sources_are_sources(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, SOURCE=source)
    with pytest.raises(SettingsError, match="SOURCE: must be one of launch_library, spacex"):
        load_settings()


@pytest.mark.parametrize("command", ["run", "plan", "verify"])
def test_c02_the_password_is_in_no_output_when_the_database_is_away(command: str) -> None:
    """The region from AWS_REGION alone gets the program as far as MySQL."""
    process = run(command, LOG_LEVEL="DEBUG")
    assert process.returncode == 6
    assert "user@127.0.0.1:9/base" in process.stdout


def test_unknown_options_and_commands_are_usage_errors() -> None:
    assert run("fly").returncode == 2
    assert run("run --fast").returncode == 2
