"""All rows of one run, spilled to disk batch by batch, so that a whole table never stands in memory."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from app.records import EMPTY, Content, PartitionKey
from app.schema import TABLES
from app.transform import add_hashes, both

_ROWS_A_PART = 10_000


class Snapshot:
    """The canonical rows by table and launch year; written once, then read partition by partition."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.contents: dict[PartitionKey, Content] = {}
        self._paths = {name: folder / f"{name}.arrow" for name in TABLES}
        self._writers: dict[str, pa.RecordBatchFileWriter] = {}
        self.batches: dict[PartitionKey, list[tuple[Path, int]]] = {}  # which batches of which files are a partition's
        self._written = dict.fromkeys(TABLES, 0)

    def add(self, table: str, rows: pa.Table) -> None:
        """Take up some rows of one table."""
        if not rows.num_rows:
            return
        if table not in self._writers:
            assert not self._paths[table].exists()  # a table that was closed is complete
            self._writers[table] = pa.ipc.new_file(str(self._paths[table]), TABLES[table].arrow)
        for batch in rows.sort_by("launch_year").combine_chunks().to_batches():
            for year, offset, length in _runs(batch.column("launch_year")):
                key = (table, year)
                of_year = batch.slice(offset, length)
                self._writers[table].write_batch(of_year)
                self.batches.setdefault(key, []).append((self._paths[table], self._written[table]))
                self._written[table] += 1
                self.contents[key] = add_hashes(self.contents.get(key, EMPTY), of_year.column("row_hash").to_pylist())

    def take_up(self, other: "Snapshot") -> None:
        """Add all rows of a closed snapshot, which stay in its files."""
        for key, content in other.contents.items():
            self.contents[key] = both(self.contents.get(key, EMPTY), content)
            self.batches.setdefault(key, []).extend(other.batches[key])

    def close(self) -> None:
        """No more rows for the tables that have some: they can be read now."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return sum(content.rows for (name, _), content in self.contents.items() if name == table)

    def partition(self, key: PartitionKey) -> Iterator[pa.Table]:
        """One partition's rows in canonical order, that of the key, so that the same rows give the same bytes; in parts."""
        whole = self._whole(key)
        order = pc.sort_indices(whole, [(name, "ascending") for name in TABLES[key[0]].key])
        for start in range(0, len(whole), _ROWS_A_PART):
            yield whole.take(order.slice(start, _ROWS_A_PART))

    def _whole(self, key: PartitionKey) -> pa.Table:
        parts = []
        for path, places in groupby(self.batches[key], lambda batch: batch[0]):
            with pa.OSFile(str(path)) as file:
                reader = pa.ipc.open_file(file)
                parts += [reader.get_batch(place) for _, place in places]
        return pa.Table.from_batches(parts).combine_chunks()

    def head(self, table: str, count: int) -> pa.Table:
        """The first rows of a table, by year and key."""
        found: list[pa.Table] = []
        for key in sorted(k for k in self.contents if k[0] == table):
            if sum(part.num_rows for part in found) >= count:
                break
            found += self.partition(key)
        return pa.concat_tables([TABLES[table].arrow.empty_table(), *found]).slice(0, count)


def _runs(years: pa.Array) -> Iterable[tuple[int, int, int]]:
    """Year, offset and length of each run of equal years in sorted years."""
    offset = 0
    for counted in pc.value_counts(years):
        year, length = counted["values"].as_py(), counted["counts"].as_py()
        yield year, offset, length
        offset += length
