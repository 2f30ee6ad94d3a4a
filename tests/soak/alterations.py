"""What somebody else does to one of the stores between two runs; the other store, or the archive, can repair it."""

import json
from collections.abc import Callable
from random import Random

from tests.fault.world import HISTORY, World

_POINTER = "manifests/latest.json"
_STATEMENTS = (
    "UPDATE launches SET name = 'altered' ORDER BY launch_id LIMIT 1",
    "UPDATE launches SET details = NULL, row_hash = REPEAT('0', 32)",
    "UPDATE launches SET row_hash = REPEAT('0', 32) ORDER BY launch_id DESC LIMIT 1",
    "UPDATE launches SET launch_year = 1999 ORDER BY launch_id LIMIT 2",
    "DELETE FROM launches ORDER BY launch_id LIMIT 1",
    "DELETE FROM launch_payloads",
    "UPDATE launch_cores SET launch_id = 'altered' ORDER BY launch_id LIMIT 1",
    (
        "INSERT INTO launch_crew (launch_id, position, launch_year, row_hash, changed_run_id, changed_at) "
        "VALUES ('altered', 0, 2020, REPEAT('0', 32), 'altered', NOW(6))"
    ),
    f"UPDATE {HISTORY} SET `new` = 'altered'",
    f"DELETE FROM {HISTORY} ORDER BY run_id LIMIT 1",
    "TRUNCATE launch_failures",
)


def row(world: World, random: Random) -> str:
    """Rows altered, added or removed in MySQL."""
    statement = random.choice(_STATEMENTS)
    world.login.query(statement)
    return statement


def replaced(world: World, random: Random) -> str:
    """A partition's object with other bytes: none, not Parquet, or another table's."""
    key, other = random.choice(_partitions(world)), random.choice(_partitions(world))
    _put(world, key, random.choice((b"", b"PAR1 not at all PAR1", world.object(other))))
    return key


def deleted(world: World, random: Random) -> str:
    """A partition's object deleted, all versions of it, or the latest alone, so that an older one stands there again."""
    key, how = random.choice(_partitions(world)), random.choice(("marked", "latest", "all"))
    if how == "marked":
        world.aws.client("s3").delete_object(Bucket=world.bucket, Key=key)
    elif how == "all":
        _remove(world, key)
    else:
        latest = world.aws.client("s3").head_object(Bucket=world.bucket, Key=key)["VersionId"]
        world.aws.client("s3").delete_object(Bucket=world.bucket, Key=key, VersionId=latest)
    return f"{key} {how}"


def added(world: World, random: Random) -> str:
    """An object of a year that nothing is known of."""
    key = random.choice(_partitions(world))
    table = key.partition("/")[0]
    _put(world, f"{table}/year=1999/{table}.parquet", world.object(key))
    return key


def copied(world: World, random: Random) -> str:
    """Every partition put again: the same bytes under new versions."""
    for key in _partitions(world):
        _put(world, key, world.object(key))
    return "all partitions"


def pointer(world: World, random: Random) -> str:
    """The pointer gone, empty, or to nothing."""
    body = random.choice((None, b"", b"[" * 100_000, b"{}", b'{"manifest": "manifests/run=x.json", "sha256": "0"}'))
    if body is None:
        world.aws.client("s3").delete_object(Bucket=world.bucket, Key=_POINTER)
    else:
        _put(world, _POINTER, body)
    return str(body)[:20]


def manifest(world: World, random: Random) -> str:
    """The manifest with other bytes."""
    key = json.loads(world.object(_POINTER))["manifest"]
    _put(world, key, random.choice((b"", world.object(key) + b" ", b"{")))
    return str(key)


def raw(world: World, random: Random) -> str:
    """An archived answer gone."""
    key = random.choice(sorted(world.keys("raw/")))
    _remove(world, key)
    return key


ALTERATIONS: list[Callable[[World, Random], str]] = [*[row] * 4, *[replaced, deleted] * 2, added, copied, pointer, manifest, raw]


def _partitions(world: World) -> list[str]:
    return sorted(key for key in world.keys() if "/year=" in key)  # noqa: SIM118 - a method


def _put(world: World, key: str, body: bytes) -> None:
    world.aws.client("s3").put_object(Bucket=world.bucket, Key=key, Body=body)


def _remove(world: World, key: str) -> None:
    for name, version in world.versions(key):
        world.aws.client("s3").delete_object(Bucket=world.bucket, Key=name, VersionId=version)
