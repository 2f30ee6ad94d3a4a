"""A partition that is carried over and added to: all of its rows, and the new ones alone."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from app.core.checksum.digest import EMPTY, add_hashes, with_hashes
from app.core.schema import LAUNCH_CHANGES
from app.pipeline.spill import Spill

KEY = (LAUNCH_CHANGES.name, 2020)


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
        assert pa.concat_tables(spill.added(KEY))["launch_id"].to_pylist() == ["b"]
    assert spill.checksums[KEY].rows == 3
