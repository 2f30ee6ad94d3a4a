"""What a spill gives back: partitions in canonical order, tables in the order of the key, each row read from disk once."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from app.core.checksum.digest import EMPTY, add_hashes, with_hashes
from app.core.schema import LAUNCH_CHANGES, LAUNCH_CREW
from app.pipeline import spill as spilling
from app.pipeline.spill import ROWS_A_PART, Spill

KEY = (LAUNCH_CHANGES.name, 2020)
CREW = (LAUNCH_CREW.name, 2020)
LAUNCHES = 3 * ROWS_A_PART // 2
ORDERS = {"in the order of their ids": False, "in no order": True}


def crew(ids: Iterable[int], *, years: int = 1) -> pa.Table:
    """Two members for each launch; the launches take turns between years."""
    rows = [(f"launch-{i:06}", position, 2020 + i % years) for i in ids for position in (1, 0)]
    facts = dict(zip(("launch_id", "position", "launch_year"), map(list, zip(*rows, strict=True)), strict=True))
    return with_hashes(
        LAUNCH_CREW, {"crew_id": ["c"] * len(rows), "name": ["Neutral name"] * len(rows), "role": [None] * len(rows), **facts}
    )


def spilled(folder: Path, *, shuffled: bool, years: int = 1) -> Spill:
    """Launches of one or more years, added a few hundred at a time."""
    ids = list(range(LAUNCHES))
    if shuffled:
        random.Random(7).shuffle(ids)
    spill = Spill(folder)
    for start in range(0, LAUNCHES, 500):
        spill.add(LAUNCH_CREW.name, crew(ids[start : start + 500], years=years))
    spill.close()
    return spill


def bytes_read() -> int:
    """How much this process has read from files so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.parametrize("shuffled", ORDERS.values(), ids=ORDERS)
def test_a_large_partition_is_read_once_and_comes_in_canonical_order(tmp_path: Path, shuffled: bool) -> None:
    spill = spilled(tmp_path / "rows", shuffled=shuffled)
    before = bytes_read()
    parts = list(spill.partition(CREW))
    read = bytes_read() - before
    assert read < 1.2 * (tmp_path / "rows" / "launch_crew.arrow").stat().st_size
    assert [len(part) for part in parts] == [ROWS_A_PART] * 3
    assert pa.concat_tables(parts) == crew(range(LAUNCHES)).sort_by([("launch_id", "ascending"), ("position", "ascending")])


def test_a_partition_that_does_not_fit_into_memory_is_sorted_range_by_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pa.concat_tables(spilled(tmp_path / "whole", shuffled=False).partition(CREW))
    monkeypatch.setattr(spilling, "_SORTED_AT_ONCE", whole.nbytes // 10)
    spill = spilled(tmp_path / "rows", shuffled=True)
    assert pa.concat_tables(spill.partition(CREW)) == whole


@pytest.mark.parametrize("shuffled", ORDERS.values(), ids=ORDERS)
def test_several_years_together_come_in_the_order_of_the_key_and_are_read_once(tmp_path: Path, shuffled: bool) -> None:
    spill = spilled(tmp_path / "rows", shuffled=shuffled, years=3)
    before = bytes_read()
    found = pa.concat_tables(spill.by_key([(LAUNCH_CREW.name, 2020), (LAUNCH_CREW.name, 2022)]))
    assert bytes_read() - before < (tmp_path / "rows" / "launch_crew.arrow").stat().st_size
    keys = list(zip(found["launch_id"].to_pylist(), found["position"].to_pylist(), strict=True))
    assert keys == [(f"launch-{i:06}", position) for i in range(LAUNCHES) if i % 3 != 1 for position in (0, 1)]


def history(*ids: str) -> pa.Table:
    facts = {name: [None] * len(ids) for name in (c.name for c in LAUNCH_CHANGES.facts)}
    facts |= {"launch_id": [*ids], "launch_year": [2020] * len(ids), "changed_at": [datetime(2020, 1, 1, tzinfo=UTC)] * len(ids)}
    return with_hashes(LAUNCH_CHANGES, facts)


def test_only_new_rows_are_loaded_however_often_the_whole_partition_was_read_before(tmp_path: Path) -> None:
    spill, held, news = Spill(tmp_path / "rows"), history("a", "c"), history("b")
    spill.carry(KEY, add_hashes(EMPTY, held["row_hash"].to_pylist()), lambda: held)
    spill.add(LAUNCH_CHANGES.name, news)
    spill.close()
    for _ in range(2):
        assert pa.concat_tables(spill.partition(KEY))["launch_id"].to_pylist() == ["a", "b", "c"]
        assert pa.concat_tables(spill.by_key([KEY], {KEY}))["launch_id"].to_pylist() == ["b"]
        assert pa.concat_tables(spill.by_key([KEY]))["launch_id"].to_pylist() == ["a", "b", "c"]
    assert spill.checksums[KEY].rows == 3
