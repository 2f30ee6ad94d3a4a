"""The source is a stranger: it may send the program elsewhere, fish for credentials, and answer anything of any size."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.stranger import Reply, Stranger
from tests.fault.world import BEFORE, PAYLOADS, ROCKET, World, new_world
from tests.services import AwsEndpoint, Login

PEAK_MB = 600
LOOKUPS: dict[str, list[Any]] = {
    **{kind: [] for kind in ("launchpads", "landpads", "cores", "crew")},
    "rockets": [ROCKET],
    "payloads": PAYLOADS,
}


@pytest.fixture
def world(mysql: Login, aws: AwsEndpoint, tmp_path: Path) -> Iterator[World]:
    with new_world(mysql, aws, tmp_path / "world") as world:
        yield world


def sound(path: str) -> Reply:
    """What a well-behaved API answers."""
    name = path.rpartition("/")[2]
    return Reply(json.dumps(BEFORE if name == "launches" else LOOKUPS[name]).encode())


def serving(launches: Callable[[], Reply]) -> Stranger:
    """An API that answers launches so, and is sound otherwise."""
    return Stranger(lambda _, path: launches() if path == "/v5/launches" else sound(path))


# --- redirects and credentials ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:1/",
        "http://127.0.0.1:1/",
        "//10.0.0.1/launches",
        "http://user:word@127.0.0.1/",
        "ftp://127.0.0.1/launches",
        "http://[::1",
    ],
)
def test_a_redirect_to_another_host_is_not_followed_and_both_addresses_are_named(world: World, elsewhere: str) -> None:
    with serving(lambda: Reply(b"", 302, {"Location": elsewhere})) as stranger:
        error = world.run(SOURCE_URL=stranger.url, code=3)["error"]
        assert f"{stranger.url}/v5/launches: redirected to {elsewhere}" in error
        assert [asked for asked, _ in stranger.asked] == ["GET /v5/launches"]


def test_a_redirect_on_the_same_host_is_followed_a_few_times(world: World) -> None:
    def reply(_: str, path: str) -> Reply:
        return Reply(b"", 308, {"Location": "/moved" + path}) if not path.startswith("/moved") else sound(path)

    with Stranger(reply) as stranger:
        assert world.run(SOURCE_URL=stranger.url)["rows"]["launches"] == 3
    with Stranger(lambda _, path: Reply(b"", 302, {"Location": path + "x"})) as stranger:
        assert "more than 5 redirects" in world.run(SOURCE_URL=stranger.url, code=3)["error"]
        assert len(stranger.asked) == 6


def test_the_user_s_netrc_is_never_sent_and_never_replaces_the_token(world: World, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login somebody password marker-9c\n")
    (home / ".netrc").chmod(0o600)
    personal = {"HOME": str(home), "NETRC": str(home / ".netrc")}
    with Stranger(lambda _, path: sound(path)) as stranger:
        world.run(SOURCE_URL=stranger.url, **personal)
        assert not [headers for _, headers in stranger.asked if "authorization" in headers]
    with Stranger(lambda _, __: Reply(b"", 302, {"Location": "http://localhost:1/"})) as stranger:
        token = {"SOURCE": "launch_library", "LAUNCH_LIBRARY_TOKEN": "marker-7d1e"}
        world.run(SOURCE_URL=stranger.url, code=3, **personal, **token)
        assert [headers["authorization"] for _, headers in stranger.asked] == ["Token marker-7d1e"]


# --- sizes ------------------------------------------------------------------------------------------------------------


def packed(body: bytes) -> Reply:
    """A body as gzip packs it."""
    return Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})


def bomb() -> Iterator[bytes]:
    """A gzip member that never ends."""
    piece = gzip.compress(b" " * (64 << 20))
    yield gzip.compress(b"[")
    while True:
        yield piece


def list_of(record: str, count: int) -> bytes:
    return f"[{','.join([record] * count)}]".encode()


HUGE: dict[str, Callable[[], Reply]] = {
    "three million zeros": lambda: packed(list_of("0", 3_000_000)),
    "millions of empty objects": lambda: packed(list_of("{}", 4_000_000)),
    "many values in one record": lambda: packed(b'[{"id":"a","x":' + list_of('{"":0}', 1_900_000) + b"}]"),
    "zeros where parts should be": lambda: packed(
        b'[{"id":"a","date_utc":"2020-01-01","payloads":' + list_of("0", 900_000) + b"}]"
    ),
    "one long record": lambda: packed(b'[{"id":"' + b"x" * (200 << 20) + b'"}]'),
    "deep nesting": lambda: packed(b"[" * 15_000_000),
    "a bomb": lambda: Reply(bomb(), headers={"Content-Encoding": "gzip"}),
    "a bomb in a redirect": lambda: Reply(bomb(), 302, {"Content-Encoding": "gzip", "Location": "http://localhost:1/"}),
    "no end": lambda: Reply(b" " * 65536 if i else b"[" for i in range(1 << 40)),
    "long numbers": lambda: packed(list_of("9" * 4000, 3_000)),
}


@pytest.mark.parametrize("name", HUGE)
def test_any_answer_is_read_within_bounded_memory(world: World, name: str) -> None:
    def reply(method: str, path: str) -> Reply:
        return HUGE[name]() if path.startswith("/v5/launches") else sound(path)

    with Stranger(reply) as stranger:
        code, peak_mb, output = measured(world, SOURCE_URL=stranger.url, MAX_REJECTED_RATIO="0.05", RUN_TIMEOUT_S="120")
    assert "Traceback" not in output
    assert code in {3, 4}, output[-2000:]
    assert peak_mb < PEAK_MB, f"{peak_mb:.0f} MB"


def test_pages_without_end_are_given_up_on(world: World) -> None:
    """Each is a gigabyte of nothing in a few bytes, or one more of a list that goes on for ever."""
    number = 0

    def reply(method: str, path: str) -> Reply:
        nonlocal number
        if not path.startswith("/v5/launches"):
            return sound(path)
        if method == "GET":
            return Reply(b"[" + b" " * (17 << 20) + b"]")
        number += 1
        return packed(
            json.dumps(
                {
                    "docs": [{"id": f"{number}-{i}"} for i in range(20_000)],
                    "page": number,
                    "totalDocs": 10**9,
                    "hasNextPage": True,
                }
            ).encode()
        )

    with Stranger(reply) as stranger:
        error = world.run(SOURCE_URL=stranger.url, code=3)["error"]
    assert "more than 400000 records" in error


def measured(world: World, **settings: str) -> tuple[int, float, str]:
    """A run's exit code, the most memory that it or a process of its own held, and what it printed."""
    script = (
        "import os, resource, subprocess, sys\n"
        "ended = subprocess.run([sys.executable, '-m', 'app', 'run', '--json'], capture_output=True, text=True)\n"
        "print(ended.stdout + ended.stderr)\n"
        "print(ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], env={**world.environment, **settings}, capture_output=True, text=True, check=True
    )
    output, _, last = ended.stdout.rstrip().rpartition("\n")
    code, peak = last.split()
    return int(code), int(peak) / 1000, output


