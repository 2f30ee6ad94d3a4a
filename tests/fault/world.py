"""Both stores, an API and the program, all of one test's own, and what the stores hold as plain data."""

import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tests.fault.stopped import Stop, run_stopped
from tests.program import KEYS, QUICK, Program
from tests.sample_api import SampleApi
from tests.services import AwsEndpoint, Login, create_database, drop_database

State = dict[str, Any]
HISTORY = "launch_changes"
WORLDS = 3  # at work side by side: most of a run is waiting

ROCKET = {"id": "r1", "name": "Rocket"}
PAYLOADS = [{"id": f"p{i}", "name": f"Payload {i}", "mass_kg": 100.5 * i, "orbit": "LEO"} for i in range(1, 5)]


def launch(number: int, date: str, **facts: Any) -> dict[str, Any]:
    """A sound launch with a rocket, a booster and a payload."""
    return {
        "id": f"launch-{number}",
        "flight_number": number,
        "name": f"Launch {number}",
        "date_utc": f"{date}T00:00:00.000Z",
        "success": True,
        "upcoming": False,
        "rocket": "r1",
        "payloads": [f"p{number}"],
        "cores": [{"core": "c1", "flight": number, "reused": number > 1}],
        "crew": [],
        "failures": [],
        **facts,
    }


BEFORE = [
    launch(1, "2020-03-01"),
    launch(2, "2020-06-01", crew=[{"crew": "m1", "role": "Commander"}]),
    launch(3, "2021-02-01", success=False, failures=[{"time": 60, "altitude": 12.5, "reason": "Neutral reason"}]),
]
AFTER = [
    launch(1, "2020-03-01", details="Changed.", payloads=[]),  # a row changed, a row gone
    launch(2, "2021-06-01", crew=[{"crew": "m1", "role": "Commander"}]),  # to the other year; its crew leaves one empty
    launch(3, "2021-02-01", success="no"),  # malformed: its last good rows stay
    launch(4, "2020-09-01"),  # new
]


class World(Program):
    """A program with its API, database and bucket."""

    def __init__(
        self, aws: AwsEndpoint, login: Login, bucket: str, api: SampleApi, folder: Path, settings: dict[str, str]
    ) -> None:
        environment = {**aws.environment(), **login.environment(), **QUICK, "S3_BUCKET": bucket, "SOURCE_URL": api.url}
        super().__init__({"PATH": "/usr/bin:/bin", **environment, **settings}, aws, login)
        self.api = api
        self.folder = folder
        self._known: set[tuple[str, str, str]] = set()
        self._kept = self._known
        self._rows: dict[str, tuple[tuple[Any, ...], ...]] = {}
        self._versions: set[tuple[str, str]] = set()

    def run_forked(self, stop: Stop | None = None, *, arguments: Sequence[str] = (), **settings: str) -> int:
        """One run, perhaps stopped; its exit code."""
        environment = {**self.environment, **settings}
        return run_stopped(environment, ["run", *arguments], self.folder / "output", self.folder / "effects", stop)

    @property
    def effects(self) -> list[str]:
        """What the last run did, in order."""
        return (self.folder / "effects").read_text().splitlines()

    @property
    def last_line(self) -> str:
        """The last thing that the last run said; what follows are metrics."""
        return [line for line in (self.folder / "output").read_text().splitlines() if '"message"' in line][-1]

    def rows(self) -> State:
        """Every fact in MySQL, by table; of the history, which only grows, what came since `mark`."""
        there = set(self.tables())
        found = {table: [] for table in KEYS} | self.all_in_mysql(table for table in KEYS if table in there)
        news = [row for row in found[HISTORY] if _key(row) not in self._known]
        facts = ("launch_id", "column_name", "old_value", "new_value")
        return {**found, HISTORY: sorted(tuple(row[name] for name in facts) for row in news)}

    def mark(self) -> None:
        """From here on history is news."""
        self._known = {_key(row) for row in self.in_mysql(HISTORY)}

    def published(self) -> State:
        """What the latest manifest claims, and that every object it names is there; runs and versions left out."""
        if "manifests/latest.json" not in self.keys("manifests/"):
            return {}
        manifest = json.loads(self.object(json.loads(self.object("manifests/latest.json"))["manifest"]))
        stored, files = self._stored(), {}
        for file in manifest["files"]:
            assert stored.get((file["key"], file["version_id"])) == file["etag"], file
            if file["table"] != HISTORY:  # it names runs
                files[file["key"]] = (file["rows"], file["digest"], file["etag"])
        for endpoint in manifest["endpoints"].values():
            for raw in endpoint["objects"]:
                assert (raw["key"], raw["version_id"]) in stored, raw
        kept = ("source", "rejected", "retained_ids", "lookups", "newest_launch_utc")
        return {"files": files, **{name: manifest[name] for name in kept}}

    def state(self) -> State:
        """Everything that a good run leaves in both stores, to the byte: the emulator's ETag is the MD5 of an object."""
        pages = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        listed = {item["Key"]: item["ETag"] for page in pages for item in page["Contents"]}
        objects = {key: etag for key, etag in listed.items() if key.partition("/")[0] in KEYS.keys() - {HISTORY}}
        published = self.published()
        assert {key: etag for key, (_, _, etag) in published["files"].items()} == objects
        assert self.in_mysql(HISTORY) == (self.in_s3(HISTORY) if any(key.startswith(HISTORY) for key in listed) else [])
        (last,) = self.login.query("SELECT state FROM pipeline_runs ORDER BY started_at DESC, run_id DESC LIMIT 1")
        assert last[0] in ("published", "unchanged")
        return {"mysql": self.rows(), "s3": objects, "manifest": published}

    def keep(self) -> None:
        """What `reset` goes back to."""
        self._rows = {table: self.login.query(f"SELECT * FROM `{table}`") for table in self.tables()}
        self._versions = set(self._stored())
        self.mark()
        self._kept = self._known

    def reset(self) -> None:
        """Both stores as they were, row by row and version by version, for less than a run would take."""
        self._known = self._kept
        with self.login.connect(autocommit=False) as connection, connection.cursor() as cursor:
            for table, rows in self._rows.items():
                cursor.execute(f"DELETE FROM `{table}`")
                if rows:
                    cursor.executemany(f"INSERT INTO `{table}` VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)
            connection.commit()
        added = [{"Key": key, "VersionId": version} for key, version in self._stored().keys() - self._versions]
        if added:
            self.aws.client("s3").delete_objects(Bucket=self.bucket, Delete={"Objects": added, "Quiet": True})

    def _stored(self) -> dict[tuple[str, str], str | None]:
        """The ETag of every version of every object, by key and version id; None for a mark that it was deleted."""
        pages = self.aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=self.bucket)
        found = [item for page in pages for kind in ("Versions", "DeleteMarkers") for item in page.get(kind, [])]
        return {(item["Key"], item["VersionId"]): item.get("ETag") for item in found}

    def quarantined(self) -> int:
        """How many quarantine files there are."""
        return len(self.keys("quarantine/"))


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["launch_id"], row["run_id"], row["column_name"]


