"""From the answers of a source to the snapshot that both stores are to hold: what came, and what is carried over."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ..core.diff import difference
from ..core.model import LookupUse, Manifest, PartitionKey, Rejected, Response, Run
from ..core.reconcile import CurrentState, is_followed, is_mysql_ahead, is_source_change
from ..core.schema import LAUNCH_CHANGES, LAUNCHES
from ..core.spans import retained_ids
from ..core.validate import in_batches, in_words
from ..errors import some
from ..telemetry.stages import Telemetry
from .adapters import Adapters
from .comparison import InDoubt, compare
from .history import carry_history, changes_of, launch_changes
from .published import Published
from .quarantine import write_lines
from .retention import retain
from .spill import Spill
from .unchanged import carry_unchanged, newest_over
from .validated import MAX_ODD, MAX_YEARS, Validated, last_of_each, lookup_use, some_counts, validated

if TYPE_CHECKING:
    from .backfill import Backfill

_NAMED = 5  # rejects that are warned of one by one
_CHANGED_AT_ONCE = 200


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

    @classmethod
    def of(cls, found: Validated, quarantine: Path) -> "Candidate":
        """The candidate of what was validated, its rejects written into a file."""
        if found.rejected:
            write_lines(found.rejected, found.asides, quarantine)
        return cls(
            found.spill,
            accepted=len(found.accepted),
            accepted_ids=found.accepted if found.rejected else set(),
            rejected=found.rejected,
            lookups=lookup_use(found.references),
            unknown_fields=found.unknown_fields,
            notes=found.notes,
            newest_launch_utc=found.newest_launch_utc,
            quarantine=quarantine if found.rejected else None,
        )

    @property
    def rejected_launches(self) -> list[Rejected]:
        """The rejects that are launches; the others are lookup records."""
        return [r for r in self.rejected if r.endpoint == "launches"]

    @property
    def gone(self) -> frozenset[str]:
        """The launches whose published rows are not carried over."""
        return self.changes.launches - self.retained if self.changes else frozenset()


@dataclass(frozen=True)
class Changes:
    """What the launches that may have changed were before: the ids of those that had rows, and which partitions are not the same.

    Of the others nothing is taken out, whosever rows they hold.
    """

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
        candidate = None
        if manifest:
            try:
                candidate = _changed(run, adapters, responses, spool, manifest)
            except InDoubt as doubt:
                telemetry.event(f"everything is validated: {doubt}")
        counts["validated"] = "changed" if candidate else "all"
        if candidate is None:
            candidate = _everything(run, adapters, responses, spool)
        if candidate.unknown_fields:
            telemetry.warn_once(f"fields that the contract does not know: {', '.join(sorted(candidate.unknown_fields))}")
        for note, times in sorted(candidate.notes.items()):
            telemetry.warn_once(f"{note} ({times} launches)")
        counts.update(accepted=candidate.accepted, rejected=len(candidate.rejected_launches))
    _warn_of_gaps(candidate, telemetry)
    return candidate


def _everything(run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path) -> Candidate:
    telemetry, launches = adapters.telemetry, responses["launches"]
    found, again = last_of_each(adapters.source, responses, run.as_of, spool, progress=telemetry.progress)
    if again and not (launches.base or launches.archived or launches.watermark):  # changes replace what they come on top of
        telemetry.warn(f"{len(again)} launches came twice, the last counts: {some(again.values())}")
    return Candidate.of(found, spool / "quarantine.gz")


def _changed(run: Run, adapters: Adapters, responses: Mapping[str, Response], spool: Path, manifest: Manifest) -> Candidate:
    """The candidate with the rows of launches that may have changed alone, and counts of all. Raises InDoubt.

    What they were before is validated once more, so that counts of all launches follow from those that the manifest has.
    """
    _check_all_are_counted(manifest.unknown_fields, manifest.notes)
    compared = compare(adapters, manifest, responses, spool)
    was, now = (
        validated(adapters.source, answers, in_batches(records, _CHANGED_AT_ONCE), run.as_of, spool / folder)
        for answers, records, folder in (
            (compared.before, compared.was, "rows-before"),
            (responses, compared.now, "rows-changed"),
        )
    )
    if not all(reject.id for reject in now.rejected if reject.endpoint == LAUNCHES.name):
        raise InDoubt("the id of a record can't be read")
    candidate = Candidate.of(now, spool / "quarantine.gz")
    candidate.accepted += compared.unchanged
    candidate.lookups = lookup_use(now.references, was.references, manifest.lookups)
    candidate.unknown_fields = some_counts(Counter(manifest.unknown_fields) - was.unknown_fields, now.unknown_fields)
    candidate.notes = some_counts(Counter(manifest.notes) - was.notes, now.notes)
    _check_all_are_counted(candidate.unknown_fields, candidate.notes)
    same = _same_rows(was.spill, now.spill) & manifest.by_partition().keys()
    now.spill.drop(same)
    candidate.changes = Changes(frozenset(was.accepted), frozenset(was.spill.checksums.keys() - same))
    return candidate


def _check_all_are_counted(*counts: Mapping[str, int]) -> None:
    """Where some go, others would have to be counted that were passed over."""
    if any(len(odd) >= MAX_ODD for odd in counts):
        raise InDoubt(f"{MAX_ODD} different fields or values are odd, and of more not all are counted")


def _same_rows(was: Spill, now: Spill) -> set[PartitionKey]:
    """Where the launches that may have changed have the rows that they had: mostly all but those of the launches themselves."""
    return {key for key, checksum in was.checksums.items() if key[0] != LAUNCHES.name and now.checksums.get(key) == checksum}


def _warn_of_gaps(candidate: Candidate, telemetry: Telemetry) -> None:
    for reject in candidate.rejected[:_NAMED]:
        telemetry.warn_once(in_words(reject))
    if len(candidate.rejected) > _NAMED:
        telemetry.warn_once(f"{len(candidate.rejected)} records rejected in all; each is in quarantine with its reason")
    for kind, use in candidate.lookups.items():
        if use.resolved < use.references:
            telemetry.warn_once(f"{kind}: {use.resolved} of {use.references} references are known; facts of the others are null")


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

    With a backfill they are those of all its answers. Raises PipelineError, and InDoubt where only launches that may have changed
    were validated and the others can't be taken over.
    """
    telemetry, spill = adapters.telemetry, candidate.spill
    with telemetry.stage("history") as counts:
        news = LAUNCH_CHANGES.arrow.empty_table()
        gone: pa.Table | None = None
        if candidate.changes:
            spill.close()
            gone = _carry_unchanged(run, adapters, candidate, candidate.changes, current)
        elif backfill:
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
            found = (
                difference(LAUNCHES, gone, spill.added(LAUNCHES.name))
                if gone is not None
                else changes_of(adapters, current, published, spill, LAUNCHES)
            )
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


def _carry_unchanged(run: Run, adapters: Adapters, candidate: Candidate, changes: Changes, current: CurrentState) -> pa.Table:
    """Carry over the rows of launches that did not change; the rows of `launches` that are not."""
    rejected = {reject.id for reject in candidate.rejected_launches if reject.id}
    candidate.retained = retained_ids(changes.launches, candidate.accepted_ids, rejected, all_ids_known=True)
    gone = carry_unchanged(adapters, current, candidate.spill, candidate.gone, changes.partitions)
    if len({year for _, year in candidate.spill.checksums}) > MAX_YEARS:
        raise InDoubt(f"the launches have over {MAX_YEARS} launch years")
    candidate.newest_launch_utc = newest_over(candidate.spill, run.as_of, candidate.retained)
    return gone