# --- rejects ----------------------------------------------------------------------------------------------------------


def test_rejects_are_written_down_as_strict_json_and_too_many_end_the_run(world: World) -> None:
    texts = ['{"id":"a","x":NaN,"y":[Infinity,-Infinity],"z":"\\ud800"}', '{"id":"b","x":1e999}', '"\\udfff"']
    world.api.set("launches", f"[{','.join([*texts, json.dumps(BEFORE[0])])}]".encode())
    assert world.run()["rejected"] == 3
    lines = gzip.decompress(world.object(world.keys("quarantine/")[-1])).splitlines()
    raws = [json.loads(line, parse_constant=pytest.fail)["raw"] for line in lines]
    assert raws == [
        {"id": "a", "x": "NaN", "y": ["Infinity", "-Infinity"], "z": "\ud800"},
        {"id": "b", "x": "Infinity"},
        "\udfff",
    ]
    with serving(lambda: packed(list_of('{"date_utc":"2020-01-01"}', 100_000))) as stranger:
        code, peak_mb, output = measured(world, SOURCE_URL=stranger.url)
    assert code == 4
    assert "over 20000 records can't be used" in output
    assert peak_mb < PEAK_MB


def test_launches_of_too_many_years_end_the_run_before_anything_is_written(world: World) -> None:
    launches = [{"id": f"y{year}", "date_utc": f"{year}-01-01T00:00:00Z"} for year in range(1000, 2100)]
    world.api.set("launches", launches)
    assert "over 1000 launch years" in world.run(code=4)["error"]
    assert world.in_mysql("launches") == []
    assert not world.keys("launches/")


def test_a_short_reference_to_a_long_text_does_not_fill_the_disk(world: World) -> None:
    """Five bytes that name a lookup record become a row with all of its text."""
    payload = {"id": "p", **{name: ["x" * 15_000] for name in ("customers", "nationalities", "manufacturers")}}
    world.api.set("payloads", [payload])
    world.api.set("launches", [{"id": f"l{i}", "date_utc": "2020-01-01", "payloads": ["p"] * 1000} for i in range(60)])
    code, peak_mb, output = measured(world)
    assert code == 4
    assert "over 1024 MiB of rows" in output
    assert peak_mb < PEAK_MB


