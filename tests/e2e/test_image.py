"""The image is small, knows what it is, and holds nothing that it does not need."""

import json
import os
import subprocess

import pytest

from app import __version__
from tests.e2e.container import IMAGE, ROOT, docker

pytestmark = pytest.mark.usefixtures("network")
_LARGEST_BYTES = 450_000_000


def inside(code: str) -> str:
    return docker("run", "--rm", "--read-only", "--entrypoint=python", IMAGE, "-c", code).strip()


def test_the_image_is_made_for_fargate() -> None:
    found = json.loads(docker("image", "inspect", IMAGE))[0]
    config = found["Config"]
    assert (config["Entrypoint"], config["Cmd"]) == (["python", "-m", "app"], ["run"])
    assert config["User"] == "10001:10001"
    assert set(config["Volumes"]) == {"/tmp"}
    assert found["Size"] < _LARGEST_BYTES
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert config["Labels"]["org.opencontainers.image.revision"] not in {"", "unknown"}


def test_the_program_says_its_version() -> None:
    assert __version__ in docker("run", "--rm", IMAGE, "--version")


def test_packages_are_the_pinned_ones_and_no_installer_is_among_them() -> None:
    code = "from importlib.metadata import distributions as d; print(*sorted(f'{p.name}=={p.version}'.lower() for p in d()))"
    found = set(inside(code).split())
    text = (ROOT / "requirements.txt").read_text()
    pinned = {line.split()[0].lower() for line in text.splitlines() if line and line[0] not in " #"}
    assert {name.replace("_", "-") for name in found} - {f"spacex-pipeline=={__version__}"} <= {
        p.replace("_", "-") for p in pinned
    }
    assert not {name.split("==")[0] for name in found} & {"pip", "setuptools", "wheel", "uv"}


def test_of_the_checkout_only_the_program_is_inside() -> None:
    assert inside("import os; print(os.listdir('/srv'))") == "['app']"
    assert inside("import glob; print(glob.glob('/venv/**/tests', recursive=True))") == "[]"


def test_only_the_volume_can_be_written_to() -> None:
    """The volume is the user's own, as it is where Fargate mounts one."""
    assert inside("import os; s = os.stat('/tmp'); print(s.st_uid, s.st_gid, os.listdir('/tmp'))") == "10001 10001 []"
    assert inside("open('/tmp/x', 'w').write('x'); print('written')") == "written"
    docker("run", "--rm", "--entrypoint=python", IMAGE, "-c", "open('/srv/x', 'w')", code=1)


@pytest.mark.parametrize(("release", "ends_well"), [("1", False), ("0", True)])
def test_only_a_release_needs_the_authorities(release: str, *, ends_well: bool) -> None:
    given = {"RELEASE": release, "RDS_CA_BUNDLE": "file:///context/none.pem"}
    given["PYTHON_IMAGE"] = os.environ.get("PYTHON_IMAGE", "python:3.13-slim")
    arguments = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    network = os.environ.get("BUILD_NETWORK", "default")
    command = ["docker", "build", "--network", network, "--target=authorities", *arguments, str(ROOT)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ended.returncode == 0) is ends_well, ended.stderr
    assert "no RDS certificate authorities from file:///context/none.pem" in ended.stderr
