"""Whole answers with anything in any field, through the public command.

Every record is in both stores exactly as the oracle has it, or in quarantine with a reason; never a traceback.
EXAMPLES=20000 makes it longer.
"""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fault.oracle import Oracle
from tests.fault.world import HISTORY, World, new_world
from tests.program import KEYS
from tests.services import AwsEndpoint, Login
from tests.strategies import generated, hostile_launches, hostile_lookups

EXAMPLES = int(os.environ.get("EXAMPLES", "2000"))
A_RUN = 1000  # records


BEYOND_PYTHON = [
    '{"id": "deep", "date_utc": "2020-01-01", "links": ' + "[" * 100_000 + "]" * 100_000 + "}",
    '{"id": "digits", "date_utc": "2020-01-01", "window": ' + "9" * 5000 + "}",
]
LONG = [
    {"id": "million", "date_utc": "2020-01-01", "details": "é" * 1_000_000, "name": "\U0001f680" * 512},
    {"id": "million-and-one", "date_utc": "2020-01-01", "details": "x" * 1_000_001},
    {"id": "large-unknown", "date_utc": "2020-01-01", "nobody": ["y" * 1_000_000], "links": {"flickr": {"a": [{}]}}},
]


@pytest.mark.parametrize("batch", range(max(1, EXAMPLES // A_RUN)))
def test_every_record_is_in_both_stores_or_in_quarantine(mysql: Login, aws: AwsEndpoint, tmp_path: Path, batch: int) -> None:
    records = generated(hostile_launches(), A_RUN, batch) + LONG
    known = generated(hostile_lookups(), 2, batch)[-1]  # the first is the simplest
    expected, rejected = Oracle(known).answer(records)
    assert len(expected) > A_RUN // 20  # ids repeat, and the last record with one counts
    assert len(rejected) > A_RUN // 10
    with new_world(mysql, aws, tmp_path / "world") as world:
        for kind, found in known.items():
            world.api.set(kind, json.dumps(found).encode())
        body = ",".join([*map(json.dumps, records), *BEYOND_PYTHON])
        world.api.set("launches", f"[{body}]".encode())
        assert world.run_forked() == 0, world.last_line
        assert "Traceback" not in (world.folder / "output").read_text()
        set_aside = _quarantined(world)
        beyond = {len(records), len(records) + 1}
        assert {r["index"] for r in set_aside if r["endpoint"] == "launches"} == rejected | beyond
        assert all(r["error"] for r in set_aside)
        for r in set_aside:
            if r["endpoint"] == "launches" and r["index"] not in beyond:
                assert repr(r["raw"]) == repr(json.loads(json.dumps(records[r["index"]]), parse_constant=str))
        for table in KEYS.keys() - {HISTORY}:  # a first run has none
            stored = {}
            for row in world.in_mysql(table):
                stored.setdefault(row["launch_id"], []).append(row)
            wanted = {name: tables[table] for name, tables in expected.items() if tables[table]}
            assert stored.keys() == wanted.keys(), table
            for name, rows in wanted.items():
                found_rows = [{column: found[column] for column in row} for found, row in zip(stored[name], rows, strict=True)]
                assert repr(found_rows) == repr(rows), f"{table} {name}"
        world.assert_equal(len(expected))  # and what MySQL holds is what S3 holds


def _quarantined(world: World) -> list[Any]:
    (key,) = world.keys("quarantine/")
    return [json.loads(line, parse_constant=pytest.fail) for line in gzip.decompress(world.object(key)).split(b"\n") if line]