# --- missing pieces ---------------------------------------------------------------------------------------------------

LAUNCH = {"id": "one", "date_utc": "2020-01-01T00:00:00Z"}
MISSING: list[tuple[dict[str, Any], str, list[dict[str, Any]]]] = [
    ({"crew": [{"crew": None, "role": "Pilot"}]}, "launch_crew", [{"crew_id": None, "name": None, "role": "Pilot"}]),
    ({"crew": [{"role": "Pilot"}]}, "launch_crew", [{"crew_id": None, "role": "Pilot"}]),
    ({"crew": [{}, None, {"crew": {}}]}, "launch_crew", [{"crew_id": None, "role": None}] * 3),
    ({"rocket": {}}, "launches", [{"rocket_id": None, "rocket_name": None}]),
    ({"rocket": {"name": "Nameless id"}}, "launches", [{"rocket_id": None, "rocket_name": "Nameless id"}]),
    ({"launchpad": {}}, "launches", [{"launchpad_id": None, "launchpad_name": None}]),
    ({"cores": [{}]}, "launch_cores", [{"core_id": None, "core_flight_number": None, "landpad_id": None}]),
    (
        {"cores": [None, {"core": {}, "landpad": {}, "flight": 2}]},
        "launch_cores",
        [{"core_flight_number": None}, {"core_flight_number": 2}],
    ),
    ({"payloads": [{}, None]}, "launch_payloads", [{"payload_id": None, "name": None}] * 2),
    ({"payloads": [{"id": "q", "customers": [None, "A"]}]}, "launch_payloads", [{"payload_id": "q", "customers": '["A"]'}]),
    ({"ships": [{}, None, "s"], "capsules": [{}]}, "launches", [{"ship_ids": '["s"]', "capsule_ids": "[]"}]),
    ({"fairings": {}}, "launches", [{"has_fairings": None}]),
    ({"fairings": None}, "launches", [{"has_fairings": 0}]),
    ({"fairings": {"reused": None}}, "launches", [{"has_fairings": 1, "fairings_reused": None}]),
    ({"failures": [{}]}, "launch_failures", [{"reason": None}]),
    ({"links": {}}, "launches", [{"webcast_url": None}]),
]


def test_a_missing_piece_is_null_and_the_launch_stays(world: World) -> None:
    world.api.set("launches", [{**LAUNCH, "id": f"m-{i:02}", **facts} for i, (facts, _, _) in enumerate(MISSING)])
    result = world.run()
    assert result["rejected"] == 0, result["warnings"]
    for i, (facts, table, expected) in enumerate(MISSING):
        rows = [row for row in world.in_mysql(table) if row["launch_id"] == f"m-{i:02}"]
        wanted = [{column: row[column] for column in want} for row, want in zip(rows, expected, strict=True)]
        assert wanted == expected, facts
    world.assert_equal(len(MISSING))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"date_utc": None}, "date_utc must be an ISO 8601 date or time such as 2020-05-30T19:22:00Z, not null"),
    ({"id": None}, "id must be text, not null"),
    ({"name": "x" * 513}, "name must be text of at most 512 characters, not 'xxx"),
    ({"flight_number": "12"}, "flight_number must be a whole number, not '12'"),
    ({"window": 2**63}, "window must be a whole number below 9223372036854775808, not 9223372036854775808"),
    ({"success": 1}, "success must be true or false, not 1"),
    ({"links": []}, "links must be an object, not []"),
    ({"cores": {}}, "cores must be a list, not {}"),
    ({"cores": [3]}, "cores[0] must be an object, not 3"),
    ({"rocket": 7}, "rocket must be an id of 1 to 64 letters, digits, _ and -, or an object, not 7"),
    ({"rocket": {"id": 7}}, "rocket.id must be text, not 7"),
    ({"payloads": [None] * 1001}, "payloads must be a list of at most 1000, not [null, null"),
    ({"failures": [{"altitude": "high"}]}, "failures[0].altitude must be a number, not 'high'"),
]


@pytest.mark.parametrize(("facts", "says"), WRONG)
def test_a_reject_is_said_in_plain_words(world: World, facts: dict[str, Any], says: str) -> None:
    world.api.set("launches", [{**LAUNCH, **facts}, BEFORE[0]])
    (warning,) = [w for w in world.run()["warnings"] if w.startswith("rejected")]
    assert says in warning
