"""From the answers of a source to the snapshot that both stores are to hold: what came, and what is carried over."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import Checked, LookupUse, PartitionKey, Rejected, Response, Run
from ..core.reconcile import CurrentState, is_followed, is_mysql_ahead, is_source_change
from ..core.schema import LAUNCH_CHANGES, LAUNCHES
from ..core.source import Parser, Source
from ..core.transform import transform
from ..core.validate import in_words, validate
from ..errors import GateRefused, some
from .adapters import Adapters
from .history import carry_history, changes_of, launch_changes
from .published import Published
from .quarantine import RejectsFile, check_count, write_lines
from .retention import retain
from .second_process import in_parallel, is_worth_it
from .spill import Spill

if TYPE_CHECKING:
    from .backfill import Backfill

MAX_YEARS = 1000  # each has up to five objects, to be put one by one
MAX_REFERENCES = 1_000_000  # kept in memory; 200,000 launches name some 600,000
MAX_ROW_MIB = 1024  # on disk, where a few bytes that name a lookup record become rows of a hundred kilobytes
_MAX_ODD = 1000  # different unknown fields, or notes
_NAMED = 5  # rejects that are warned of one by one
_WORTH_A_PROCESS = (10, 8 << 20)  # bodies and bytes; what launch APIs really hold has fewer bodies


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
class _Part:
    """The result of some of its bodies."""

    spill: Spill
    aside: RejectsFile
    records: int = 0
    places: list[tuple[int, str]] = field(default_factory=list)  # of all records with a readable id, and that id
    accepted: set[str] = field(default_factory=set)
    rejected: list[Rejected] = field(default_factory=list)  # as in `aside`, with their places in the whole answer
    unknown_fields: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    references: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    newest_launch_utc: datetime | None = None
    row_bytes: int = 0

    def take(self, checked: Checked, as_of: datetime) -> None:
        """Add some launches. Raises GateRefused when there is more than any sound answer has."""
        self.places += _ids_in_order(checked)
        self.accepted.update(checked.ids)
        for reject, raw in checked.rejected:
            self.aside.add(reject, raw)
            self.rejected.append(reject)
        _count_some(self.unknown_fields, checked.unknown_fields)
        _count_some(self.notes, checked.notes)
        self.references.update(checked.references)
        tables = transform(checked.rows)
        for name, rows in tables.items():
            self.spill.add(name, rows)
            self.row_bytes += rows.nbytes
        self.newest_launch_utc = _later(self.newest_launch_utc, _newest(tables["launches"], as_of))
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

    def close(self) -> None:
        """No more launches: the files can be read, or handed to another process."""
        self.spill.close()
        self.aside.close()

    def add(self, other: "_Part") -> None:
        """Add the results of the bodies after these; its places count from where these end."""
        self.spill.absorb(other.spill)
        self.places += [(self.records + place, launch_id) for place, launch_id in other.places]
        self.accepted |= other.accepted
        self.rejected += [replace(reject, index=self.records + reject.index) for reject in other.rejected]
        _count_some(self.unknown_fields, other.unknown_fields)
        _count_some(self.notes, other.notes)
        self.references.update(other.references)
        self.newest_launch_utc = _later(self.newest_launch_utc, other.newest_launch_utc)
        self.records += other.records
        self.row_bytes += other.row_bytes
        self.check_limits()


def received(run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path) -> Candidate:
    """Validate and transform every launch; nothing is asked of either store. Raises PipelineError."""
    telemetry = adapters.telemetry
    with telemetry.stage("validate") as counts:
        superseded: set[int] = set()
        candidate, again = _read_launches(run, adapters, responses, superseded, spool / "rows-1")
        if again:  # an id came twice: the last record with it counts, the earlier ones are passed over in a second reading
            launches = responses["launches"]
            if not (launches.base or launches.archived or launches.watermark):  # changes replace what they come on top of
                telemetry.warn(f"{len(again)} launches came twice, the last counts: {some(again.values())}")
            superseded = set(again)
            candidate, _ = _read_launches(run, adapters, responses, superseded, spool / "rows-2")
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


def _read_launches(
    run: Run, adapters: Adapters, responses: Mapping[str, Response], skip: set[int], folder: Path
) -> tuple[Candidate, dict[int, str]]:
    """All launches but those at the places to skip, and the places that hold an earlier record of an id, with it."""
    lookups_aside = RejectsFile(folder.with_name(f"{folder.name}-lookups.gz"))
    parser, launches = adapters.source.parser(responses, lookups_aside.add), responses["launches"]
    lookups_aside.close()
    asides = [lookups_aside]
    half = len(launches.bodies) // 2
    size = (len(launches.bodies), sum(body.size for body in launches.bodies))
    # What comes on top of earlier bodies holds ids twice, and is read once more.
    is_large = launches.base is None and all(has >= least for has, least in zip(size, _WORTH_A_PROCESS, strict=True))
    if is_large and not skip and is_worth_it():
        first, second = (replace(launches, bodies=bodies) for bodies in (launches.bodies[:half], launches.bodies[half:]))

        def read_second() -> _Part:
            part = _read(run, adapters.source, second, parser, skip, folder.with_name(f"{folder.name}-second"))
            part.close()
            return part

        with in_parallel(read_second) as other:
            part = _read(run, adapters.source, first, parser, skip, folder, adapters.telemetry.progress)
            found = other()
            part.add(found)
            asides = [found.aside, lookups_aside]
    else:
        part = _read(run, adapters.source, launches, parser, skip, folder, adapters.telemetry.progress)
    seen: dict[str, int] = {}
    earlier: dict[int, str] = {}
    for place, launch_id in part.places:
        if launch_id in seen:
            earlier[seen[launch_id]] = launch_id
        seen[launch_id] = place
    if not earlier:
        adapters.telemetry.warn_if(sorted(part.unknown_fields), "fields that the contract does not know")
        for note, times in sorted(part.notes.items()):
            adapters.telemetry.warn(f"{note} ({times} launches)")
    candidate = Candidate(
        part.spill,
        accepted=len(part.accepted),
        accepted_ids=part.accepted if part.rejected else set(),
        rejected=part.rejected + lookups_aside.rejects,
        lookups=_lookup_use(part.references),
        newest_launch_utc=part.newest_launch_utc,
    )
    part.aside.close()
    if candidate.rejected and not earlier:
        candidate.quarantine = folder.with_name(f"{folder.name}-quarantine.gz")
        write_lines(candidate.rejected, [part.aside, *asides], candidate.quarantine)
    return candidate, earlier


def _read(
    run: Run,
    source: Source,
    launches: Response,
    parser: Parser,
    skip: set[int],
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> _Part:
    part = _Part(Spill(folder), RejectsFile(folder.with_name(f"{folder.name}-aside.gz")))
    for batch in source.launches(launches):
        part.records += len(batch)
        for checked in validate(((i, raw) for i, raw in batch if i not in skip), parser):
            part.take(checked, run.as_of)
        progress(f"{part.records} launches")
    return part


def _ids_in_order(checked: Checked) -> list[tuple[int, str]]:
    rejected = ((reject.index, reject.id) for reject, _ in checked.rejected if reject.id)
    return sorted([*zip(checked.indexes, checked.ids, strict=True), *rejected])


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
