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
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests import strategies
from tests.fault.oracle import LOOKUPS, Oracle
from tests.fault.world import HISTORY, World, new_world
from tests.program import KEYS
from tests.services import AwsEndpoint, Login
from tests.strategies import FIELDS, IDS, JSON, damaged_launches, launches, optional

EXAMPLES = int(os.environ.get("EXAMPLES", "2000"))
A_RUN = 1000  # records

FEW_IDS = st.sampled_from([f"few-{i}" for i in range(40)])  # so that ids come twice, and references lead somewhere or nowhere
ZONES = st.sampled_from(["", "Z", "+00:00", "+05:30", "-0800", "+14:00", "-23:59", "+24:00", "z"])
DATES = st.one_of(
    st.builds(
        lambda day, sep, time, zone: f"{day}{sep}{time}{zone}",
        st.dates().map(str),
        st.sampled_from(["T", " ", "t"]),
        st.sampled_from(
            ["00:00", "23:59:59", "12:30:15.5", "12:30:15.123456", "12:30:15.1234560", "12:30:15.1234567", "24:00:01"]
        ),
        ZONES,
    ),
    st.dates().map(str),
    st.sampled_from(
        ["0001-01-01T00:00:00Z", "0999-12-31T23:59:59-00:01", "1000-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999999Z"]
    ),
    st.sampled_from(["9999-12-31T23:59:59-00:01", "20200101T000000Z", "2020-W01-1", "2020-001", "1577836800", "", "٢٠٢٠-01-01"]),
)
HUGE = st.sampled_from(
    [
        *(2**63, -(2**63) - 1, 10**30, 1e308, -1e308, 5e-324, -0.0, 2.0**53, 1e16, 0.1, 1e-5, 123456789.5),
        *("x" * 512, "x" * 513, "x" * 16_001, "\0", "\ud800", "a\tb\\N\n", "\U0001f680" * 500, {"id": "few-1"}, [[[[[]]]]]),
        *({}, [None], [{}], {"id": None}, {"crew": None, "role": "Pilot"}, [{"crew": None}], {"name": "without an id"}),
    ]
)
FACTS = {
    "payloads": ("name", "type", "mass_kg", "orbit", "customers", "norad_ids", "epoch", "dragon", "period_min", "reused"),
    "launchpads": ("name", "full_name", "locality", "region", "timezone", "latitude", "longitude"),
    "rockets": ("name",),
    "landpads": ("name", "region"),
    "cores": ("serial", "block"),
    "crew": ("name",),
}


@st.composite
def hostile_launches(draw: st.DrawFn) -> Any:
    """A launch, sound or not; now and then what was meant for another field, or no object at all."""
    launch = draw(launches())
    launch["id"] = draw(IDS | FEW_IDS)
    launch["date_utc"] = draw(strategies.DATES | strategies.DATES | strategies.DATES | DATES)
    for name in draw(st.just([]) | st.lists(st.sampled_from(FIELDS), max_size=2)):
        launch[name] = draw(HUGE | FEW_IDS | st.lists(FEW_IDS, max_size=3) | JSON)
    return draw(st.just(launch) | st.just(launch) | st.just(launch) | damaged_launches())


@st.composite
def lookups(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Lookups of which most records are sound."""
    found: dict[str, list[Any]] = {}
    for kind in LOOKUPS:
        sound = st.fixed_dictionaries({"id": FEW_IDS}, optional={"name": optional(st.text(max_size=9))})
        odd = st.fixed_dictionaries({"id": FEW_IDS}, optional=dict.fromkeys(FACTS[kind], HUGE | JSON | st.floats()))
        found[kind] = draw(st.lists(sound, min_size=10, max_size=20)) + draw(st.lists(odd | JSON, max_size=5))
    return found


def generated(strategy: st.SearchStrategy[Any], count: int, batch: int) -> list[Any]:
    """So many examples, others in each batch; the same in every run of the tests."""
    made: list[Any] = []

    quietly = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))

    @seed(batch)
    @settings(quietly, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(example: Any) -> None:
        made.append(example)

    collect()
    return made


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
    known = generated(lookups(), 2, batch)[-1]  # the first is the simplest
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
