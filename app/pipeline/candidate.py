"""From the answers of a source to the snapshot that both stores are to hold: what came, and what is carried over."""

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from ..core.diff import difference
from ..core.model import Checked, LookupUse, Manifest, PartitionKey, Rejected, Response, Run
from ..core.reconcile import CurrentState, is_followed, is_mysql_ahead, is_source_change
from ..core.schema import LAUNCH_CHANGES, LAUNCHES
from ..core.source import Source
from ..core.validate import in_words, validate
from ..errors import GateRefused, some
from ..telemetry.stages import Telemetry
from .adapters import Adapters
from .comparison import InDoubt, compare
from .history import carry_history, changes_of, launch_changes
from .published import Published
from .quarantine import RejectsFile, check_count, write_lines
from .retention import retain
from .spill import Spill
from .unchanged import carry_unchanged, newest_of, newest_over

MAX_YEARS = 1000  # each has up to five objects, to be put one by one
MAX_REFERENCES = 1_000_000  # kept in memory; 200,000 launches name some 600,000
MAX_ROW_MIB = 1024  # on disk, where a few bytes that name a lookup record become rows of a hundred kilobytes
_MAX_ODD = 1000  # different unknown fields, or notes
References = Counter[tuple[str, str, bool]]
"""How often launches refer to a kind of lookup by an id, and whether it is known."""

_NO_REFERENCES: References = Counter()
_NO_USE: Mapping[str, LookupUse] = {}
_NAMED = 5  # rejects that are warned of one by one


@dataclass
class Candidate:
    """What both stores are to hold: first what was received, then what is carried over too."""

    spill: Spill
    accepted: int = 0
    accepted_ids: set[str] = field(default_factory=set)  # kept only where launches were rejected: retention wants them
    rejected: list[Rejected] = field(default_factory=list)
    lookups: dict[str, LookupUse] = field(default_factory=dict)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    retained: set[str] = field(default_factory=set)
    newest_launch_utc: datetime | None = None
    lost: frozenset[PartitionKey] = frozenset()  # partitions that are left as they are, what they should hold is lost
    quarantine: Path | None = None  # a packed file with a line for each reject
    changes: "Changes | None" = None  # set where only launches that may have changed were validated

    @property
    def rejected_launches(self) -> list[Rejected]:
        """The rejects that are launches; the others are lookup records."""
        return [r for r in self.rejected if r.endpoint == "launches"]

    @property
    def gone(self) -> frozenset[str]:
        """The launches whose published rows are not carried over."""
        return self.changes.launches - self.retained if self.changes else frozenset()


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
    references: References = field(default_factory=Counter)
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
        self.newest_launch_utc = _later(self.newest_launch_utc, newest_of(checked.tables["launches"], as_of))
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
            unknown_fields=self.unknown_fields,
            notes=self.notes,
            newest_launch_utc=self.newest_launch_utc,
            quarantine=quarantine if self.rejected else None,
        )


@dataclass(frozen=True)
class Changes:
    """What the launches that may have changed were before: the ids of those that had rows, and which partitions held them."""

    launches: frozenset[str]
    partitions: frozenset[PartitionKey]


def received(
    run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path, manifest: Manifest | None = None
) -> Candidate:
    """Validate and transform the launches; of the stores nothing is asked but the raw archive. Raises PipelineError.

    With the manifest of what is published, only those that may have changed since; where that is in doubt, all of them.
    """
    telemetry = adapters.telemetry
    with telemetry.stage("validate") as counts:
        candidate = _changed(run, adapters, responses, spool, manifest) if manifest else None
        counts["validated"] = "changed" if candidate else "all"
        if candidate is None:
            candidate = _everything(run, adapters, responses, spool)
        telemetry.warn_if(sorted(candidate.unknown_fields), "fields that the contract does not know")
        for note, times in sorted(candidate.notes.items()):
            telemetry.warn(f"{note} ({times} launches)")
        counts.update(accepted=candidate.accepted, rejected=len(candidate.rejected_launches))
    _warn_of_rejects(candidate, telemetry)
    return candidate


def _everything(run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path) -> Candidate:
    source, progress = adapters.source, adapters.telemetry.progress
    found = validated(source, responses, run.as_of, spool / "rows-1", progress=progress)
    if again := found.superseded:  # the last record with an id counts, the earlier ones are passed over in a second reading
        launches = responses["launches"]
        if not (launches.base or launches.archived or launches.watermark):  # changes replace what they come on top of
            adapters.telemetry.warn(f"{len(again)} launches came twice, the last counts: {some(again.values())}")
        is_last = _is_none_of(again)
        found = validated(source, responses, run.as_of, spool / "rows-2", is_wanted=is_last, progress=progress)
    return found.candidate(spool / "quarantine.gz")


