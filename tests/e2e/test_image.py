"""The image is small, knows what it is, and holds nothing that it does not need."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from app import __version__
from tests.e2e.container import IMAGE, ROOT, docker
from tests.services.certificates import make_certificates

pytestmark = pytest.mark.usefixtures("network")
LARGEST_BYTES = 450_000_000


def inside(code: str) -> str:
    """What Python code prints in the image."""
    return docker("run", "--rm", "--read-only", "--entrypoint=python", IMAGE, "-c", code).strip()


def test_the_image_is_made_for_fargate() -> None:
    found = json.loads(docker("image", "inspect", IMAGE))[0]
    config = found["Config"]
    assert (config["Entrypoint"], config["Cmd"]) == (["python", "-m", "app"], ["run"])
    assert config["User"] == "10001:10001"
    assert list(config["Volumes"]) == ["/tmp"]  # noqa: S108  # the volume's own path
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert config["Labels"]["org.opencontainers.image.revision"] == os.environ["REVISION"]
    print(f"{found['Size'] / 1e6:.0f} MB")
    assert found["Size"] < LARGEST_BYTES


def test_the_program_says_its_version() -> None:
    assert docker("run", "--rm", IMAGE, "--version") == f"spacex-pipeline, version {__version__}\n"


def test_the_program_is_a_command_by_its_name_too() -> None:
    """As help and documents call it: to enter a container, or as another entrypoint."""
    command = ["run", "--rm", "--read-only", "--workdir=/tmp", "--entrypoint=spacex-pipeline", IMAGE]
    assert docker(*command, "--version") == f"spacex-pipeline, version {__version__}\n"


def test_packages_are_the_pinned_ones_and_no_installer_is_among_them() -> None:
    listing = "from importlib.metadata import distributions; print(*(f'{p.name}=={p.version}' for p in distributions()))"
    found = inside(listing)
    text = (ROOT / "requirements.txt").read_text()
    pinned = {plain(line.split()[0]) for line in text.splitlines() if line and line[0] not in " #"}
    assert {plain(name) for name in found.split()} <= pinned


def plain(requirement: str) -> str:
    """One spelling of a package's name."""
    return requirement.lower().replace("_", "-").replace(".", "-")


def test_of_the_checkout_only_the_program_is_inside() -> None:
    assert inside("import os; print(os.listdir('/srv'))") == "['app']"
    assert inside("import glob; print(glob.glob('/venv/**/tests', recursive=True))") == "[]"


def test_only_the_volume_can_be_written_to() -> None:
    """The volume is the user's own, as it is where Fargate mounts one."""
    assert inside("import os; s = os.stat('/tmp'); print(s.st_uid, s.st_gid, os.listdir('/tmp'))") == "10001 10001 []"
    assert inside("print(open('/tmp/x', 'w').write('x'))") == "1"
    docker("run", "--rm", "--entrypoint=python", IMAGE, "-c", "open('/srv/x', 'w')", code=1)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A copy of what the image is made of, with a bundle of authorities and a file that is none beside it."""
    for name in ("Dockerfile", ".dockerignore", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "app", tmp_path / "app")
    authority, *_ = make_certificates(tmp_path)
    shutil.copy(authority, tmp_path / "bundle.pem")
    (tmp_path / "broken.pem").write_text("<html>Access denied</html>")
    return tmp_path


def build(context: Path, bundle: str, release: int, *options: str) -> "subprocess.CompletedProcess[str]":
    """Build with a bundle from the context."""
    given = {"PYTHON_IMAGE": os.environ.get("PYTHON_IMAGE", "python:3.13-slim"), "RELEASE": str(release)}
    given["RDS_CA_BUNDLE"] = f"file:///context/{bundle}"
    arguments = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    network = os.environ.get("BUILD_NETWORK", "default")
    command = ["docker", "build", "--network", network, *arguments, *options, str(context)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("bundle", ["none.pem", "broken.pem"])
def test_only_a_release_fails_without_the_authorities(context: Path, bundle: str) -> None:
    for release in (0, 1):
        ended = build(context, bundle, release, "--target=authorities")
        assert ended.returncode == release, ended.stderr
        assert f"no RDS certificate authorities from file:///context/{bundle}: " in ended.stderr


def test_the_authorities_are_where_terraform_says(context: Path) -> None:
    ended = build(context, "bundle.pem", 1, "--iidfile", str(context / "id"))
    assert ended.returncode == 0, ended.stderr
    image = (context / "id").read_text()
    try:
        shown = docker("run", "--rm", "--entrypoint=cat", image, "/etc/ssl/rds/global-bundle.pem")
    finally:
        docker("image", "rm", image)
    assert shown == (context / "bundle.pem").read_text()
    assert '"/etc/ssl/rds/global-bundle.pem"' in (ROOT / "infra/terraform/locals.tf").read_text()
