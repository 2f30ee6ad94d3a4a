"""All rows of one run, spilled to disk batch by batch, so that a whole table never stands in memory."""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum.digest import EMPTY, Checksum, add_hashes, checksum_of, combined
from ..core.model import PartitionKey
from ..core.schema import LAUNCHES, TABLES
from ..core.transform import newest

ROWS_A_PART = 5_000
_SORTED_AT_ONCE = 16 << 20  # bytes; 10,000 launches take some 13 MiB
_fetching = threading.Lock()


@dataclass(frozen=True)
class _Batch:
    """Some rows of one partition, in canonical order: which batch of which file, its first and last id, and its bytes."""

    path: Path
    place: int
    first: str
    last: str
    size: int


class Spill:
    """The canonical rows by table and launch year; written once, then read partition by partition."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.checksums: dict[PartitionKey, Checksum] = {}
        self._paths = {name: folder / f"{name}.arrow" for name in TABLES}
        self._writers: dict[str, _Writer] = {}
        self.batches: dict[PartitionKey, list[_Batch]] = {}
        self.carried: dict[PartitionKey, Checksum] = {}
        self._folder = folder
        self._carried_rows: dict[PartitionKey, Callable[[], pa.Table]] = {}
        self._carried_batches: dict[PartitionKey, list[_Batch]] = {}

    def add(self, table: str, rows: pa.Table) -> None:
        """Add some rows of one table."""
        if not rows.num_rows:
            return
        if table not in self._writers:
            assert not self._paths[table].exists()  # a table that was closed is complete
            self._writers[table] = _Writer(self._paths[table], table)
        order = [(name, "ascending") for name in ("launch_year", *TABLES[table].key)]
        for batch in rows.sort_by(order).combine_chunks().to_batches():
            for year, offset, length in _runs(batch.column("launch_year")):
                key = (table, year)
                of_year = batch.slice(offset, length)
                self.batches.setdefault(key, []).extend(self._writers[table].add(of_year))
                self.checksums[key] = add_hashes(self.checksums.get(key, EMPTY), of_year.column("row_hash").to_pylist())

    def drop(self, keys: Iterable[PartitionKey]) -> None:
        """Forget the rows of some partitions: they are to be carried over."""
        for key in keys:
            del self.checksums[key], self.batches[key]

    def carry(self, key: PartitionKey, held: Checksum, read: Callable[[], pa.Table]) -> None:
        """Take a partition over as it is, perhaps to be added to; `read` gives its rows in canonical order when needed."""
        assert key not in self.carried
        self.carried[key] = held
        self.checksums[key] = combined(self.checksums.get(key, EMPTY), held)
        self._carried_rows[key] = read

    def carry_rest(self, key: PartitionKey, held: Checksum, rest: Iterable[pa.Table]) -> None:
        """Take some rows of a partition over, in canonical order; `held` is what all of it was."""
        checksum = EMPTY
        with contextlib.closing(_Writer(self._carried_path(key), key[0])) as writer:
            batches = []
            for part in _in_parts(rest):
                checksum = combined(checksum, checksum_of(part))
                batches += [written for batch in part.to_batches() for written in writer.add(batch)]
        if batches:
            self.carried[key] = held
            self.checksums[key] = combined(self.checksums.get(key, EMPTY), checksum)
            self._carried_batches[key] = batches

    def complete(self, besides: Iterable[PartitionKey] = ()) -> None:
        """Give each table that has no rows an empty partition, so that it has a file; `besides` are partitions kept elsewhere.

        Its year is that of the first launch: whatever comes later, it stays the same.
        """
        there = {table for table, _ in (*self.checksums, *besides)}
        years = [year for table, year in self.checksums if table == LAUNCHES.name]
        for table in TABLES:
            if years and table not in there:
                self.checksums[table, min(years)] = EMPTY

    def close(self) -> None:
        """No more rows for the tables that have some: they can be read now."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        pa.default_memory_pool().release_unused()  # what it took to make the rows

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return sum(checksum.rows for (name, _), checksum in self.checksums.items() if name == table)

    def partition(self, key: PartitionKey) -> Iterator[pa.Table]:
        """One partition's rows in canonical order, that of the key, so that the same rows give the same bytes; in parts."""
        batches = [*self._fetch_carried(key), *self.batches.get(key, ())]
        yield from _in_parts(self._in_order(batches, key[0]) if batches else [TABLES[key[0]].arrow.empty_table()])

    def by_key(self, keys: Iterable[PartitionKey], only_added: Collection[PartitionKey] = ()) -> Iterator[pa.Table]:
        """The rows of some partitions of a table in the order of the key, whatever their years; in parts of any size.

        Of the partitions that are `only_added` to, what was carried over is left out.
        """
        every = sorted(keys)
        batches = [
            batch
            for key in every
            for batch in (*(() if key in only_added else self._fetch_carried(key)), *self.batches.get(key, ()))
        ]
        if batches:
            yield from self._in_order(batches, every[0][0])

    def added(self, table: str) -> pa.Table:
        """The rows of a table that were added, in no order."""
        files = _Files()
        batches = [batch for key, batches in self.batches.items() if key[0] == table for batch in batches]
        return pa.Table.from_batches([files.read(batch) for batch in batches], TABLES[table].arrow)

    def row_hashes(self, key: PartitionKey) -> pa.Array:
        """The hashes of one partition's rows, in no order; nothing else is read."""
        files = _Files([TABLES[key[0]].arrow.get_field_index("row_hash")])
        batches = [*self._fetch_carried(key), *self.batches.get(key, ())]
        return pa.concat_arrays([pa.array([], pa.string()), *(_copy(files.read(batch), "row_hash") for batch in batches)])

    def _fetch_carried(self, key: PartitionKey) -> list[_Batch]:
        with _fetching:  # the load and the put may both ask first
            if read := self._carried_rows.pop(key, None):
                writer = _Writer(self._carried_path(key), key[0])
                batches = read().combine_chunks().to_batches()
                self._carried_batches[key] = [written for batch in batches for written in writer.add(batch)]
                writer.close()
            return self._carried_batches.get(key, [])

    def _carried_path(self, key: PartitionKey) -> Path:
        return self._folder / f"{key[0]}-{key[1]}-carried.arrow"

    def _in_order(self, batches: Sequence[_Batch], table: str) -> Iterator[pa.Table]:
        """The rows of some batches of a table in the order of its key.

        Each batch is read once, and sorted with those alone that hold ids from between its own; where they are very many, in
        ranges of ids that fit into memory.
        """
        order = [(name, "ascending") for name in TABLES[table].key]
        files = _Files()
        for group in _overlapping(batches):
            if len(group) == 1:
                yield pa.table(files.read(group[0]))
                continue
            for first, end in _ranges(group, files):
                parts = [
                    _within(files.read(b), first, end)
                    for b in group
                    if (not end or b.first < end) and (not first or b.last >= first)
                ]
                rows = pa.Table.from_batches(parts, TABLES[table].arrow).combine_chunks()
                del parts
                in_order = rows.take(pc.sort_indices(rows, order))
                del rows  # whoever takes the part may keep it for long
                yield in_order

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


