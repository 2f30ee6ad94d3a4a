"""A pointer or a manifest that can't be believed ends no run: the next one proves everything and publishes anew."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fault.world import World, new_world
from tests.services import AwsEndpoint, Login

POINTER = "manifests/latest.json"


@pytest.fixture
def world(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path / "world") as world:
        assert world.run_forked() == 0, world.last_line
        yield world


def _put(world: World, key: str, body: bytes) -> None:
    world.aws.client("s3").put_object(Bucket=world.bucket, Key=key, Body=body)


def _manifest(world: World) -> str:
    return str(json.loads(world.object(POINTER))["manifest"])


def _purge(world: World, key: str) -> None:
    for found, version in world.versions(key):
        world.aws.client("s3").delete_object(Bucket=world.bucket, Key=found, VersionId=version)


def _rewritten(world: World, change: Callable[[dict[str, object]], object]) -> None:
    """Another manifest in the place of the published one, with its digest in the pointer."""
    key = _manifest(world)
    manifest = json.loads(world.object(key))
    change(manifest)
    body = json.dumps(manifest).encode()
    _put(world, key, body)
    pointer = {**json.loads(world.object(POINTER)), "sha256": hashlib.sha256(body).hexdigest()}
    _put(world, POINTER, json.dumps(pointer).encode())


def _another_digest(world: World) -> None:
    pointer = {**json.loads(world.object(POINTER)), "sha256": "0" * 64}
    _put(world, POINTER, json.dumps(pointer).encode())


BROKEN: dict[str, Callable[[World], None]] = {
    "pointer of brackets": lambda world: _put(world, POINTER, b"[" * 100_000),
    "pointer to a key that is no manifest": lambda world: _put(world, POINTER, b'{"manifest": "../x"}'),
    "manifest is gone": lambda world: _purge(world, _manifest(world)),
    "no version has the digest": _another_digest,
    "time without zone": lambda world: _rewritten(world, lambda m: m.update(as_of="2026-01-31T12:00:00")),
    "foreign key": lambda world: _rewritten(world, lambda m: m["files"][0].update(key="elsewhere")),  # type: ignore[index]
    "manifest of brackets": lambda world: _put(world, _manifest(world), b"[" * 100_000),  # its earlier version is read
}


def test_the_next_run_publishes_what_can_be_believed(world: World) -> None:
    for kind, breaks in BROKEN.items():
        before = world.rows()
        breaks(world)
        assert world.run_forked() == 0, f"{kind}: {world.last_line}"
        assert world.rows() == before, kind
        world.assert_equal(3)
        assert world.run_forked() == 0, f"{kind}: {world.last_line}"
        assert "run unchanged" in world.last_line, kind
