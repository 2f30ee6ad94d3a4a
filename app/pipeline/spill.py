"""All rows of one run, spilled to disk batch by batch, so that a whole table never stands in memory."""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum.digest import EMPTY, Checksum, add_hashes, combined
from ..core.model import PartitionKey
from ..core.schema import LAUNCHES, TABLES
from ..core.transform import newest

_ROWS_A_PART = 5_000
_fetching = threading.Lock()


class Spill:
    """The canonical rows by table and launch year; written once, then read partition by partition."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.checksums: dict[PartitionKey, Checksum] = {}
        self._paths = {name: folder / f"{name}.arrow" for name in TABLES}
        self._writers: dict[str, pa.RecordBatchFileWriter] = {}
        self.batches: dict[PartitionKey, list[tuple[Path, int]]] = {}  # which batches of which files are a partition's
        self._written = dict.fromkeys(TABLES, 0)
        self.carried: dict[PartitionKey, Checksum] = {}
        self._folder = folder
        self._carried_rows: dict[PartitionKey, Callable[[], pa.Table]] = {}
        self._carried_batches: dict[PartitionKey, list[tuple[Path, int]]] = {}

    def add(self, table: str, rows: pa.Table) -> None:
        """Add some rows of one table."""
        if not rows.num_rows:
            return
        if table not in self._writers:
            assert not self._paths[table].exists()  # a table that was closed is complete
            self._writers[table] = pa.ipc.new_file(str(self._paths[table]), TABLES[table].arrow)
        order = [(name, "ascending") for name in ("launch_year", *TABLES[table].key)]
        for batch in rows.sort_by(order).combine_chunks().to_batches():
            for year, offset, length in _runs(batch.column("launch_year")):
                key = (table, year)
                of_year = batch.slice(offset, length)
                self._writers[table].write_batch(of_year)
                self.batches.setdefault(key, []).append((self._paths[table], self._written[table]))
                self._written[table] += 1
                self.checksums[key] = add_hashes(self.checksums.get(key, EMPTY), of_year.column("row_hash").to_pylist())

    def carry(self, key: PartitionKey, checksum: Checksum, read: Callable[[], pa.Table]) -> None:
        """Take a partition over as it is, perhaps to be added to; `read` gives its rows in canonical order when needed."""
        assert key not in self.checksums
        self.checksums[key] = self.carried[key] = checksum
        self._carried_rows[key] = read

    def complete(self, besides: Iterable[PartitionKey] = ()) -> None:
        """Give each table that has no rows an empty partition, so that it has a file; `besides` are partitions kept elsewhere.

        Its year is that of the first launch: whatever comes later, it stays the same.
        """
        there = {table for table, _ in (*self.checksums, *besides)}
        years = [year for table, year in self.checksums if table == LAUNCHES.name]
        for table in TABLES:
            if years and table not in there:
                self.checksums[table, min(years)] = EMPTY

    def absorb(self, other: "Spill") -> None:
        """Add all rows of a closed spill, which stay in its files."""
        for key, checksum in other.checksums.items():
            self.checksums[key] = combined(self.checksums.get(key, EMPTY), checksum)
            self.batches.setdefault(key, []).extend(other.batches[key])

    def close(self) -> None:
        """No more rows for the tables that have some: they can be read now."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return sum(checksum.rows for (name, _), checksum in self.checksums.items() if name == table)

    def table(self, name: str) -> pa.Table:
        """All rows of a table, in no order."""
        batches = [batch for key in sorted(self.batches) if key[0] == name for batch in self.batches[key]]
        return pa.Table.from_batches(self._read(sorted(batches)), TABLES[name].arrow).combine_chunks()

    def added(self, key: PartitionKey) -> Iterator[pa.Table]:
        """The rows that were added to a partition that was carried over."""
        yield from (pa.table(batch) for batch in self._read(self.batches.get(key, [])))

    def partition(self, key: PartitionKey) -> Iterator[pa.Table]:
        """One partition's rows in canonical order, that of the key, so that the same rows give the same bytes; in parts."""
        batches = [*self._fetch_carried(key), *self.batches.get(key, ())]
        order = [(name, "ascending") for name in TABLES[key[0]].key]
        for first, end in self._ranges(batches, self.checksums[key].rows):
            parts = [_within(batch, first, end) for batch in self._read(batches)]
            rows = pa.Table.from_batches(parts, TABLES[key[0]].arrow).combine_chunks()
            del parts
            part = rows.take(pc.sort_indices(rows, order))
            del rows  # whoever takes the part may keep it for long
            yield part

    def _fetch_carried(self, key: PartitionKey) -> list[tuple[Path, int]]:
        with _fetching:  # the load and the put may both ask first
            if read := self._carried_rows.pop(key, None):
                path = self._folder / f"{key[0]}-{key[1]}-carried.arrow"
                with pa.ipc.new_file(str(path), TABLES[key[0]].arrow) as writer:
                    batches = read().combine_chunks().to_batches(_ROWS_A_PART)
                    for batch in batches:
                        writer.write_batch(batch)
                self._carried_batches[key] = [(path, place) for place in range(len(batches))]
            return self._carried_batches.get(key, [])

    def _ranges(self, batches: list[tuple[Path, int]], rows: int) -> Iterator[tuple[str | None, str | None]]:
        """Ranges of launch ids, their ends not in them, that split a partition's rows into parts; each is read for itself."""
        bounds: list[str | None] = []
        if rows > _ROWS_A_PART:
            # Each is copied by itself: as a part of its batch it would keep all of that in memory.
            ids = pa.concat_arrays([pa.concat_arrays([batch.column("launch_id")]) for batch in self._read(batches)])
            places = pc.sort_indices(ids).take(pa.array(range(_ROWS_A_PART, rows, _ROWS_A_PART)))
            bounds = list(dict.fromkeys(ids.take(places).to_pylist()))
        yield from pairwise([None, *bounds, None])

    def _read(self, batches: list[tuple[Path, int]]) -> Iterator[pa.RecordBatch]:
        for path, places in groupby(batches, lambda batch: batch[0]):
            with pa.OSFile(str(path)) as file:
                reader = pa.ipc.open_file(file)
                for _, place in places:
                    yield reader.get_batch(place)

    def head(self, table: str, count: int) -> pa.Table:
        """The newest rows of a table: by year and, within it, by the table's own time or else the key."""
        schema = TABLES[table].arrow
        found = [schema.empty_table()]
        for key in sorted((k for k in self.checksums if k[0] == table), reverse=True):
            missing = count - sum(part.num_rows for part in found)
            if missing <= 0:
                break
            rows = pa.concat_tables([schema.empty_table(), *self.partition(key)])
            found.append(newest(TABLES[table], rows, missing))
        return pa.concat_tables(found)


def _within(batch: pa.RecordBatch, first: str | None, end: str | None) -> pa.RecordBatch:
    """What a batch, which is in order, holds of a range."""
    if first is None and end is None:
        return batch
    ids = batch.column("launch_id")
    start, stop = (pc.sum(pc.less(ids, bound)).as_py() if bound else default for bound, default in ((first, 0), (end, len(ids))))
    return pa.concat_batches([batch.slice(start, stop - start)])  # a copy: a slice would keep its whole batch in memory


def _runs(years: pa.Array) -> Iterable[tuple[int, int, int]]:
    """Year, offset and length of each run of equal years in sorted years."""
    offset = 0
    for counted in pc.value_counts(years):
        year, length = counted["values"].as_py(), counted["counts"].as_py()
        yield year, offset, length
        offset += length
