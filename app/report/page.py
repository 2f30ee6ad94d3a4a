"""The report: one HTML page that needs nothing beside it, from one published snapshot and the last runs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from statistics import median
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa

from ..core.model import Manifest, RunState
from . import charts
from . import stats as figures
from .format import age, date, minute, percent, span
from .html import Child, details, document, mark, section, table, tag, unbroken
from .stats import Move

_MOVES_SHOWN = 20
_KG_PER_T = 1000
_COARSE = ("half", "quarter", "year", "month")
_VERDICTS = {state: "good" for state in RunState if state.is_good} | {RunState.FAILED: "bad"}
_OUTCOMES = {
    "success": ("success", "--good"),
    "partial_failure": ("partial failure", "--warn"),
    "failure": ("failure", "--bad"),
    "in_flight": ("in flight", "--c4"),
    "unknown": ("no outcome known", "--dim"),
    "upcoming": ("upcoming", "--faint"),
}
_ORBITS = ("--c1", "--c2", "--c3", "--c4", "--c5", "--dim")
_MOVES = {
    "later": ("later", "--warn"),
    "earlier": ("earlier", "--c1"),
    "precision": ("precision changed", "--faint"),
}


def report(
    manifest: Manifest,
    tables: Mapping[str, pa.Table],
    runs: Sequence[Mapping[str, Any]],
    now: datetime,
    stale_days: int,
    never_filled: Mapping[str, Collection[str]],
) -> str:
    """The page; `runs` are newest first, as `pipeline_runs` has them."""
    launches = tables["launches"]
    newest = manifest.newest_launch_utc
    since = now - newest if newest else None
    is_stale = since is None or since > timedelta(days=stale_days)
    body = [
        tag(
            "header",
            tag("h1", "SpaceX launches"),
            tag(
                "p",
                f"Source {manifest.source}, as of {minute(manifest.as_of)} UTC; published by run {manifest.run_id}. ",
                f"This page was made {minute(now)} UTC.",
                class_="dim",
            ),
            _tiles(manifest, tables, since, is_stale=is_stale),
        ),
        tag(
            "main",
            _outcomes(launches),
            _landings(launches, tables["launch_cores"]),
            _moves(launches, tables["launch_changes"], manifest.as_of),
            _masses(launches, tables["launch_payloads"]),
            _quality(manifest, tables, since, stale_days, never_filled, is_stale=is_stale),
            _runs(runs),
        ),
    ]
    return document("SpaceX launches", files(__package__).joinpath("report.css").read_text(encoding="utf-8"), body)


def _tiles(manifest: Manifest, tables: Mapping[str, pa.Table], since: timedelta | None, *, is_stale: bool) -> ET.Element:
    by_year = figures.launches_by_year(tables["launches"]).values()
    total = {status: sum(counts[status] for counts in by_year) for status in figures.OUTCOMES}
    decided = total["success"] + total["partial_failure"] + total["failure"]
    landings = figures.landings_by_year(tables["launches"], tables["launch_cores"]).values()
    landed, tried = sum(one.landed for one in landings), sum(one.landed + one.lost for one in landings)
    _, masses = figures.masses_by_year(tables["launches"], tables["launch_payloads"])
    tonnes = sum(sum(one.kg.values()) for one in masses.values()) / _KG_PER_T
    launched = sum(total.values()) - total["upcoming"]
    name = figures.newest(tables["launches"], manifest.newest_launch_utc)
    return tag(
        "dl",
        _tile("Launched", f"{launched:,}", f"and {total['upcoming']:,} to come"),
        _tile("Successful", percent(total["success"], decided), f"{total['success']:,} of {decided:,} with an outcome"),
        _tile("Boosters landed", percent(landed, tried), f"{landed:,} of {tried:,} tried"),
        _tile("Mass to orbit", f"{tonnes:,.0f} t", "payloads whose mass is known"),
        _tile("Since the newest launch", age(since), name or "", "bad" if is_stale else None),
        class_="tiles",
    )


def _tile(name: str, value: str, note: str, state: str | None = None) -> ET.Element:
    return tag("div", tag("dt", name), tag("dd", value, class_=state), tag("dd", note, class_="dim"))


# --- charts -----------------------------------------------------------------------------------------------------------


def _outcomes(launches: pa.Table) -> ET.Element:
    by_year = figures.launches_by_year(launches)
    years = figures.years(by_year)
    seen = [status for status in figures.OUTCOMES if any(counts[status] for counts in by_year.values())]
    series = {_OUTCOMES[status][0]: [by_year[y][status] if y in by_year else 0 for y in years] for status in seen}
    return section(
        "Launches per year",
        "Every launch that the source lists, by outcome. Years are those of the launch date in UTC.",
        _chart([str(y) for y in years], series, [_OUTCOMES[status][1] for status in seen]),
        _numbers("launches-per-year", "year", [str(y) for y in years], series),
        empty=not years,
    )


def _landings(launches: pa.Table, cores: pa.Table) -> ET.Element:
    by_year = figures.landings_by_year(launches, cores)
    years = [y for y in figures.years(by_year) if y in by_year]
    found = [by_year[y] for y in years]
    rates = [None if one.rate is None else 100 * one.rate for one in found]
    tips = [f"{percent(one.landed, one.landed + one.lost)}, {one.landed} of {one.landed + one.lost}" for one in found]
    rows = (
        (str(y), f"{one.landed:,}", f"{one.lost:,}", f"{one.unknown:,}", percent(one.landed, one.landed + one.lost))
        for y, one in zip(years, found, strict=True)
    )
    return section(
        "Landing success",
        "Boosters that landed, of those that were to land and whose outcome is known.",
        _figure(charts.line([str(y) for y in years], "landed", rates, tips), {"landed": "--good"}, legend=False),
        details(table("landings-per-year", ("year", "landed", "lost", "not known", "landed of known"), rows)),
        empty=not years,
    )


def _masses(launches: pa.Table, payloads: pa.Table) -> ET.Element:
    orbits, by_year = figures.masses_by_year(launches, payloads)
    years = figures.years(by_year)
    series = {o: [by_year[y].kg.get(o, 0) / _KG_PER_T if y in by_year else 0 for y in years] for o in orbits}
    rows = (
        (
            str(y),
            *(f"{tonnes[place]:,.1f}" if tonnes[place] else "0" for tonnes in series.values()),
            f"{sum(tonnes[place] for tonnes in series.values()):,.1f}",
            f"{by_year[y].unknown:,}" if y in by_year else "0",
        )
        for place, y in enumerate(years)
    )
    known, unknown = sum(one.known for one in by_year.values()), sum(one.unknown for one in by_year.values())
    return section(
        "Payload mass to orbit",
        f"Tonnes that successful launches carried, by orbit. The mass of {known:,} payloads is known, of {unknown:,} it is not: "
        "the sums are the least that it was.",
        _chart([str(y) for y in years], series, _ORBITS, "{:,.1f} t".format),
        details(table("mass-per-year", ("year", *series, "all, t", "payloads without mass"), rows)),
        empty=not orbits,
    )


def _moves(launches: pa.Table, changes: pa.Table, as_of: datetime) -> ET.Element:
    moves = figures.moves(launches, changes)
    if not moves:
        text = "No launch date has moved since this pipeline first published."
        return section("Slip history", text)
    months = figures.months(moves[-1].seen_at, as_of)
    labels = [f"{year}-{month:02}" for year, month in months]
    series = {}
    for kind, (name, _) in _MOVES.items():
        seen = [(move.seen_at.year, move.seen_at.month) for move in moves if move.kind == kind]
        series[name] = [seen.count(month) for month in months]
    slips = [move.by.total_seconds() for move in moves if move.kind == "later"]
    launches_moved = len({move.launch_id for move in moves})
    typical = f" A slip to a later date is {span(timedelta(seconds=median(slips)))} in the median." if slips else ""
    return section(
        "Slip history",
        f"{len(moves):,} changes of the dates of {launches_moved:,} launches, in the month in which a run found them.{typical}",
        _chart(labels, series, [color for _, color in _MOVES.values()]),
        _numbers("slips-per-month", "month found", labels, series),
        tag("h3", f"The last {min(len(moves), _MOVES_SHOWN)} changes"),
        table("slips", ("launch", "found", "before", "after", "moved"), map(_move, moves[:_MOVES_SHOWN]), texts=4),
    )


def _move(move: Move) -> tuple[Child, ...]:
    before, after = date(move.old, move.old_precision), date(move.new, move.new_precision)
    about = "about " if move.new_precision in _COARSE else ""
    moved: Child = tag("span", "precision", class_="dim") if move.kind == "precision" else about + span(move.by, sign=True)
    return move.name or move.launch_id, unbroken(f"{move.seen_at:%Y-%m-%d}"), unbroken(before), unbroken(after), moved


# --- quality and runs -------------------------------------------------------------------------------------------------


def _quality(
    manifest: Manifest,
    tables: Mapping[str, pa.Table],
    since: timedelta | None,
    stale_days: int,
    never_filled: Mapping[str, Collection[str]],
    *,
    is_stale: bool,
) -> ET.Element:
    newest = f"{minute(manifest.newest_launch_utc)} UTC" if manifest.newest_launch_utc else "none"
    freshness = f"{age(since)} old, {'more' if is_stale else 'not more'} than {stale_days} days"
    facts: list[tuple[Child, ...]] = [
        (
            "Newest past launch",
            unbroken(newest),
            mark("stale" if is_stale else "fresh", "bad" if is_stale else "good"),
            freshness,
        ),
        (
            "Rejected launches",
            f"{manifest.rejected:,}",
            _none(manifest.rejected),
            "set aside with their reasons in quarantine/",
        ),
        (
            "Kept with old rows",
            f"{len(manifest.retained_ids):,}",
            _none(len(manifest.retained_ids)),
            "rejected now, good before",
        ),
    ]
    facts += [
        (
            f"References to {name}",
            f"{use.resolved:,} of {use.references:,}",
            _verdict(use.references - use.resolved),
            f"{use.known_ids:,} of {use.ids:,} ids are known",
        )
        for name, use in manifest.lookups.items()
    ]
    return section(
        "Data quality",
        "What the published snapshot lacks. A null is what the source did not say.",
        table("quality", ("measure", "found", "verdict", "note"), facts, texts=4),
        tag("h3", "Nulls by column"),
        *(_nulls(name, rows, never_filled.get(name, ())) for name, rows in tables.items()),
    )


def _nulls(name: str, rows: pa.Table, never_filled: Collection[str]) -> ET.Element:
    found = figures.nulls(rows, never_filled)
    count, columns = rows.num_rows, rows.num_columns
    summary = f"{count:,} rows; {columns - len(found)} of {columns} columns have no nulls"
    if not count:
        summary = "no rows"
    if not count or not found:
        return tag("p", tag("code", name), f" {summary}", class_="plain")
    shown = (
        (
            tag("code", one.column),
            "never filled by this source"
            if one.untold
            else tag("div", class_="share", style=f"width:{100 * one.nulls / count:.1f}%"),
            f"{one.nulls:,}",
            percent(one.nulls, count),
        )
        for one in found
    )
    return tag(
        "details",
        tag("summary", tag("code", name), f" {summary}"),
        table(f"nulls-{name}", ("column", "share", "nulls", "of rows"), shown, texts=2),
    )


def _runs(runs: Sequence[Mapping[str, Any]]) -> ET.Element:
    return section(
        "Last runs",
        "Newest first.",
        table(
            "runs", ("run", "state", "began, UTC", "seconds", "launches", "rows written", "rejected"), map(_run, runs), texts=3
        ),
        empty=not runs,
    )


def _run(run: Mapping[str, Any]) -> tuple[Child, ...]:
    rows = run["rows_by_table"]
    written = sum(n or 0 for counts in rows.values() for action, n in counts.items() if action != "total")
    launches = rows.get("launches", {}).get("total")
    took = run["finished_at"] - run["started_at"] if run["finished_at"] else None
    error = tag("div", run["error"], class_="error") if run["error"] else None
    return (
        tag("span", tag("code", run["run_id"]), error),
        mark(run["state"], _VERDICTS.get(run["state"], "warn")),
        unbroken(minute(run["started_at"])),
        f"{took.total_seconds():.1f}" if took else "",
        "" if launches is None else f"{launches:,}",
        f"{written:,}",
        f"{run['rejected'] or 0:,}",
    )


# --- pieces -----------------------------------------------------------------------------------------------------------


def _chart(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    colors: Sequence[str],
    told: Callable[[float], str] = "{:,.0f}".format,
) -> ET.Element | None:
    if not labels or not series:
        return None
    shown = dict(zip(series, colors, strict=False))
    return _figure(charts.stacked_bars(labels, series, told), shown, legend=True)


def _figure(chart: ET.Element, colors: Mapping[str, str], *, legend: bool) -> ET.Element:
    style = ";".join(f"--s{number}:var({color})" for number, color in enumerate(colors.values()))
    keys = (tag("li", tag("i", style=f"background:var({color})"), name) for name, color in colors.items())
    return tag("figure", tag("ul", keys, class_="legend") if legend else None, tag("div", chart, class_="scroll"), style=style)


def _numbers(id_: str, first: str, labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> ET.Element:
    rows = (
        (label, *(f"{values[place]:,}" for values in series.values()), f"{sum(values[place] for values in series.values()):,}")
        for place, label in enumerate(labels)
        if any(values[place] for values in series.values())
    )
    return details(table(id_, (first, *series, "all"), rows))


def _verdict(missing: int) -> ET.Element:
    return mark("gaps", "warn") if missing else mark("complete", "good")


def _none(count: int) -> ET.Element:
    return mark("some", "warn") if count else mark("none", "good")
