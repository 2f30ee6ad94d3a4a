"""From the answers of a source to the snapshot that both stores are to hold: what came, and what is carried over."""

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import Checked, LookupUse, PartitionKey, Rejected, Response, Run
from ..core.reconcile import CurrentState, is_followed, is_mysql_ahead, is_source_change
from ..core.schema import LAUNCH_CHANGES, LAUNCHES
from ..core.source import Source
from ..core.validate import in_words, validate
from ..errors import GateRefused, some
from .adapters import Adapters
from .history import carry_history, changes_of, launch_changes
from .published import Published
from .quarantine import RejectsFile, check_count, write_lines
from .retention import retain
from .spill import Spill

if TYPE_CHECKING:
    from .backfill import Backfill

MAX_YEARS = 1000  # each has up to five objects, to be put one by one
MAX_REFERENCES = 1_000_000  # kept in memory; 200,000 launches name some 600,000
MAX_ROW_MIB = 1024  # on disk, where a few bytes that name a lookup record become rows of a hundred kilobytes
_MAX_ODD = 1000  # different unknown fields, or notes
_NAMED = 5  # rejects that are warned of one by one


@dataclass
class Candidate:
    """What both stores are to hold: first what was received, then what is carried over too."""

    spill: Spill
    accepted: int = 0
    accepted_ids: set[str] = field(default_factory=set)  # kept only where launches were rejected: retention wants them
    rejected: list[Rejected] = field(default_factory=list)
    lookups: dict[str, LookupUse] = field(default_factory=dict)
    retained: set[str] = field(default_factory=set)
    newest_launch_utc: datetime | None = None
    lost: frozenset[PartitionKey] = frozenset()  # partitions that are left as they are, what they should hold is lost
    quarantine: Path | None = None  # a packed file with a line for each reject

    @property
    def rejected_launches(self) -> list[Rejected]:
        """The rejects that are launches; the others are lookup records."""
        return [r for r in self.rejected if r.endpoint == "launches"]


@dataclass
class Validated:
    """All that a source's answers come to."""

    spill: Spill
    asides: list[RejectsFile]  # the records of `rejected`, in the same order
    places: list[tuple[int, str]] = field(default_factory=list)  # of all records with a readable id, and that id
    accepted: set[str] = field(default_factory=set)
    rejected: list[Rejected] = field(default_factory=list)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    references: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    newest_launch_utc: datetime | None = None
    row_bytes: int = 0

    def take(self, checked: Checked, as_of: datetime) -> None:
        """Add some launches. Raises GateRefused when there is more than any sound answer has."""
        self.places += zip(checked.indexes, checked.ids, strict=True)
        self.places += ((reject.index, reject.id) for reject, _ in checked.rejected if reject.id)
        self.accepted.update(checked.ids)
        for reject, raw in checked.rejected:
            self.asides[0].add(reject, raw)
            self.rejected.append(reject)
        _count_some(self.unknown_fields, checked.unknown_fields)
        _count_some(self.notes, checked.notes)
        self.references.update(checked.references)
        for name, rows in checked.tables.items():
            self.spill.add(name, rows)
            self.row_bytes += rows.nbytes
        self.newest_launch_utc = _later(self.newest_launch_utc, _newest(checked.tables["launches"], as_of))
        self.check_limits()

    def check_limits(self) -> None:
        """Raise GateRefused when there is more than any sound answer has."""
        years = len({year for _, year in self.spill.checksums})
        found = (
            (years, MAX_YEARS, "launch years, each with partitions of its own"),
            (len(self.references), MAX_REFERENCES, "different ids of lookups"),
            (self.row_bytes >> 20, MAX_ROW_MIB, "MiB of rows"),
        )
        for number, limit, what in found:
            if number > limit:
                raise GateRefused(f"refused: the launches have over {limit} {what}", hint="both stores stay as they were")
        check_count(len(self.rejected))

    @property
    def superseded(self) -> dict[int, str]:
        """The places that hold an earlier record of an id, with it."""
        seen: dict[str, int] = {}
        earlier: dict[int, str] = {}
        for place, launch_id in sorted(self.places):
            if launch_id in seen:
                earlier[seen[launch_id]] = launch_id
            seen[launch_id] = place
        return earlier

    def candidate(self, quarantine: Path) -> Candidate:
        """The candidate, its rejects written into a file."""
        if self.rejected:
            write_lines(self.rejected, self.asides, quarantine)
        return Candidate(
            self.spill,
            accepted=len(self.accepted),
            accepted_ids=self.accepted if self.rejected else set(),
            rejected=self.rejected,
            lookups=_lookup_use(self.references),
            newest_launch_utc=self.newest_launch_utc,
            quarantine=quarantine if self.rejected else None,
        )


