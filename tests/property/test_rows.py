"""What holds for any answer."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.checksum.digest import EMPTY, add_rows_as_stored, checksum_of
from app.core.checksum.text import real_text
from app.core.model import Body, Checked, Response
from app.core.schema import SNAPSHOT
from app.core.validate import validate
from app.mysql.sql import load_lines
from app.pipeline.spill import Spill
from app.sources import json_reader
from app.sources.spacex.columns import SpacexParser
from app.sources.spacex.models import LOOKUPS
from tests.strategies import JSON, REALS, damaged_launches, launches

quick = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def check(records: list[Any]) -> Checked:
    (checked,) = validate(list(enumerate(records)), SpacexParser(lambda _, __: None))
    return checked


@settings(quick, max_examples=2000)
@given(st.lists(damaged_launches(), min_size=1, max_size=3))
def test_any_json_is_either_rows_or_a_reject_with_a_reason(records: list[Any]) -> None:
    checked = check(records)
    assert sorted([*checked.indexes, *(r.index for r, _ in checked.rejected)]) == list(range(len(records)))
    assert all(r.reason for r, _ in checked.rejected)
    tables = checked.tables  # whatever was accepted fits the schema
    for name, rows in tables.items():
        assert rows.schema == SNAPSHOT[name].arrow
        rows.validate(full=True)
    for row, index in zip(tables["launches"].to_pylist(), checked.indexes, strict=True):
        raw = records[index]
        for column, field in (("launch_id", "id"), ("name", "name"), ("details", "details"), ("success", "success")):
            assert row[column] == raw.get(field)
            assert type(row[column]) is type(raw.get(field))
        assert row["window_s"] == raw.get("window")
        assert row["launch_year"] == row["date_utc"].year


@quick
@given(JSON)
def test_any_lookup_record_is_learned_or_set_aside(raw: Any) -> None:
    set_aside: list[str] = []
    parser = SpacexParser(lambda reject, _: set_aside.append(reject.reason))
    for kind in LOOKUPS:
        parser.learn(kind, 0, raw)
    assert len(set_aside) <= len(LOOKUPS)
    assert all(set_aside)


@quick
@given(st.lists(launches(), max_size=6, unique_by=lambda launch: launch["id"]), st.randoms(use_true_random=False))
def test_neither_order_nor_batches_change_a_partition(records: list[Any], random: Any) -> None:
    together = check(records).tables
    shuffled = random.sample(records, len(records))
    apart = [check([record]).tables for record in shuffled]
    for name in SNAPSHOT:
        parts = pa.concat_tables([SNAPSHOT[name].arrow.empty_table(), *(tables[name] for tables in apart)])
        assert checksum_of(parts) == checksum_of(together[name]) == add_rows_as_stored(EMPTY, SNAPSHOT[name], together[name])


def test_a_snapshot_gives_the_same_partitions_whatever_the_batches(tmp_path: Path) -> None:
    records = [
        {
            "id": f"id{i % 97}-{i}",
            "date_utc": f"{2000 + i % 3}-01-01T00:00:00Z",
            "payloads": [{"id": "p", "mass_kg": i / 3}] * (i % 3),
        }
        for i in range(200)
    ]
    snapshots = []
    for size in (1, 7, 200):
        snapshot = Spill(tmp_path / str(size))
        for start in range(0, len(records), size):
            for name, rows in check(records[start : start + size]).tables.items():
                snapshot.add(name, rows)
        snapshot.close()
        snapshots.append(snapshot)
    assert snapshots[0].checksums == snapshots[1].checksums == snapshots[2].checksums
    for key in snapshots[0].checksums:
        whole = pa.concat_tables(snapshots[0].partition(key))
        assert whole.equals(pa.concat_tables(snapshots[2].partition(key)))
        ids = whole["launch_id"].to_pylist()
        assert ids == sorted(ids)


def test_a_large_partition_comes_in_parts_that_together_are_in_order(tmp_path: Path) -> None:
    records = [
        {"id": f"{i * 7919 % 12_000:05x}", "date_utc": "2020-01-01T00:00:00Z", "payloads": [{"id": f"p{i}"}] * (i % 3)}
        for i in range(12_000)
    ]
    snapshot = Spill(tmp_path / "rows")
    for start in range(0, len(records), 900):
        for name, rows in check(records[start : start + 900]).tables.items():
            snapshot.add(name, rows)
    snapshot.close()
    launches, payloads = (list(snapshot.partition((name, 2020))) for name in ("launches", "launch_payloads"))
    assert len(launches) > 1
    assert len(payloads) > 1
    assert pa.concat_tables(launches)["launch_id"].to_pylist() == [f"{i:05x}" for i in range(12_000)]
    expected = sorted((record["id"], place) for record in records for place, _ in enumerate(record["payloads"]))
    keys = pa.concat_tables(payloads).select(["launch_id", "position"]).to_pylist()
    assert [tuple(key.values()) for key in keys] == expected
    for name, parts in (("launches", launches), ("launch_payloads", payloads)):
        assert checksum_of(pa.concat_tables(parts)) == snapshot.checksums[name, 2020]


@settings(quick, max_examples=2000)
@given(REALS)
def test_the_text_of_a_float_names_that_float(value: float) -> None:
    text = real_text(value)
    assert float(text) == value
    assert re.fullmatch(r"-?(\d+(\.\d+)?|\d(\.\d+)?e-?\d+)", text)


@quick
@given(st.lists(launches(), max_size=4, unique_by=lambda launch: launch["id"]))
def test_load_lines_read_back_by_the_rules_of_load_data(records: list[Any]) -> None:
    for name, rows in check(records).tables.items():
        lines = load_lines(SNAPSHOT[name], rows)
        expected = [[_as_sent(value) for value in row.values()] for row in rows.to_pylist()]
        assert list(_read_load_data(lines)) == expected
        assert list(_read_load_data(load_lines(SNAPSHOT[name], rows.slice(1)))) == expected[1:]  # a part of larger memory


def _as_sent(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime):
        return value.strftime("%H:%M:%S.%f").join([f"{value.year:04}-{value.month:02}-{value.day:02} ", ""])
    if isinstance(value, float):
        return real_text(value)
    return str(value)


def _read_load_data(lines: bytes) -> Any:
    """Fields ended by tabs, lines by line feeds, escaped by backslashes, as the manual of LOAD DATA has it."""
    escapes = {"0": "\0", "n": "\n", "t": "\t", "r": "\r", "b": "\b", "Z": "\x1a"}
    row: list[str | None] = []
    field, is_null = "", False
    text = iter(lines.decode())
    for char in text:
        if char == "\\":
            escaped = next(text)
            is_null = escaped == "N" and not field
            field += "" if is_null else escapes.get(escaped, escaped)
        elif char in "\t\n":
            row.append(None if is_null else field)
            field, is_null = "", False
            if char == "\n":
                yield row
                row = []
        else:
            field += char
    assert not row
    assert not field


@quick
@given(st.lists(JSON, max_size=5), st.booleans(), st.booleans())
def test_records_are_read_as_json_has_them(tmp_path_factory: Any, records: list[Any], spaced: bool, page: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "body.json"
    path.write_text(json.dumps({"docs": records} if page else records, indent=1 if spaced else None))
    endpoint = Response("launches", None, (Body(path, "", 0),))
    found = [numbered for batch in json_reader.read_records(endpoint, 2) for numbered in batch]
    assert repr(found) == repr(list(enumerate(json.loads(path.read_text())["docs"] if page else json.loads(path.read_text()))))