class _Writer:
    """A file of the spill while it is written."""

    def __init__(self, path: Path, table: str) -> None:
        self._path = path
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, TABLES[table].arrow)
        self._written = 0

    def add(self, rows: pa.RecordBatch) -> Iterator[_Batch]:
        """Write rows of one partition, which are in canonical order."""
        for start in range(0, len(rows), ROWS_A_PART):
            part = rows.slice(start, ROWS_A_PART)
            before = self._file.tell()
            self._writer.write_batch(part)
            ids = part.column("launch_id")
            yield _Batch(self._path, self._written, ids[0].as_py(), ids[-1].as_py(), self._file.tell() - before)
            self._written += 1

    def close(self) -> None:
        """No more rows: the file can be read."""
        self._writer.close()
        self._file.close()


class _Files:
    """The files of a spill, each opened when it is first read from."""

    def __init__(self, columns: Sequence[int] = ()) -> None:
        self._options = pa.ipc.IpcReadOptions(included_fields=list(columns))  # all if none are named
        self._opened: dict[Path, pa.RecordBatchFileReader] = {}

    def read(self, batch: _Batch) -> pa.RecordBatch:
        """The rows of a batch."""
        if batch.path not in self._opened:
            self._opened[batch.path] = pa.ipc.open_file(pa.OSFile(str(batch.path)), options=self._options)
        return self._opened[batch.path].get_batch(batch.place)


def _overlapping(batches: Iterable[_Batch]) -> Iterator[list[_Batch]]:
    """Batches by their ids, each with those whose ids lie among its own: as pages are in the order of ids, mostly one by one."""
    group: list[_Batch] = []
    last = ""
    for batch in sorted(batches, key=lambda batch: batch.first):
        if group and batch.first > last:
            yield group
            group = []
        group.append(batch)
        last = max(last, batch.last)
    if group:
        yield group


def _ranges(batches: Sequence[_Batch], files: _Files) -> Iterator[tuple[str | None, str | None]]:
    """Ranges of ids, their ends not in them, each of which fits into memory: mostly a single one, of all."""
    bounds: list[str | None] = []
    size = sum(batch.size for batch in batches)
    if size > _SORTED_AT_ONCE:
        ids = pa.concat_arrays([_copy(files.read(batch), "launch_id") for batch in batches])
        step = max(1, len(ids) * _SORTED_AT_ONCE // size)
        bounds = list(dict.fromkeys(ids.take(pc.sort_indices(ids)[step::step]).to_pylist()))
    yield from pairwise([None, *bounds, None])


def _copy(batch: pa.RecordBatch, column: str) -> pa.Array:
    """A column by itself: as a part of its batch it would keep all of that in memory."""
    return pa.concat_arrays([batch.column(column)])


def _in_parts(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of one size, however they came."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) > ROWS_A_PART:
            rows = pa.concat_tables(waiting)
            yield rows.slice(0, ROWS_A_PART).combine_chunks()
            waiting = [rows.slice(ROWS_A_PART)]
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


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
