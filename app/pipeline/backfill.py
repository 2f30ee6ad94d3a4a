"""Many runs repeated as one publication: what each would have found is known from the spans of what they received."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from ..core.model import Manifest, Run
from ..core.reconcile import CurrentState, is_followed, is_mysql_ahead, is_source_change
from ..core.schema import LAUNCH_CHANGES, LAUNCHES
from ..core.source import Source
from ..core.spans import SPANS, Timeline, spans
from ..errors import StoresDisagree, UnreadableObject
from ..lake.store import S3Lake
from .adapters import Adapters
from .answers import ArchivedAnswers, rows_of
from .history import launch_changes
from .processes import mapped
from .published import Published
from .retention import keep
from .spill import Spill

_BEFORE = -1  # the place of what was held before the first answer
_MOST_RUNS = 250  # of a chunk: what changes in it is held in memory
_CHUNKS_A_PROCESS = 4  # so that all end at about the same time


@dataclass(frozen=True)
class Chunk:
    """Runs in a row, to be read by one process: the place of the first, and their ids."""

    first: int
    run_ids: Sequence[str]


@dataclass(frozen=True)
class Repeated:
    """A run that is repeated, and its place."""

    place: int
    run_id: str
    as_of: datetime


@dataclass(frozen=True)
class Found:
    """The runs of a chunk that are repeated, and the file with the spans of what they received."""

    runs: list[Repeated]
    path: Path

    def spans(self) -> pa.Table:
        """The spans, which stay in the file until they are used."""
        with pa.memory_map(str(self.path)) as file:
            return pa.ipc.open_file(file).read_all()


def is_repeated(manifest: Manifest | None, source: str) -> bool:
    """Whether a backfill repeats a run: those of another source, and those that were replays, it passes over."""
    return manifest is not None and manifest.replayed_run_id is None and manifest.source == source


def chunks(run_ids: Sequence[str], processes: int) -> Iterator[Chunk]:
    """The runs in chunks, so many that all processes have work until the end."""
    size = min(_MOST_RUNS, math.ceil(len(run_ids) / (processes * _CHUNKS_A_PROCESS)))
    for first in range(0, len(run_ids), size):
        yield Chunk(first, run_ids[first : first + size])


class Reader:
    """Makes spans of chunks."""

    def __init__(self, source: Source, archive: S3Lake, spool: Path) -> None:
        self._source, self._archive, self._spool = source, archive, spool
        self._answers = ArchivedAnswers(source, archive, spool)

    def __call__(self, chunk: Chunk) -> Found:
        """What the runs of a chunk received, as spans. Raises PipelineError."""
        path = self._spool / f"spans-{chunk.first}.arrow"
        runs: list[Repeated] = []
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, SPANS) as writer:
            for found in spans(self._answers.answers(self._manifests(chunk, runs))):
                writer.write_table(found)
        return Found(runs, path)

    def add_rows(self, run_id: str, ids: set[str], spill: Spill) -> None:
        """Add the rows that a run received of some launches. Raises PipelineError."""
        manifest = self._archive.manifest(run_id)
        if manifest is None:
            raise UnreadableObject(f"the manifest of run {run_id} is gone")
        with self._answers.candidate(manifest) as candidate:
            for name, rows in rows_of(candidate, ids).items():
                spill.add(name, rows)

    def _manifests(self, chunk: Chunk, runs: list[Repeated]) -> Iterator[tuple[int, Manifest]]:
        for place, run_id in enumerate(chunk.run_ids, chunk.first):
            manifest = self._archive.manifest(run_id)
            if manifest is not None and is_repeated(manifest, self._source.name):
                runs.append(Repeated(place, run_id, manifest.as_of))
                yield place, manifest


class Backfill:
    """What happened over the answers of many runs, of which the last is published."""

    def __init__(self, run_ids: Sequence[str], make_reader: Callable[[], Reader], processes: int) -> None:
        self._run_ids, self._make_reader, self._processes = run_ids, make_reader, processes

    def follow(
        self, run: Run, adapters: Adapters, current: CurrentState, published: Published, spill: Spill
    ) -> tuple[set[str], pa.Table]:
        """Add the last good rows of launches that the last answer has no good ones of; their ids, and the history of all answers.

        Raises PipelineError.
        """
        timeline = Timeline(_held_rows(run, adapters, current, published), _BEFORE)
        is_news = is_followed(current, run)  # else the first answer begins the history
        history = [LAUNCH_CHANGES.arrow.empty_table()]
        runs: dict[int, Repeated] = {}
        with adapters.telemetry.stage("backfill") as counts:
            every = list(chunks(self._run_ids, self._processes))
            for number, found in enumerate(mapped(self._make_reader, every, self._processes), 1):
                runs |= {one.place: one for one in found.runs}
                for place, news in timeline.follow(found.spans(), [one.place for one in found.runs]):
                    if is_news or place != next(iter(runs)):
                        history.append(launch_changes(_as_then(run, runs[place]), news))
                found.path.unlink()
                adapters.telemetry.progress(f"{len(runs)} runs", number, len(every))
            counts.update(runs=len(runs), processes=self._processes)
        retained = {key: one.place for key, one in timeline.held.items() if one.place < max(runs)}
        self._retain(retained, runs, spill, adapters, current, published)
        return set(retained), pa.concat_tables(history)

    def _retain(
        self,
        retained: Mapping[str, int],
        runs: Mapping[int, Repeated],
        spill: Spill,
        adapters: Adapters,
        current: CurrentState,
        published: Published,
    ) -> None:
        reader = self._make_reader()
        for place in sorted(set(retained.values())):
            ids = {key for key, last in retained.items() if last == place}
            if place == _BEFORE:
                keep(spill, ids, adapters, published, is_ahead=is_mysql_ahead(current))
            else:
                reader.add_rows(runs[place].run_id, ids, spill)


def _held_rows(run: Run, adapters: Adapters, current: CurrentState, published: Published) -> pa.Table:
    """The launches that the place holds. Raises PipelineError."""
    if is_source_change(current, run):  # the tables hold one source, never a mixture
        return LAUNCHES.arrow.empty_table()
    if is_mysql_ahead(current):
        years = sorted(year for name, year in current.in_mysql if name == LAUNCHES.name)
        return adapters.warehouse.rows_of_years(LAUNCHES.name, years)
    held = published.table(LAUNCHES.name)
    if published.lost:
        raise StoresDisagree("neither store holds all that was published there any more", hint="replay into an empty place")
    return held


def _as_then(run: Run, repeated: Repeated) -> Run:
    """The run as which one of the many is repeated."""
    return replace(run, as_of=repeated.as_of, replayed_run_id=repeated.run_id, is_elsewhere=True)