def _changed(
    run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path, manifest: Manifest
) -> Candidate | None:
    """The candidate with the rows of launches that may have changed alone, and counts of all; None when that is in doubt.

    What they were before is validated once more, so that counts of all launches follow from those that the manifest has.
    """
    try:
        compared = compare(adapters, manifest, responses, spool)
    except InDoubt as doubt:
        adapters.telemetry.event(f"everything is validated: {doubt}")
        return None
    was, now = (
        validated(adapters.source, answers, run.as_of, spool / folder, is_wanted=places.__contains__)
        for answers, folder, places in (
            (compared.before, "rows-before", compared.places_before),
            (responses, "rows-changed", compared.places),
        )
    )
    candidate = now.candidate(spool / "quarantine.gz")
    candidate.accepted += len(compared.unchanged)
    candidate.lookups = _lookup_use(now.references, was.references, manifest.lookups)
    candidate.unknown_fields = Counter(manifest.unknown_fields) - was.unknown_fields + now.unknown_fields
    candidate.notes = Counter(manifest.notes) - was.notes + now.notes
    candidate.changes = Changes(frozenset(was.accepted), frozenset(was.spill.checksums))
    return candidate


def _is_none_of(places: Container[int]) -> Callable[[int], bool]:
    return lambda place: place not in places


def _warn_of_rejects(candidate: Candidate, telemetry: Telemetry) -> None:
    for reject in candidate.rejected[:_NAMED]:
        telemetry.warn(in_words(reject))
    if len(candidate.rejected) > _NAMED:
        telemetry.warn(f"{len(candidate.rejected)} records rejected in all; each is in quarantine with its reason")
    for kind, use in candidate.lookups.items():
        if use.resolved < use.references:
            telemetry.warn(f"{kind}: {use.resolved} of {use.references} references are known; facts of the others are null")


def carry_over(
    run: Run, adapters: Adapters, candidate: Candidate, current: CurrentState, published: Published, *, trusted: bool
) -> None:
    """Add what the stores have and the source does not send: last good rows of launches that can't be used, and the history.

    Raises PipelineError, and InDoubt where only launches that may have changed were validated and the others can't be taken over.
    """
    telemetry, spill = adapters.telemetry, candidate.spill
    with telemetry.stage("history") as counts:
        gone: pa.Table | None = None
        if changes := candidate.changes:
            rejected = {reject.id for reject in candidate.rejected_launches if reject.id}
            candidate.retained = set(changes.launches & rejected) - candidate.accepted_ids
            spill.close()
            gone = carry_unchanged(adapters, current, published, spill, candidate.gone, changes.partitions)
            candidate.newest_launch_utc = newest_over(spill, run.as_of, candidate.retained)
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
        carry_history(adapters, current, published, spill)
        if is_followed(current, run):
            if gone is None:
                found = changes_of(adapters, current, published, spill, LAUNCHES)
            else:
                found = difference(LAUNCHES, gone, spill.added(LAUNCHES.name))
            news = launch_changes(run, found)
            spill.add(LAUNCH_CHANGES.name, news)
            counts["changes"] = news.num_rows
        spill.close()
        spill.complete()
        counts["retained"] = len(candidate.retained)
    lost = [f"{name} {year}" for name, year in sorted(published.lost)]
    telemetry.warn_if(
        lost, "neither store holds what was published any more; what is left was kept, and their changes are not known"
    )


def validated(
    source: Source,
    responses: Mapping[str, Response],
    as_of: datetime,
    folder: Path,
    *,
    is_wanted: Callable[[int], bool] = lambda _: True,
    progress: Callable[[str], None] = lambda _: None,
) -> Validated:
    """The launches of a source's answers at the places that are wanted, spilled into a new folder. Raises PipelineError."""
    aside, lookups_aside = (RejectsFile(folder.with_name(f"{folder.name}-{name}.gz")) for name in ("aside", "lookups"))
    parser = source.parser(responses, lookups_aside.add)
    found = Validated(Spill(folder), [aside, lookups_aside])
    records = 0
    for batch in source.launches(responses["launches"]):
        records += len(batch)
        for checked in validate(((i, record) for i, record in batch if is_wanted(i)), parser):
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


def _lookup_use(
    now: References, was: References = _NO_REFERENCES, before: Mapping[str, LookupUse] = _NO_USE
) -> dict[str, LookupUse]:
    """How well each kind of lookup serves, when some launches that referred to lookups as they were do so as they do now."""
    times = Counter({(kind, True): use.resolved for kind, use in before.items()})
    times.update({(kind, False): use.references - use.resolved for kind, use in before.items()})
    for (kind, _, known), count in now.items():
        times[kind, known] += count
    for (kind, _, known), count in was.items():
        times[kind, known] -= count
    uses = {kind: LookupUse(references=times[kind, True] + times[kind, False], resolved=times[kind, True]) for kind, _ in times}
    return {kind: use for kind, use in sorted(uses.items()) if use.references}


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((t for t in (one, other) if t is not None), default=None)
