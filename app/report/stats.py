"""The numbers of a report, from the tables as published: counted here, shown elsewhere."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

OUTCOMES = ("success", "partial_failure", "failure", "in_flight", "unknown", "upcoming")
OTHER_ORBITS = "other or unknown"
_ORBITS = 5
_MOST_GAPS = 60  # years; beyond that those without a launch are left out


@dataclass(frozen=True)
class Landings:
    """Boosters that were to land in one year, by how it went."""

    landed: int
    lost: int
    unknown: int

    @property
    def rate(self) -> float | None:
        """Landed, of those whose outcome is known."""
        decided = self.landed + self.lost
        return self.landed / decided if decided else None


@dataclass(frozen=True)
class Masses:
    """What the successful launches of one year brought up: kilograms by orbit, and payloads with and without a known mass."""

    kg: Mapping[str, float]
    known: int
    unknown: int


@dataclass(frozen=True)
class Move:
    """One change of one launch's date that one run found; precisions as the source held them before and after."""

    launch_id: str
    name: str | None
    seen_at: datetime
    old: datetime
    new: datetime
    old_precision: str | None
    new_precision: str | None

    @property
    def by(self) -> timedelta:
        """How far; negative to an earlier date."""
        return self.new - self.old

    @property
    def kind(self) -> str:
        """`later`, `earlier`, or `precision`: another precision moves the placeholder, which is no slip."""
        if self.old_precision != self.new_precision:
            return "precision"
        return "later" if self.new > self.old else "earlier"


@dataclass(frozen=True)
class Nulls:
    """One column's nulls; `untold` when the source never fills it."""

    column: str
    nulls: int
    untold: bool


def years(found: Mapping[int, Any]) -> list[int]:
    """From the first to the last year, those without anything too."""
    if not found:
        return []
    first, last = min(found), max(found)
    return list(range(first, last + 1)) if last - first <= _MOST_GAPS else sorted(found)


def launches_by_year(launches: pa.Table) -> dict[int, Counter[str]]:
    """Launches of each year by status."""
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for year, status in _rows(launches, "launch_year", "status"):
        found[year][status if status in OUTCOMES else "unknown"] += 1
    return found


def landings_by_year(launches: pa.Table, cores: pa.Table) -> dict[int, Landings]:
    """Landings tried in each year; launches that are still to come are left out."""
    coming = {i for i, status in _rows(launches, "launch_id", "status") if status in ("upcoming", "in_flight")}
    found: dict[int, Counter[bool | None]] = defaultdict(Counter)
    for launch, year, tried, landed in _rows(cores, "launch_id", "launch_year", "landing_attempt", "landing_success"):
        if tried and launch not in coming:
            found[year][landed] += 1
    return {year: Landings(counts[True], counts[False], counts[None]) for year, counts in found.items()}


def masses_by_year(launches: pa.Table, payloads: pa.Table) -> tuple[list[str], dict[int, Masses]]:
    """The orbits that took most mass, and what each year's successful launches brought there."""
    up = {i for i, status in _rows(launches, "launch_id", "status") if status == "success"}
    rows = [row[1:] for row in _rows(payloads, "launch_id", "launch_year", "orbit", "mass_kg") if row[0] in up]
    by_orbit: dict[str, float] = defaultdict(float)
    for _, orbit, mass in rows:
        if orbit:
            by_orbit[orbit] += mass or 0
    named = sorted((orbit for orbit in by_orbit if by_orbit[orbit]), key=lambda orbit: -by_orbit[orbit])[:_ORBITS]
    kg: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    known: dict[int, Counter[bool]] = defaultdict(Counter)
    for year, orbit, mass in rows:
        known[year][mass is not None] += 1
        kg[year][orbit if orbit in named else OTHER_ORBITS] += mass or 0
    if any(masses.get(OTHER_ORBITS) for masses in kg.values()):
        named.append(OTHER_ORBITS)
    return named, {year: Masses(kg[year], counts[True], counts[False]) for year, counts in known.items()}


def moves(launches: pa.Table, changes: pa.Table) -> list[Move]:
    """Every change of a launch's date, newest first."""
    now = {i: (name, precision) for i, name, precision in _rows(launches, "launch_id", "name", "date_precision")}
    history = sorted(_rows(changes, "changed_at", "launch_id", "column", "old", "new"), key=lambda row: row[:2])
    precisions: dict[str, list[tuple[datetime, str | None]]] = defaultdict(list)
    for at, launch, column, old, _ in history:
        if column == "date_precision":
            precisions[launch].append((at, old))

    def precision(launch: str, at: datetime, *, after: bool) -> str | None:
        """What held until the next change of it, or holds to this day."""
        later = (old for changed, old in precisions[launch] if changed > at or (changed == at and not after))
        return next(later, now.get(launch, (None, None))[1])

    found = []
    for at, launch, column, old, new in history:
        if column == "date_utc" and old and new:
            name = now.get(launch, (None, None))[0]
            before, after = precision(launch, at, after=False), precision(launch, at, after=True)
            found.append(Move(launch, name, at, _time(old), _time(new), before, after))
    return found[::-1]


def nulls(rows: pa.Table, never_filled: Collection[str]) -> list[Nulls]:
    """The columns of a table that have nulls, those with most first."""
    found = [Nulls(column, rows[column].null_count, column in never_filled) for column in rows.column_names]
    return sorted((one for one in found if one.nulls), key=lambda one: (one.untold, -one.nulls, one.column))


def newest(launches: pa.Table, at: datetime | None) -> str | None:
    """The name of the launch of that time."""
    return next((name for name, date in _rows(launches, "name", "date_utc") if date == at), None)


def months(first: datetime, last: datetime) -> list[tuple[int, int]]:
    """Year and month from the first to the last, and so many before that they are a year at least."""
    end = 12 * last.year + last.month
    start = min(12 * first.year + first.month - 1, end - 12)
    return [(number // 12, number % 12 + 1) for number in range(start, end)]


def _rows(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[column].to_pylist() for column in columns), strict=True)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