def received(run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path) -> Candidate:
    """Validate and transform every launch; nothing is asked of either store. Raises PipelineError."""
    telemetry = adapters.telemetry
    with telemetry.stage("validate") as counts:
        found, again = last_of_each(adapters.source, responses, run.as_of, spool, progress=telemetry.progress)
        launches = responses["launches"]
        if again and not (launches.base or launches.archived or launches.watermark):  # changes replace what they come on top of
            telemetry.warn(f"{len(again)} launches came twice, the last counts: {some(again.values())}")
        telemetry.warn_if(sorted(found.unknown_fields), "fields that the contract does not know")
        for note, times in sorted(found.notes.items()):
            telemetry.warn(f"{note} ({times} launches)")
        candidate = found.candidate(spool / "quarantine.gz")
        counts.update(accepted=candidate.accepted, rejected=len(candidate.rejected_launches))
    for reject in candidate.rejected[:_NAMED]:
        telemetry.warn(in_words(reject))
    if len(candidate.rejected) > _NAMED:
        telemetry.warn(f"{len(candidate.rejected)} records rejected in all; each is in quarantine with its reason")
    for kind, use in candidate.lookups.items():
        if use.known_ids < use.ids:
            telemetry.warn(f"{kind}: {use.known_ids} of {use.ids} ids are known; facts of the others are null")
    return candidate


def carry_over(
    run: Run,
    adapters: Adapters,
    candidate: Candidate,
    current: CurrentState,
    published: Published,
    *,
    trusted: bool,
    backfill: "Backfill | None",
) -> None:
    """Add what the stores have and the source does not send: last good rows of launches that can't be used, and the history.

    With a backfill they are those of all its answers. Raises PipelineError.
    """
    telemetry, spill = adapters.telemetry, candidate.spill
    with telemetry.stage("history") as counts:
        news = LAUNCH_CHANGES.arrow.empty_table()
        if backfill:
            candidate.retained, news = backfill.follow(run, adapters, current, published, spill)
        elif not is_source_change(current, run):  # the tables hold one source, never a mixture
            is_ahead = is_mysql_ahead(current)
            lake_first = trusted or (is_followed(current, run) and not is_ahead)
            candidate.retained = retain(
                spill,
                candidate.rejected_launches,
                candidate.accepted_ids,
                adapters,
                published,
                is_ahead=is_ahead,
                lake_first=lake_first,
            )
        spill.close()
        # Elsewhere, what an attempt that failed has put there is no history of the runs whose ids it names.
        if current.manifest or current.last_run.merged_id or not run.is_elsewhere:
            carry_history(adapters, current, published, spill)
        if is_followed(current, run) and not backfill:
            news = launch_changes(run, changes_of(adapters, current, published, spill, LAUNCHES))
        spill.add(LAUNCH_CHANGES.name, news)
        counts["changes"] = news.num_rows
        spill.close()
        spill.complete()
        counts["retained"] = len(candidate.retained)
    lost = [f"{name} {year}" for name, year in sorted(published.lost)]
    telemetry.warn_if(
        lost, "neither store holds what was published any more; what is left was kept, and their changes are not known"
    )


def last_of_each(
    source: Source,
    responses: Mapping[str, Response],
    as_of: datetime,
    spool: Path,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Validated, dict[int, str]]:
    """All launches of a source's answers, of each id the last record; and the earlier ones. Raises PipelineError."""
    found = validated(source, responses, as_of, spool / "rows-1", progress=progress)
    again = found.superseded
    if again:  # the earlier ones are passed over in a second reading
        found = validated(source, responses, as_of, spool / "rows-2", skip=set(again), progress=progress)
    return found, again


def validated(
    source: Source,
    responses: Mapping[str, Response],
    as_of: datetime,
    folder: Path,
    *,
    skip: Container[int] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Validated:
    """All launches of a source's answers but those at the places to skip, spilled into a new folder. Raises PipelineError."""
    aside, lookups_aside = (RejectsFile(folder.with_name(f"{folder.name}-{name}.gz")) for name in ("aside", "lookups"))
    parser = source.parser(responses, lookups_aside.add)
    found = Validated(Spill(folder), [aside, lookups_aside])
    records = 0
    for batch in source.launches(responses["launches"]):
        records += len(batch)
        for checked in validate(((i, record) for i, record in batch if i not in skip), parser):
            found.take(checked, as_of)
        progress(f"{records} launches")
    found.rejected += lookups_aside.rejects
    for rejects in found.asides:
        rejects.close()
    return found


def _count_some(counts: Counter[str], more: Counter[str]) -> None:
    """Add to counts of what was odd; of too many different things those that come late are passed over."""
    for name, times in more.items():
        if name in counts or len(counts) < _MAX_ODD:
            counts[name] += times


def _lookup_use(references: Counter[tuple[str, str, bool]]) -> dict[str, LookupUse]:
    """How well each kind of lookup served that was met."""
    ids: dict[str, dict[str, bool]] = {}
    times: Counter[tuple[str, bool]] = Counter()
    for (kind, key, known), count in references.items():
        used = ids.setdefault(kind, {})
        used[key] = known or used.get(key, False)
        times[kind, known] += count
    return {
        kind: LookupUse(
            ids=len(used),
            known_ids=sum(used.values()),
            references=times[kind, True] + times[kind, False],
            resolved=times[kind, True],
        )
        for kind, used in sorted(ids.items())
    }


def _newest(launches: pa.Table, now: datetime) -> datetime | None:
    """The newest launch that is over."""
    over = pc.and_(pc.not_equal(launches["status"], "upcoming"), pc.less_equal(launches["date_utc"], pa.scalar(now)))
    newest: datetime | None = pc.max(launches["date_utc"].filter(over)).as_py()
    return newest


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((t for t in (one, other) if t is not None), default=None)
