"""A record that the structs vouch for comes to the same rows, hashes and counts as by the pydantic models.

EXAMPLES=2000 makes it longer.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.core.model import Checked
from app.core.schema import SNAPSHOT
from app.core.source import ColumnParser
from app.core.validate import parsed, validate
from app.sources.launch_library import models as library_models
from app.sources.launch_library.columns import LaunchLibraryParser
from app.sources.spacex import models as spacex_models
from app.sources.spacex.columns import SpacexParser
from app.sources.structs import Reader, struct_of
from tests.sample_api.library_records import as_library, in_mode
from tests.sample_api.records import as_long_as_recorded, as_v4, encode, launch, lookups
from tests.strategies import altered, generated, hostile_launches, hostile_lookups, json_texts

EXAMPLES = int(os.environ.get("EXAMPLES", "15"))
long = settings(
    max_examples=EXAMPLES, deadline=None, derandomize="EXAMPLES" not in os.environ, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def spacex(known: dict[str, list[Any]]) -> SpacexParser:
    parser = SpacexParser(lambda _, __: None)
    for kind, records in known.items():
        for index, raw in enumerate(records):
            parser.learn(kind, index, raw)
    return parser


SAMPLE = spacex(dict(lookups()))
KNOWN = [spacex(known) for known in generated(hostile_lookups(), 6)]
LIBRARY = LaunchLibraryParser("launch_library", 121)


def judged(parser: ColumnParser, records: list[Any]) -> dict[str, Any]:
    """All that is found out about some records."""
    found = list(validate(enumerate(records), parser))
    total = Checked()
    for checked in found:
        for name in ("unknown_fields", "notes", "references"):
            getattr(total, name).update(getattr(checked, name))
    return {
        "rows": {name: [row for one in found for row in one.tables[name].to_pylist()] for name in SNAPSHOT},
        "accepted": [pair for one in found for pair in zip(one.indexes, one.ids, strict=True)],
        "rejected": sorted([repr(reject) for one in found for reject in one.rejected]),
        "counts": (total.unknown_fields, total.notes, total.references),
    }


def assert_same(parser: ColumnParser, texts: list[bytes]) -> None:
    """As bytes, which the structs may vouch for, and parsed, which the models alone judge."""
    if repr(judged(parser, texts)) != repr(judged(parser, [parsed(text) for text in texts])):
        for text in texts:
            assert judged(parser, [text]) == judged(parser, [parsed(text)]), text
        pytest.fail("the same one by one, and not together")


def some(records: st.SearchStrategy[Any]) -> st.SearchStrategy[list[bytes]]:
    return st.lists(records.flatmap(json_texts), min_size=10, max_size=10)


@long
@given(some(hostile_launches()), st.sampled_from(KNOWN))
def test_hostile_launches_come_to_the_same(texts: list[bytes], parser: SpacexParser) -> None:
    assert_same(parser, texts)


@long
@given(some(st.integers(0, 204).map(launch).flatmap(altered)))
def test_altered_launches_come_to_the_same(texts: list[bytes]) -> None:
    assert_same(SAMPLE, texts)


@long
@given(some(st.integers(0, 204).map(lambda i: as_library(launch(i))).flatmap(altered)))
def test_altered_launches_of_launch_library_come_to_the_same(texts: list[bytes]) -> None:
    assert_same(LIBRARY, texts)


@pytest.mark.parametrize(
    ("model", "make"),
    [
        (spacex_models.Launch, launch),
        (spacex_models.Launch, as_long_as_recorded(launch)),
        (spacex_models.Launch, lambda i: as_v4(launch(i))),
        (library_models.Launch, lambda i: as_library(launch(i))),
        (library_models.Launch, lambda i: in_mode(as_library(launch(i)), "normal")),
    ],
)
def test_sound_launches_are_vouched_for(model: Any, make: Callable[[int], Any]) -> None:
    reader = Reader(model)
    assert [i for i in range(205) if reader.sure(encode(make(i)).encode()) is None] == []


def test_a_struct_has_every_field_of_its_model() -> None:
    for model in (spacex_models.Launch, library_models.Launch):
        assert struct_of(model).__struct_fields__ == tuple(model.model_fields)


def test_fields_that_are_not_declared_are_named_wherever_they_stand() -> None:
    record = json.loads(encode(launch(186) | {"new": 1}))  # with a crew
    record["crew"][0]["new"] = record["cores"][0]["new"] = record["links"]["patch"]["new"] = 1
    (checked,) = validate([(0, encode(record).encode())], SAMPLE)
    assert sorted(checked.unknown_fields) == ["cores.new", "crew.new", "links.patch.new", "new"]
    record = json.loads(encode(as_library(launch(186))))
    record["mission"]["new"] = record["rocket"]["spacecraft_stage"][0]["launch_crew"][0]["new"] = 1
    (checked,) = validate([(0, encode(record).encode())], LIBRARY)
    assert sorted(checked.unknown_fields) == ["mission.new", "rocket.spacecraft_stage.launch_crew.new"]


def test_many_rows_come_in_several_parts_that_are_whole_together() -> None:
    records = [{"id": f"l{i}", "date_utc": "2020-01-01T00:00:00Z", "payloads": [None] * 900} for i in range(50)]
    records[40]["name"] = 7
    parts = list(validate(((i, encode(record).encode()) for i, record in enumerate(records)), SAMPLE))
    assert len(parts) > 2
    assert max(part.tables["launch_payloads"].num_rows for part in parts) <= 20_000
    assert sorted(index for part in parts for index in part.indexes) == [*range(40), *range(41, 50)]
    assert [reject.index for part in parts for reject, _ in part.rejected] == [40]


def test_faults_that_show_in_columns_alone_are_found_among_many() -> None:
    records = [
        {"id": f"l{i}", "date_utc": "2020-01-01T00:00:00Z", "ships": ["s" * 64] * (300 * (i % 40 == 7))} for i in range(200)
    ]
    (checked,) = validate(((i, json.dumps(record).encode()) for i, record in enumerate(records)), SAMPLE)
    assert [(reject.index, reject.path) for reject, _ in checked.rejected] == [(i, "ships") for i in range(7, 200, 40)]
    assert checked.indexes == [i for i in range(200) if i % 40 != 7]
