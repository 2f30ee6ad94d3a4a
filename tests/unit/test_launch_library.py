"""Launch Library's records: real ones in every part, ours in every column, anything at all without a crash."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.model import Checked
from app.core.schema import SNAPSHOT
from app.core.validate import validate
from app.sources.aggregates import Record
from app.sources.launch_library import NEVER_FILLED, NOT_KEPT, models
from app.sources.launch_library.columns import LaunchLibraryParser
from tests.sample_api.library_records import as_library, in_mode
from tests.sample_api.records import launch
from tests.strategies import JSON

quick = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def check(records: list[Any]) -> Checked:
    (checked,) = validate(list(enumerate(records)), LaunchLibraryParser("launch_library", 121))
    return checked


def rows(records: list[Any]) -> dict[str, list[dict[str, Any]]]:
    return {name: table.drop("row_hash").to_pylist() for name, table in check(records).tables.items()}


def test_the_columns_that_are_always_null_are_those_of_the_contract() -> None:
    records = [as_library(launch(i)) for i in range(205)]
    records[0]["vid_urls"] = [{"url": "https://youtu.be/abcdefghijk"}]
    filled = {
        name: {c for c in rows.column_names if rows[c].null_count < len(rows)} for name, rows in check(records).tables.items()
    }
    for name, table in SNAPSHOT.items():
        never = {c.name for c in table.facts} - filled[name]
        assert never == set(NEVER_FILLED[name]), name


def test_every_field_that_is_not_read_has_its_line_in_the_contract() -> None:
    named = " ".join(NOT_KEPT)
    patterns = [re.escape(word.rpartition(".")[2]).replace("…", r"\w*") for word in re.findall(r"[\w.…]+", named)]
    found = [m for m in vars(models).values() if isinstance(m, type) and issubclass(m, Record)]
    assert len(found) > 5
    unread = {name for m in found if m.__name__ != "SpacecraftStage" for name, f in m.model_fields.items() if f.annotation is Any}
    assert not {name for name in unread if not any(re.fullmatch(pattern, name) for pattern in patterns)}


def test_the_mode_normal_lacks_children_and_nothing_else() -> None:
    records = [as_library(launch(i)) for i in range(205)]
    whole, less = rows(records), rows([in_mode(r, "normal") for r in records])
    assert not less["launch_cores"] + less["launch_payloads"] + less["launch_crew"]
    counted = ("_count", "core_", "capsule_ids", "payload_", "_url", "youtube_id")
    for before, after in zip(whole["launches"], less["launches"], strict=True):
        differing = {c for c in before if before[c] != after.get(c)}
        assert all(any(part in c for part in counted) for c in differing)
        assert {after.get(name) for name in ("core_count", "payload_count", "crew_count")} == {None}


PARTS = ["id", "net", "net_precision", "status", "mission", "rocket", "pad", "launch_service_provider", "failreason", "vid_urls"]
INNER = {
    "rocket": ["configuration", "launcher_stage", "spacecraft_stage", "payloads"],
    "mission": ["name", "description", "orbit", "info_urls"],
    "pad": ["id", "latitude", "location"],
}
SAME = object()
SELDOM_JSON = st.just(SAME) | st.just(SAME) | JSON
UP_TO_TWO_PARTS = st.lists(st.sampled_from(PARTS), max_size=2)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    record = json.loads(json.dumps(as_library(launch(draw(st.integers(0, 204))))))
    for part in draw(UP_TO_TWO_PARTS):
        if part in INNER and draw(st.booleans()) and isinstance(record[part], dict):
            record[part][draw(st.sampled_from(INNER[part]))] = draw(JSON)
        else:
            record[part] = draw(JSON)
    other = draw(SELDOM_JSON)
    return record if other is SAME else other


@settings(quick, max_examples=600)
@given(st.lists(damaged(), min_size=1, max_size=3))
def test_any_json_is_either_rows_or_a_reject_with_a_reason(records: list[Any]) -> None:
    checked = check(records)
    assert sorted([*checked.indexes, *(r.index for r, _ in checked.rejected)]) == list(range(len(records)))
    assert all(r.reason for r, _ in checked.rejected)
    for name, rows in checked.tables.items():  # whatever was accepted fits the schema
        assert rows.schema == SNAPSHOT[name].arrow
        rows.validate(full=True)


@pytest.mark.parametrize(
    ("url", "youtube_id"),
    [
        ("https://www.youtube.com/watch?v=abcdefghijk", "abcdefghijk"),
        ("https://youtube.com/watch?t=1&v=abcdefghij_", "abcdefghij_"),
        ("https://youtu.be/abcdefghijk?t=3", "abcdefghijk"),
        ("https://www.youtube.com/live/abcdefghijk", "abcdefghijk"),
        ("https://www.youtube.com/watch?v=abcdefghijkl", None),
        ("https://x.com/i/broadcasts/1RKjpbVdykQJw", None),
    ],
)
def test_the_official_webcast_comes_first_and_tells_its_youtube_id(url: str, youtube_id: str | None) -> None:
    record = as_library(launch(3)) | {"vid_urls": [{"url": "https://example.invalid/1"}, {"url": url, "type": {"id": 1}}]}
    row = rows([record])["launches"][0]
    assert (row["webcast_url"], row["youtube_id"]) == (url, youtube_id)


def results(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / f"launch_library_2/v2.3.0_{name}.json").read_bytes())["results"]
    return found


def test_recorded_parts_fit_where_the_mode_detailed_has_them(recorded_data: Path) -> None:
    """Landings with their boosters, payload and spacecraft flights, put where `detailed` has them, in launches of their own."""
    base = in_mode(as_library(launch(100)), "normal")
    records = []
    for part in results(recorded_data, "landings_page1"):
        landing = {k: v for k, v in part.items() if k not in {"firststage", "spacecraftflight", "payloadflight", "response_mode"}}
        if part["firststage"]:
            records.append({"launcher_stage": [part["firststage"] | {"landing": landing}]})
    boosters = len(records)
    records += [{"payloads": [_without_launch(flight)]} for flight in results(recorded_data, "payload_flights")]
    records += [{"spacecraft_stage": [_without_launch(flight)]} for flight in results(recorded_data, "spacecraft_flights")]
    launches = [base | {"id": f"made-{i}", "rocket": base["rocket"] | parts} for i, parts in enumerate(records)]
    checked = check(launches)
    assert (checked.rejected, dict(checked.unknown_fields)) == ([], {})
    tables = {name: table.to_pylist() for name, table in checked.tables.items()}
    cores = tables["launch_cores"]
    assert len(cores) == boosters == 79
    assert sum(core["core_id"] is None for core in cores) == 17  # placeholders
    assert {core["landing_type"] for core in cores} >= {"ASDS", "RTLS", "Ocean"}
    assert len(tables["launch_payloads"]) == 15  # 12 flights, one of them of four alike
    assert {p["name"]: p["mass_kg"] for p in tables["launch_payloads"]}["CO3D"] == 300.0
    assert checked.tables["launches"].num_rows == len(records)


def _without_launch(flight: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flight.items() if name != "launch"}
