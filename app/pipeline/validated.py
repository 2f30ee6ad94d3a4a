"""What a source's answers come to: validated rows, rejects, and counts of what was met."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import Checked, LookupUse, Rejected, Response
from ..core.source import Source
from ..core.validate import validate
from ..errors import GateRefused
from .quarantine import RejectsFile, check_count
from .spill import Spill

MAX_YEARS = 1000  # each has up to five objects, to be put one by one
MAX_REFERENCES = 1_000_000  # kept in memory; 200,000 launches name some 600,000
MAX_ROW_MIB = 1024  # on disk, where a few bytes that name a lookup record become rows of a hundred kilobytes
MAX_ODD = 1000  # different unknown fields, or notes, that are counted

References = Counter[tuple[str, str, bool]]
"""How often launches refer to a kind of lookup by an id, and whether it is known."""

_NO_REFERENCES: References = Counter()
_NO_USE: Mapping[str, LookupUse] = {}


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
        self.unknown_fields = some_counts(self.unknown_fields, checked.unknown_fields)
        self.notes = some_counts(self.notes, checked.notes)
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


def last_of_each(
    source: Source,
    responses: Mapping[str, Response],
    as_of: datetime,
    spool: Path,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Validated, dict[int, str]]:
    """All launches of a source's answers, of each id the last record; and the earlier ones. Raises PipelineError."""
    launches = responses["launches"]
    found = validated(source, responses, source.launches(launches), as_of, spool / "rows-1", progress=progress)
    again = found.superseded
    if again:  # the earlier ones are passed over in a second reading
        last = ([(place, record) for place, record in batch if place not in again] for batch in source.launches(launches))
        found = validated(source, responses, last, as_of, spool / "rows-2", progress=progress)
    return found, again


def validated(
    source: Source,
    responses: Mapping[str, Response],
    launches: Iterable[list[tuple[int, Any]]],
    as_of: datetime,
    folder: Path,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> Validated:
    """Batches of launches of a source's answers, each with its place, spilled into a new folder. Raises PipelineError."""
    aside, lookups_aside = (RejectsFile(folder.with_name(f"{folder.name}-{name}.gz")) for name in ("aside", "lookups"))
    parser = source.parser(responses, lookups_aside.add)
    found = Validated(Spill(folder), [aside, lookups_aside])
    records = 0
    for batch in launches:
        records += len(batch)
        for checked in validate(batch, parser):
            found.take(checked, as_of)
        progress(f"{records} launches")
    found.rejected += lookups_aside.rejects
    for rejects in found.asides:
        rejects.close()
    return found


def lookup_use(
    now: References, was: References = _NO_REFERENCES, before: Mapping[str, LookupUse] = _NO_USE
) -> dict[str, LookupUse]:
    """How well each kind of lookup serves: as before, but for some launches whose references were others than they are now."""
    times = Counter({(kind, True): use.resolved for kind, use in before.items()})
    times.update({(kind, False): use.references - use.resolved for kind, use in before.items()})
    for references, sign in ((now, 1), (was, -1)):
        for (kind, _, known), count in references.items():
            times[kind, known] += sign * count
    uses = {kind: LookupUse(references=times[kind, True] + times[kind, False], resolved=times[kind, True]) for kind, _ in times}
    return {kind: use for kind, use in sorted(uses.items()) if use.references}


def some_counts(counts: Counter[str], more: Counter[str]) -> Counter[str]:
    """Counts of what was odd, and more of them; of too many different things those that come late are passed over."""
    for name, times in more.items():
        if name in counts or len(counts) < MAX_ODD:
            counts[name] += times
    return counts


def newest_of(launches: pa.Table, now: datetime) -> datetime | None:
    """The newest of some launches that is over."""
    over = pc.and_(pc.not_equal(launches["status"], "upcoming"), pc.less_equal(launches["date_utc"], pa.scalar(now)))
    newest: datetime | None = pc.max(launches["date_utc"].filter(over)).as_py()
    return newest


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((t for t in (one, other) if t is not None), default=None)