@contextmanager
def new_world(mysql: Login, aws: AwsEndpoint, folder: Path, **settings: str) -> Iterator[World]:
    """A world with nothing in it; three launches are too few for the gate's ratio of rejects."""
    name = f"test{secrets.token_hex(6)}"
    login = create_database(mysql, name, name, secrets.token_hex(12))
    bucket = f"test-{secrets.token_hex(8)}"
    aws.create_bucket(bucket)
    folder.mkdir(parents=True)
    empty: dict[str, list[Any]] = {kind: [] for kind in ("launchpads", "landpads", "cores", "crew")}
    lookups = {**empty, "rockets": [ROCKET], "payloads": PAYLOADS}
    try:
        with SampleApi(BEFORE, lookups) as api:
            yield World(aws, login, bucket, api, folder, {"MAX_REJECTED_RATIO": "1", **settings})
    finally:
        drop_database(mysql, login)


def pattern_of(effect: str, world: World) -> bytes:
    """The effect's request as it passes a proxy: the line of HTTP, or the statement."""
    what = effect.rpartition(" #")[0]
    kind, _, key = what.partition(" ")
    methods = {"PutObject": "PUT", "DeleteObject": "DELETE"}
    text = f"{methods[kind]} /{world.bucket}/{key}" if kind in methods else what
    found = re.escape(text).replace("RUN", r"\d{8}T\d{6}Z-[0-9a-f]{8}").replace("=DAY", "=[0-9-]{10}")
    if kind in methods:
        return b"^" + found.replace("=", "(=|%3D)").encode()  # as a URL may have it
    return rb"^...\0\x03" + found.replace(r"\ ", r"\s+").encode()


def side_by_side(worlds: list[World], effects: list[str], one: Callable[[World, str], None]) -> list[str]:
    """Every effect tried in one of the worlds; what went wrong, by effect."""
    left: SimpleQueue[str] = SimpleQueue()
    for effect in effects:
        left.put(effect)

    def work(world: World) -> list[str]:
        failures: list[str] = []
        while True:
            try:
                effect = left.get_nowait()
            except Empty:
                return failures
            try:
                one(world, effect)
            except AssertionError as error:
                failures.append(f"{effect}: {error}")

    with ThreadPoolExecutor(len(worlds)) as pool:
        return [failure for found in pool.map(work, worlds) for failure in found]
