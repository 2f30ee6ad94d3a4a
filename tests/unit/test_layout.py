"""Keys and run ids: what is written is parsed back, and nothing else is taken for ours."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from app.lake import layout
from app.lake.layout import RawPlace

RUN = "20260131T235959Z-f423fabc"
BEGAN = datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def test_a_run_id_is_its_time_to_the_microsecond_and_chance() -> None:
    assert layout.new_run_id(BEGAN, 0xABC) == RUN
    assert layout.new_run_id(datetime(2026, 1, 1, tzinfo=UTC), 0) == "20260101T000000Z-00000000"
    assert layout.started_at(RUN) == BEGAN.replace(microsecond=0)
    assert layout.day(RUN) == "2026-01-31"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latest",
        "20260131T235959Z",
        "20260131T235959Z-F423FABC",
        "20260131T235959Z-f423fab",
        "20260131T235959Z-f423fabc0",
        "20261331T235959Z-f423fabc",
        "20260230T000000Z-00000000",
        "20260131T240000Z-00000000",
        "20260131T235959Z-f423fabc\n",
        "\u0662\u0660\u0662\u0666\u0660\u0661\u0663\u0661T000000Z-00000000",
        "../../launches",
    ],
)
def test_no_run_id(text: str) -> None:
    assert not layout.is_run_id(text)
    assert layout.parse_manifest_key(f"manifests/run={text}.json") is None
    assert layout.parse_raw_key(f"raw/source=spacex/date=2026-01-31/run={text}/launches-1.json.gz") is None


WRITTEN = [
    (layout.manifest_key(RUN), f"manifests/run={RUN}.json", layout.parse_manifest_key, RUN),
    (
        layout.partition_key(("launch_cores", 2006)),
        "launch_cores/year=2006/launch_cores.parquet",
        layout.parse_partition_key,
        ("launch_cores", 2006),
    ),
    (layout.partition_key(("launches", 1)), "launches/year=1/launches.parquet", layout.parse_partition_key, ("launches", 1)),
    (
        layout.raw_key(RawPlace("launch_library", RUN, "launches", 12)),
        f"raw/source=launch_library/date=2026-01-31/run={RUN}/launches-12.json.gz",
        layout.parse_raw_key,
        RawPlace("launch_library", RUN, "launches", 12),
    ),
    (
        layout.raw_key(RawPlace("spacex", RUN, "launch-pads", 1)),
        f"raw/source=spacex/date=2026-01-31/run={RUN}/launch-pads-1.json.gz",
        layout.parse_raw_key,
        RawPlace("spacex", RUN, "launch-pads", 1),
    ),
]


@pytest.mark.parametrize(("key", "is_", "parse", "says"), WRITTEN)
def test_a_key_says_what_it_was_made_of(key: str, is_: str, parse: Callable[[str], Any], says: object) -> None:
    assert key == is_
    assert parse(key) == says


@pytest.mark.parametrize(
    "key",
    [
        "launches/year=2006/launches.parquet.bak",
        "launches/year=2006/launch_cores.parquet",
        "launches/year=02006/launches.parquet",
        "launches/year=0020/launches.parquet",
        "launches/year=\u0662\u0660\u0660\u0666/launches.parquet",
        "launches/year=-1/launches.parquet",
        "launches/year=20060/launches.parquet",
        "launches/launches.parquet",
        "elsewhere/year=2006/elsewhere.parquet",
        "x/launches/year=2006/launches.parquet",
        "launches/year=2006/launches.parquet\n",
        "",
    ],
)
def test_no_partition(key: str) -> None:
    assert layout.parse_partition_key(key) is None


@pytest.mark.parametrize(
    "key",
    [
        f"raw/source=spacex/date=2026-02-01/run={RUN}/launches-1.json.gz",  # another day than the run's
        f"raw/source=spacex/date=2026-01-31/run={RUN}/launches-01.json.gz",
        f"raw/source=spacex/date=2026-01-31/run={RUN}/launches.json.gz",
        f"raw/source=spacex/date=2026-01-31/run={RUN}/launches-1.json",
        f"raw/source=spacex/date=2026-01-31/run={RUN}/..-1.json.gz",
        f"raw/source=spacex/date=2026-01-31/run={RUN}/more/launches-1.json.gz",
        f"raw/source=/date=2026-01-31/run={RUN}/launches-1.json.gz",
        f"raw/source=space x/date=2026-01-31/run={RUN}/launches-1.json.gz",
        "launches/year=2006/launches.parquet",
    ],
)
def test_no_raw_body(key: str) -> None:
    assert layout.parse_raw_key(key) is None


@pytest.mark.parametrize("key", ["manifests/latest.json", f"manifests/{RUN}.json", f"manifests/run={RUN}", f"run={RUN}.json"])
def test_no_manifest_of_a_run(key: str) -> None:
    assert layout.parse_manifest_key(key) is None


@pytest.mark.parametrize(
    ("name", "fits"),
    [("launches", True), ("launch-pads_2", True), ("", False), ("..", False), ("a/b", False), ("a\\b", False), ("x" * 65, False)],
)
def test_what_can_be_part_of_a_key_and_of_a_file(name: str, fits: bool) -> None:
    assert layout.is_name(name) == fits


def test_the_other_keys() -> None:
    assert (layout.LATEST, layout.REPORT) == ("manifests/latest.json", "report/report.html")
    assert layout.quarantine_key(RUN) == f"quarantine/run={RUN}/launches.jsonl.gz"
    assert layout.parse_manifest_key(layout.probe_key("ab")) is None
