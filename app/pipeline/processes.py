"""A backfill in processes of this machine: each reads chunks of runs, and this one follows their spans in order."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from ..core.model import Run
from ..core.schema import LAUNCH_CHANGES
from ..core.spans import SPANS, Timeline
from ..telemetry.stages import Telemetry
from .backfill import BEFORE, Chunk, Followed, Reader, Repeated, chunks, history_of, retained_by
from .spawn import mapped

_MOST_RUNS = 250  # of a chunk: what changes in it is held in memory
_CHUNKS_A_PROCESS = 4  # so that all end at about the same time


@dataclass(frozen=True)
class _Found:
    """The runs of a chunk that are repeated, and the file with the spans of what they received."""

    runs: list[Repeated]
    path: Path

    def spans(self) -> pa.Table:
        """The spans, which stay in the file until they are used."""
        with pa.memory_map(str(self.path)) as file:
            return pa.ipc.open_file(file).read_all()


class InProcesses:
    """Reads answers in so many processes; `spool` is where they leave what they found."""

    def __init__(self, make_reader: Callable[[], Reader], processes: int, spool: Path) -> None:
        self._make_reader, self._processes, self._spool = make_reader, processes, spool

    def follow(self, run_ids: Sequence[str], held: pa.Table, run: Run, telemetry: Telemetry, *, is_news: bool) -> Followed:
        """Follow what is held over the answers of many runs; `is_news`: what the first one changes is history too.

        Raises PipelineError.
        """
        timeline = Timeline(held, BEFORE)
        history = [LAUNCH_CHANGES.arrow.empty_table()]
        runs: dict[int, Repeated] = {}
        size = min(_MOST_RUNS, math.ceil(len(run_ids) / (self._processes * _CHUNKS_A_PROCESS)))
        every = list(chunks(run_ids, size))
        for number, found in enumerate(mapped(partial(_work, self._make_reader, self._spool), every, self._processes), 1):
            runs |= {one.place: one for one in found.runs}
            begins = None if is_news or not runs else next(iter(runs))
            history += history_of(run, timeline, found.spans(), runs, [one.place for one in found.runs], begins)
            found.path.unlink()
            telemetry.progress(f"{len(runs)} runs", number, len(every))
        return Followed(runs, pa.concat_tables(history), retained_by(timeline, max(runs)))


def _work(make_reader: Callable[[], Reader], spool: Path) -> Callable[[Chunk], _Found]:
    reader = make_reader()

    def write(chunk: Chunk) -> _Found:
        path = spool / f"spans-{chunk.first}.arrow"
        runs: list[Repeated] = []
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, SPANS) as writer:
            for found in reader.spans(chunk, runs):
                writer.write_table(found)
        return _Found(runs, path)

    return write
