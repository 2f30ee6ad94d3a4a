"""No password in anything that leaves the process, whether it ends well or not."""

import gzip
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.fault.world import AFTER, World, new_world
from tests.sample_api import Fault
from tests.services import AwsEndpoint, Login

COMMANDS = (
    ("run",),
    ("run", "--json"),
    ("plan",),
    ("plan", "--json"),
    ("verify",),
    ("verify", "--heal", "--json"),
    ("replay", "--from", "2020-01-01"),
    ("replay", "nobody"),
    ("runs",),
    ("doctor",),
    ("doctor", "--json"),
    ("report", "--publish"),
    ("init-db",),
    ("--help",),
    ("fly",),
)


@pytest.fixture
def world(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path / "world", LOG_LEVEL="DEBUG") as world:
        yield world


def printed(world: World, *arguments: str, **settings: str) -> str:
    """Everything that a command prints, started in a directory of its own."""
    environment = {**world.environment, "PYTHONPATH": str(Path.cwd()), **settings}
    command = [sys.executable, "-m", "app", *arguments]
    done = subprocess.run(command, env=environment, cwd=world.folder, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_the_password_is_nowhere_when_all_is_well(world: World, aws: AwsEndpoint) -> None:
    group = f"/test/{world.bucket}"
    aws.create_log_group(group)
    said = "".join(printed(world, *command, LOG_GROUP=group) for command in COMMANDS)
    said += str(world.login.query("SELECT * FROM pipeline_runs"))
    client = aws.client("logs")
    for stream in client.describe_log_streams(logGroupName=group)["logStreams"]:
        said += str(client.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"])
    assert "run published" in said
    assert world.login.password not in said
    stored = [world.object(key) for key in world.keys()]  # noqa: SIM118  # no dictionary
    stored += [path.read_bytes() for path in world.folder.iterdir()]
    assert len(stored) > 10
    for body in stored:
        assert world.login.password.encode() not in (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)


@pytest.mark.parametrize(
    "settings",
    [
        {"MYSQL_HOST": "nobody.invalid"},
        {"MYSQL_PORT": "9"},
        {"MYSQL_PORT": "a word"},
        {"MYSQL_DATABASE": "another"},
        {"MYSQL_USER": "another"},
        {"MYSQL_SSL_CA": "/etc/hostname"},
        {"S3_BUCKET": ""},
        {"S3_BUCKET": "nobody-made-this-one"},
        {"SOURCE_URL": "http://127.0.0.1:9"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        {"LOG_GROUP": "/nobody/made/it"},
        {"RUN_TIMEOUT_S": "10", "MAX_SHRINK_RATIO": "none"},
    ],
    ids=str,
)
def test_the_password_is_in_no_failure(world: World, settings: dict[str, str]) -> None:
    said = "".join(printed(world, *command, **settings) for command in (("run",), ("doctor",), ("verify", "--json")))
    assert said
    assert world.login.password not in said


def test_a_wrong_password_is_not_shown_either(world: World) -> None:
    wrong = f"wrong-{secrets.token_hex(8)}"
    said = "".join(printed(world, *command, MYSQL_PASSWORD=wrong) for command in COMMANDS)
    assert "Access denied" in said
    assert wrong not in said


def test_a_password_of_any_characters_is_shown_in_no_form(world: World) -> None:
    wrong = "€'Ж\"\\%🚀 &"
    commands = (("run",), ("plan",), ("doctor",), ("verify",))
    said = "".join(printed(world, *command, MYSQL_PASSWORD=wrong) for command in commands)
    assert "MYSQL_PASSWORD" in said or "Access denied" in said or "codec can't encode character" in said
    for character in "€Ж🚀":
        for form in (character, ascii(character)[1:-1], json.dumps(character)[1:-1], quote(character)):
            assert form not in said


def test_a_fault_of_the_program_shows_no_password(world: World) -> None:
    from tests.fault.stopped import Stop

    assert world.run_forked() == 0
    world.api.set("launches", AFTER)
    for effect in ("COMMIT #1", "PutObject manifests/latest.json #1"):
        world.run_forked(Stop(effect, "before", "exception"))
        said = (world.folder / "output").read_text()
        assert "stopped by the test" in said
        assert world.login.password not in said


def test_a_crash_leaves_no_core_file(world: World) -> None:
    """Memory holds the password for certain."""
    world.api.fault("launches", Fault(hang_s=30, first=1))
    folder = world.folder / "here"
    folder.mkdir()

    script = 'ulimit -c "$(ulimit -H -c)"; cd "$1"; shift; exec "$@"'
    command = ["sh", "-c", script, "sh", str(folder), sys.executable, "-m", "app", "run"]
    environment = {**world.environment, "PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not world.api.requests:
        assert process.poll() is None
        time.sleep(0.02)
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    process.send_signal(signal.SIGABRT)
    process.wait(30)
    assert list(folder.iterdir()) == []
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")] == [["0", "0"]]
