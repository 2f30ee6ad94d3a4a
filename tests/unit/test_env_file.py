"""Files of settings: read as people and their editors write them, and the one that is there to be filled in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import parse
from app.env_file import example, read
from app.errors import SettingsError
from app.request import Request
from app.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
NEEDED = {"S3_BUCKET": "bucket", "MYSQL_HOST": "host", "MYSQL_USER": "user", "MYSQL_PASSWORD": "word", "MYSQL_DATABASE": "base"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set, and what a file sets is gone afterwards."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in list(os.environ):
        del os.environ[name]


def file(folder: Path, text: str | bytes, name: str = "env") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "A=one\nB=two words\n",
        "A=one\r\nB=two words\r\n",
        "\ufeffA=one\nB=two words",
        "# a comment\n\n  A = one  \nexport B='two words' # another\n",
        'A="one"\nB="two words"\nC=\nD=""\n',
        "A=zero\nA=one\nB=two words\n",
    ],
)
def test_a_file_is_read_however_it_was_written(text: str, tmp_path: Path) -> None:
    assert read([file(tmp_path, text)]) == ({"A": "one", "B": "two words"}, [])


def test_a_value_is_text_and_nothing_in_it_is_looked_up(tmp_path: Path) -> None:
    assert read([file(tmp_path, "A=$HOME ${B} `id` %s a#b c=d\nB='\\d'\n")])[0] == {"A": "$HOME ${B} `id` %s a#b c=d", "B": "\\d"}


def test_the_last_file_wins_and_the_environment_before_all(tmp_path: Path) -> None:
    first = file(tmp_path, "".join(f"{name}={value}\n" for name, value in NEEDED.items()) + "STACK=first\nLOG_LEVEL=debug\n", "1")
    os.environ.update(STACK="", LOG_LEVEL="error")
    found = load_settings([first, file(tmp_path, "S3_BUCKET=other\n", "2")])
    assert (found.s3_bucket, found.mysql_host, found.stack, found.log_level) == ("other", "host", "first", "ERROR")


def test_what_boto3_needs_may_be_in_a_file(tmp_path: Path) -> None:
    text = "".join(f"{name}={value}\n" for name, value in NEEDED.items()) + "AWS_DEFAULT_REGION=eu-west-1\n"
    assert load_settings([file(tmp_path, text)]).aws_region == "eu-west-1"
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_every_fault_of_files_and_settings_is_in_one_answer_and_no_value(tmp_path: Path) -> None:
    broken = file(tmp_path, b"MYSQL_PASSWORD secret\nMYSQL_HOST=host\nMYSQL_USER='secret\nSTACK=a\0secret\n", "broken")
    foreign = file(tmp_path, "MYSQL_PASSWORD=Größe\n".encode("utf-16"), "foreign")
    with pytest.raises(SettingsError) as refused:
        load_settings([broken, foreign, tmp_path])
    said = str(refused.value)
    assert "secret" not in said
    assert f"{broken}, line 1: not of the form NAME=value; {broken}, line 3: not of the form NAME=value" in said
    assert f"{broken}, line 4: a NUL character" in said
    assert f"{foreign} is not UTF-8; {tmp_path} can't be read: Is a directory" in said
    assert "S3_BUCKET is not set" in said
    assert "MYSQL_HOST is not set" not in said


@pytest.mark.parametrize("command", [["run"], ["runs", "show", "latest"], ["init-db"]])
def test_the_option_stands_before_a_command_or_after_it(command: list[str], tmp_path: Path) -> None:
    one, two = file(tmp_path, "", "1"), file(tmp_path, "", "2")
    before, after = parse(["--env-file", str(one), *command]), parse([*command, "--env-file", str(one)])
    assert isinstance(before, Request)
    assert before == after
    assert before.env_files == (one,)
    both = parse(["--env-file", str(one), *command, "--env-file", str(two)])
    assert isinstance(both, Request)
    assert both.env_files == (one, two)
    assert parse([*command, "--env-file", str(tmp_path / "none")]) == 2


def test_the_program_reads_it(tmp_path: Path) -> None:
    given = file(tmp_path, "S3_BUCKET=bucket\nMYSQL_PORT=port\n")
    command = [sys.executable, "-m", "app", "--env-file", str(given), "run"]
    process = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert "S3_BUCKET" not in process.stderr
    assert "MYSQL_PORT: must be a whole number" in process.stderr


def test_the_file_to_fill_in_is_made_from_the_settings() -> None:
    """`python -m app.env_file > .env.example` mends it."""
    assert (ROOT / ".env.example").read_text() == example()


def test_it_names_every_setting_and_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings([ROOT / ".env.example"])
    assert refused.value.message == "; ".join(f"{name} is not set" for name in NEEDED)
    for name in Settings.model_fields:
        assert f"{name.upper()}=" in example()


def test_its_defaults_are_the_program_s_own_and_a_shell_reads_the_same(tmp_path: Path) -> None:
    text = example().replace("\n#", "\n").replace("\n ", "\n# ")
    for name, value in NEEDED.items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    filled = file(tmp_path, text)
    shell = f"set -a; . {filled}; env -0"
    shown = subprocess.run(["/bin/sh", "-c", shell], env={}, capture_output=True, text=True, check=True).stdout
    by_shell = dict(line.split("=", 1) for line in shown.split("\0") if line)
    by_us, faults = read([filled])
    assert faults == []
    assert by_us == {name: by_shell[name] for name in by_us}
    assert by_us["STALE_AFTER_DAYS"] == "30"
    os.environ.update(NEEDED)
    defaults = load_settings()
    assert load_settings([filled]) == defaults
