"""S3's answers to a conditional PUT: each means one thing, for a partition that is new or there, and for the pointer."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fault.world import AFTER, World, new_world
from tests.services import AwsEndpoint, Login
from tests.services.proxy import Proxy
from tests.services.server import HOST

THERE = "launches/year=2020/launches.parquet"
NEW = "launch_crew/year=2021/launch_crew.parquet"
POINTER = "manifests/latest.json"
FOR_EVER = 99


def answered(status: str, code: str) -> bytes:
    """An answer as S3 sends errors."""
    body = f"<Error><Code>{code}</Code><Message>said the test</Message></Error>".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


NOT_MET = answered("412 Precondition Failed", "PreconditionFailed")
CONFLICT = answered("409 Conflict", "ConditionalRequestConflict")
ABORTED = answered("409 Conflict", "OperationAborted")
GONE = answered("404 Not Found", "NoSuchKey")


@dataclass(frozen=True)
class Case:
    """What S3 says to the PUT of a key, how often, and what has happened meanwhile; `says` is the error, if it is one."""

    name: str
    key: str
    answer: bytes
    times: int = 1
    meanwhile: str = ""
    says: str = ""


def _cases() -> Iterator[Case]:
    for kind, key in (("there", THERE), ("new", NEW), ("pointer", POINTER)):
        yield Case(f"{kind}, two conflicts", key, CONFLICT, 2)
        yield Case(f"{kind}, conflicts for ever", key, CONFLICT, FOR_EVER, says="another request at work")
        how = "created" if key == NEW else "replaced"
        yield Case(f"{kind}, lost to another writer", key, NOT_MET, 1, "put", f"was {how} by another writer")
        yield Case(f"{kind}, deleted and said by 412", key, NOT_MET, 1, "delete", "was deleted meanwhile")
    for kind, key in (("there", THERE), ("pointer", POINTER)):
        yield Case(f"{kind}, an aborted operation", key, ABORTED, 1)
        yield Case(f"{kind}, refused though nobody wrote", key, NOT_MET, 1)
        yield Case(f"{kind}, refused for ever though nobody wrote", key, NOT_MET, FOR_EVER, says="though it is what was seen")
        yield Case(f"{kind}, deleted and said by 404", key, GONE, 1, "delete", "was deleted meanwhile")


def test_each_answer_means_one_thing(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> None:
    """A run goes on, or ends with 5 and says what became of the key; the next run repairs it."""

    def tried(case: Case) -> str:
        try:
            with new_world(mysql, aws, tmp_path / case.name) as world:
                _try(world, case)
        except AssertionError as error:
            return f"{case.name}: {error}"
        return ""

    with ThreadPoolExecutor(4) as pool:
        failures = [failure for failure in pool.map(tried, _cases()) if failure]
    assert not failures, "\n\n".join(failures)


def test_our_own_earlier_try_is_success(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> None:
    """The PUT was done and its answer lost: the second try is refused, and what refuses it is our own."""
    for name, key in (("there", THERE), ("new", NEW), ("pointer", POINTER)):
        with new_world(mysql, aws, tmp_path / name) as world, _proxied(world) as proxy:
            assert world.run_forked() == 0, world.last_line
            world.api.set("launches", AFTER)
            proxy.lose(_put(world, key))
            assert world.run_forked(AWS_ENDPOINT_URL=proxy.url) == 0, world.last_line
            assert proxy.lost == 1
            assert len([1 for found, _ in world.versions() if found == key]) == (1 if key == NEW else 2)
            world.assert_equal(4)


def _try(world: World, case: Case) -> None:
    assert world.run_forked() == 0, world.last_line
    world.api.set("launches", AFTER)
    s3, where = world.aws.client("s3"), {"Bucket": world.bucket, "Key": case.key}
    meanwhile: dict[str, Any] = {
        "": lambda: None,
        "put": lambda: s3.put_object(**where, Body=b"another's"),
        "delete": lambda: s3.delete_object(**where),
    }
    with _proxied(world) as proxy:
        proxy.answer(_put(world, case.key), case.answer, case.times, meanwhile[case.meanwhile])
        code = world.run_forked(AWS_ENDPOINT_URL=proxy.url)
        last = json.loads(world.last_line)
        assert code == (5 if case.says else 0), f"exit {code}: {last['message']}"
        assert proxy.answered >= 1
    if case.says:
        assert case.says in last["message"], last["message"]
        assert f"s3://{world.bucket}/{case.key}" in last["message"], last["message"]
        assert world.run_forked() == 0, world.last_line
    world.assert_equal(4)


def _proxied(world: World) -> Proxy:
    return Proxy(HOST, int(world.aws.url.rpartition(":")[2]))


def _put(world: World, key: str) -> bytes:
    return f"^PUT /{world.bucket}/{key}".replace("=", "(=|%3D)").encode()
