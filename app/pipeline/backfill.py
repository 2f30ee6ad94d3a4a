"""Many runs repeated as one publication: what each would have found is known from the spans of what they received."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import Manifest, Run
from ..core.reconcile import CurrentState, is_followed, is_mysql_ahead, is_source_change
from ..core.schema import LAUNCH_CHANGES, LAUNCHES
from ..core.source import Source
from ..core.spans import SPANS, Timeline, spans
from ..errors import StoresDisagree, UnreadableObject
from ..lake.store import S3Lake
from ..telemetry.stages import Telemetry
from .adapters import Adapters
from .answers import ArchivedAnswers, rows_of
from .history import launch_changes
from .published import Published
from .retention import keep
from .spill import Spill

BEFORE = -1
"""The place of what was held before the first answer."""


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
class Followed:
    """What happened over all answers: the runs by place, the history, and the places where retained launches were last good."""

    runs: Mapping[int, Repeated]
    history: pa.Table
    retained: Mapping[str, int]


class Engine(Protocol):
    """Where the answers are read: in processes of this machine, or on a cluster."""

    def follow(self, run_ids: Sequence[str], held: pa.Table, run: Run, telemetry: Telemetry, *, is_news: bool) -> Followed:
        """Follow what is held over the answers of many runs; `is_news`: what the first one changes is history too.

        Raises PipelineError.
        """


def is_repeated(manifest: Manifest | None, source: str) -> bool:
    """Whether a backfill repeats a run: those of another source, and those that were replays, it passes over."""
    return manifest is not None and manifest.replayed_run_id is None and manifest.source == source


def chunks(run_ids: Sequence[str], size: int) -> Iterator[Chunk]:
    """The runs in chunks of at most so many."""
    for first in range(0, len(run_ids), size):
        yield Chunk(first, run_ids[first : first + size])


class Reader:
    """Makes spans of chunks."""

    def __init__(self, source: Source, archive: S3Lake, spool: Path) -> None:
        self._source, self._archive, self._spool = source, archive, spool
        self._answers = ArchivedAnswers(source, archive, spool)

    def runs(self, chunk: Chunk) -> list[Repeated]:
        """The runs of a chunk that are repeated. Raises PipelineError."""
        return [Repeated(place, manifest.run_id, manifest.as_of) for place, manifest in self._manifests(chunk)]

    def spans(self, chunk: Chunk, runs: list[Repeated] | None = None) -> Iterator[pa.Table]:
        """The spans of what the runs of a chunk received; the runs are added to `runs`. Raises PipelineError."""

        def manifests() -> Iterator[tuple[int, Manifest]]:
            for place, manifest in self._manifests(chunk):
                if runs is not None:
                    runs.append(Repeated(place, manifest.run_id, manifest.as_of))
                yield place, manifest

        yield from spans(self._answers.answers(manifests()))

    def add_rows(self, run_id: str, ids: set[str], spill: Spill) -> None:
        """Add the rows that a run received of some launches. Raises PipelineError."""
        manifest = self._archive.manifest(run_id)
        if manifest is None:
            raise UnreadableObject(f"the manifest of run {run_id} is gone")
        with self._answers.validated(manifest) as found:
            for name, rows in rows_of(found, ids).items():
                spill.add(name, rows)

    def _manifests(self, chunk: Chunk) -> Iterator[tuple[int, Manifest]]:
        for place, run_id in enumerate(chunk.run_ids, chunk.first):
            manifest = self._archive.manifest(run_id)
            if manifest is not None and is_repeated(manifest, self._source.name):
                yield place, manifest


class Backfill:
    """What happened over the answers of many runs, of which the last is published."""

    def __init__(self, run_ids: Sequence[str], make_reader: Callable[[], Reader], engine: Engine) -> None:
        self._run_ids, self._make_reader, self._engine = run_ids, make_reader, engine

    def follow(
        self, run: Run, adapters: Adapters, current: CurrentState, published: Published, spill: Spill
    ) -> tuple[set[str], pa.Table]:
        """Add the last good rows of launches that the last answer has no good ones of; their ids, and the history of all answers.

        Raises PipelineError.
        """
        held = _held_rows(run, adapters, current, published)
        with adapters.telemetry.stage("backfill") as counts:
            found = self._engine.follow(self._run_ids, held, run, adapters.telemetry, is_news=is_followed(current, run))
            counts["runs"] = len(found.runs)
        self._retain(found, spill, adapters, current, published)
        return set(found.retained), found.history

    def _retain(self, found: Followed, spill: Spill, adapters: Adapters, current: CurrentState, published: Published) -> None:
        reader = self._make_reader()
        for place in sorted(set(found.retained.values())):
            ids = {key for key, last in found.retained.items() if last == place}
            if place == BEFORE:
                keep(spill, ids, adapters, published, is_ahead=is_mysql_ahead(current))
            else:
                reader.add_rows(found.runs[place].run_id, ids, spill)


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


def as_spans(held: pa.Table) -> pa.Table:
    """What was held before the first answer, as spans of a place before it."""
    at = pa.array([BEFORE] * held.num_rows, pa.int64())
    return pa.table([at, at, pa.array([False] * held.num_rows), *held.select(LAUNCHES.arrow.names).columns], schema=SPANS)


def followed(found: pa.Table, run: Run, runs: Mapping[int, Repeated], *, is_news: bool) -> Followed:
    """What happened to some launches over all answers; `found` are their spans, with those of what was held."""
    is_before = pc.equal(found["first"], BEFORE)
    before = found.filter(is_before).select(LAUNCHES.arrow.names).cast(LAUNCHES.arrow)
    timeline = Timeline(before, BEFORE)
    places = sorted(runs)
    begins = None if is_news else places[0]
    history = list(history_of(run, timeline, found.filter(pc.invert(is_before)), runs, places, begins))
    return Followed(runs, pa.concat_tables([LAUNCH_CHANGES.arrow.empty_table(), *history]), retained_by(timeline, places[-1]))


def history_of(
    run: Run, timeline: Timeline, found: pa.Table, runs: Mapping[int, Repeated], places: Sequence[int], begins: int | None
) -> Iterator[pa.Table]:
    """The history of the next answers, whose spans these are; what the place where it begins changes is none."""
    for place, news in timeline.follow(found, places):
        if place != begins:
            then = replace(run, as_of=runs[place].as_of, replayed_run_id=runs[place].run_id, is_elsewhere=True)
            yield launch_changes(then, news)


def retained_by(timeline: Timeline, last: int) -> dict[str, int]:
    """The launches that are held but were not good in the last answer, and where they were last."""
    return {key: one.place for key, one in timeline.held.items() if one.place < last}
