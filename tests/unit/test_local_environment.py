"""The local environment leads nowhere but to this machine, and says plainly what it can't do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local import __main__ as local
from tests.local import docker
from tests.local.docker import DockerStack
from tests.local.native import NativeStack
from tests.local.terminal import run_in_front
from tests.services import install
from tests.services.aws import AwsEndpoint, without_settings
from tests.services.mysql import Login

REAL = {
    "AWS_PROFILE": "production",
    "AWS_SESSION_TOKEN": "secret",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "MYSQL_HOST": "db.example.com",
    "MYSQL_SSL_CA": "/ca.pem",
    "S3_BUCKET": "production",
    "SOURCE_URL": "https://example.com",
    "LOG_GROUP": "/production",
    "PATH": "/usr/bin:/bin",
}


def test_nothing_of_a_real_account_is_left() -> None:
    """Keys, profiles, endpoints, databases and buckets of the shell do not reach the program."""
    assert set(without_settings(REAL)) == {"PATH", "NO_PROXY", "no_proxy"}


def test_proxies_are_not_asked_for_loopback() -> None:
    """What the person excludes from the proxy stays excluded."""
    assert without_settings({"NO_PROXY": "intra.example.com"})["no_proxy"] == "intra.example.com,127.0.0.1,localhost"


def test_every_setting_that_leads_somewhere_is_ours(tmp_path: Path) -> None:
    """All addresses in the program's environment are loopback."""
    stack = NativeStack(tmp_path / ".local", REAL)
    settings = stack.settings()
    assert settings["SOURCE_URL"].startswith("http://127.0.0.1:")
    assert settings["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert settings["MYSQL_HOST"] == "127.0.0.1"
    assert settings["AWS_CONFIG_FILE"] == settings["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_live_uses_the_public_api_and_local_stores(tmp_path: Path) -> None:
    """LIVE changes the source, nothing else."""
    stack = NativeStack(tmp_path / ".local", {"LIVE": "1"})
    assert "SOURCE_URL" not in stack.settings()
    assert stack.settings()["MYSQL_HOST"] == "127.0.0.1"
    assert [service.name for service in stack.services] == ["database server", "moto"]


def test_environment_file_takes_real_accounts_away(tmp_path: Path) -> None:
    """A shell that reads the printed file has our keys only."""
    stack = NativeStack(tmp_path / ".local", {})
    stack.write_environment()
    script = f". {stack.directory}/environment; env"
    shown = subprocess.run(["/bin/sh", "-c", script], env=REAL, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in shown.splitlines())
    assert {key for key in found if key.startswith("AWS_")} == set(AwsEndpoint("").environment())
    assert found["AWS_ACCESS_KEY_ID"] == "test"


def test_each_source_has_its_own_prefix_and_database_and_the_public_api_as_well(tmp_path: Path) -> None:
    """What a run finds there is never another source's, nor a sample."""
    given: list[dict[str, str]] = [{}, {"LIVE": "1"}, {"SOURCE": "launch_library"}, {"SOURCE": "launch_library", "LIVE": "1"}]
    for kind in (NativeStack, DockerStack):
        places = [(stack.place, stack.ask("sql")) for stack in (kind(tmp_path / ".local", one) for one in given)]
        assert len(set(places)) == 4
    settings = [NativeStack(tmp_path / ".local", one).settings() for one in given]
    assert len({one["S3_PREFIX"] for one in settings}) == len({one["MYSQL_DATABASE"] for one in settings}) == 4


def test_two_checkouts_have_containers_and_images_of_their_own(tmp_path: Path) -> None:
    """`make down` in one removes what its own project has."""
    one, other = (DockerStack(tmp_path / name / ".local", {}) for name in ("one", "other"))
    assert one.image != other.image
    assert one.compose != other.compose
    assert one.compose == DockerStack(tmp_path / "one" / ".local", {"SOURCE": "launch_library"}).compose


def test_a_run_needs_no_tool_of_developers() -> None:
    """All that `make run-local` starts is imported where the other packages of `make setup` can't be."""
    code = """
import importlib.metadata, pathlib, re, sys
pinned = lambda name: set(re.findall(r"^([a-z0-9-]+)==", pathlib.Path(name).read_text(), re.MULTILINE))
tools = pinned("requirements-dev.txt") - pinned("requirements-local.txt")
for module, packages in importlib.metadata.packages_distributions().items():
    if all(re.sub("[-_.]+", "-", package).lower() in tools for package in packages):
        sys.modules[module] = None
assert "pytest" in sys.modules
import tests.local.__main__, tests.sample_api.__main__, app.commands.wiring
import moto.server, moto.s3.urls, moto.logs.urls, moto.moto_api._internal.urls
"""
    subprocess.run([sys.executable, "-c", code], cwd=local.ROOT, check=True)


@pytest.mark.parametrize("kind", ["local", "dev"])
def test_what_pip_does_is_said_with_its_seconds(kind: str, tmp_path: Path) -> None:
    """By a Python that only takes its time."""
    (tmp_path / "tests/local").mkdir(parents=True)
    script = shutil.copy(Path(local.ROOT) / "tests/local/make-venv", tmp_path / "tests/local")
    requirements = shutil.copy(Path(local.ROOT) / f"requirements-{kind}.txt", tmp_path)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\ncase "$*" in *require-hashes*) sleep 1 ;; esac\n')
    python.chmod(0o755)
    done = subprocess.run([script, kind], capture_output=True, text=True, check=True)
    packages = sum("==" in line for line in Path(requirements).read_text().splitlines())
    assert re.fullmatch(
        rf"Installing {packages} pinned packages \(.*\) … [12] s\nInstalling this checkout … [01] s\n", done.stderr
    )
    assert (tmp_path / ".venv/can-run").exists()
    assert (tmp_path / ".venv/up-to-date").exists() == (kind == "dev")


def test_help_fits_a_terminal_and_names_the_living_source() -> None:
    """80 columns."""
    text = subprocess.run(["make", "help"], cwd=local.ROOT, capture_output=True, text=True, check=True).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"^  make run-local .*SOURCE=launch_library", text, re.MULTILINE)
    targets = re.findall(r"^([a-z][a-z0-9-]*):", (Path(local.ROOT) / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"^  make ([a-z0-9-]+)", text, re.MULTILINE) == targets


def test_forced_docker_without_docker_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """ENGINE=docker never falls back in silence."""
    monkeypatch.setattr(docker, "problem", lambda _: "no Docker Engine answers")
    with pytest.raises(SystemExit, match="no Docker Engine answers"):
        local.choose({"ENGINE": "docker"})
    assert isinstance(local.choose({}), NativeStack)
    assert isinstance(local.choose({"ENGINE": "native"}), NativeStack)
    with pytest.raises(SystemExit, match="docker or native"):
        local.choose({"ENGINE": "podman"})


@pytest.mark.skipif(docker.problem(Path(local.ROOT)) is not None, reason="needs a Docker Engine")
def test_images_that_cannot_be_had_are_a_reason_to_run_natively(capfd: pytest.CaptureFixture[str]) -> None:
    """An engine without a way to the images is as good as none, and the image is named."""
    environment = {**os.environ, "PYTHON_IMAGE": "127.0.0.1:9/none"}
    assert isinstance(local.choose(environment), NativeStack)
    assert "Running natively: 127.0.0.1:9/none can't be pulled" in capfd.readouterr().err
    with pytest.raises(SystemExit, match=r"127\.0\.0\.1:9/none can't be pulled"):
        local.choose({**environment, "ENGINE": "docker"})


def test_docker_needs_its_compose_file(tmp_path: Path) -> None:
    """What is missing is named."""
    assert "docker-compose.test.yml" in (docker.problem(tmp_path) or "")


@pytest.mark.parametrize(("code", "expected"), [("raise SystemExit(4)", 4), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_exit_code_is_passed_on(code: str, expected: int) -> None:
    """The program's own exit code, or a shell's number for its signal."""
    assert run_in_front([sys.executable, "-c", code], os.environ) == expected


def test_option_file_keeps_a_log_in(tmp_path: Path) -> None:
    """What is written is read back, by its owner only."""
    login = Login("127.0.0.1", 3307, "pipeline", "pass%word", "spacex")
    file = tmp_path / "client.cnf"
    login.write(file)
    assert Login.read(file) == login
    assert file.stat().st_mode & 0o077 == 0


def test_mysqld_variable_must_name_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong name is an error, not a reason to take another server."""
    monkeypatch.setenv("MYSQLD", "/no/such/mysqld")
    with pytest.raises(SystemExit, match="/no/such/mysqld"):
        install.find_server()


def test_no_server_and_no_way_to_install_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the two ways."""
    monkeypatch.delenv("MYSQLD", raising=False)
    monkeypatch.setattr(install.shutil, "which", lambda *_, **__: None)
    with pytest.raises(SystemExit, match=r"(?s)install one.*or start Docker"):
        install.find_or_install_server()
