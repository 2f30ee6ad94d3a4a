"""The sections of the page: charts and tables of launches, computed by `stats`, ready for the template."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd

from ..core.runs import PastRun
from . import charts, stats
from .format import percent

_SHOWN = 20
_FEW = 10
_KG_PER_T = 1000
_OUTCOMES = {
    "success": ("success", "--good"),
    "partial_failure": ("partial failure", "--warn"),
    "failure": ("failure", "--bad"),
    "in_flight": ("in flight", "--c4"),
    "unknown": ("no outcome known", "--dim"),
    "upcoming": ("upcoming", "--faint"),
}
_KINDS = {"success": "good", "partial_failure": "warn", "failure": "bad"}
_ORBITS = ("--c1", "--c2", "--c3", "--c4", "--c5", "--dim")
_MOVES = {"later": ("later", "--warn"), "earlier": ("earlier", "--c1"), "precision": ("precision changed", "--faint")}
# How long what a precision names lasts: a date is overdue when all of it has passed.
_LASTS = {"year": 366, "half": 184, "quarter": 92, "month": 31, "week": 7, "day": 1}

Figure = dict[str, Any]


class Order(NamedTuple):
    """Rows of a table in one order: its name, and the heading of the column that it goes by."""

    name: str
    heading: str
    rows: Sequence[Any]
    is_descending: bool


def next_by(orders: Sequence[Order], place: int, heading: str) -> int | None:
    """Which order a click on a heading leads to, counted from 1: the next one by it after the one at `place`."""
    places = [number for number, order in enumerate(orders) if order.heading == heading]
    return next((number for number in places if number > place), places[0]) + 1 if places else None


def outcomes(launches: pd.DataFrame) -> Figure:
    """Launches per year by outcome."""
    found = stats.launches_by_year(launches)
    shown = found.rename(columns={name: words for name, (words, _) in _OUTCOMES.items()})
    return _bars(("year", "all"), shown, _colors(found, _OUTCOMES))


def landings(launches: pd.DataFrame, cores: pd.DataFrame) -> Figure:
    """Landings per year, and the share of those known that went well."""
    found = stats.landings_by_year(launches, cores)
    rows = stats.records(found.assign(label=found.index.astype(str), known=found["landed"] + found["lost"]))
    if not rows:
        return {"chart": None, "colors": {}, "orders": []}
    rates = [100 * row["landed"] / row["known"] if row["known"] else None for row in rows]
    rows = [row | {"rate": rate} for row, rate in zip(rows, rates, strict=True)]
    tips = [f"{percent(row['landed'], row['known'])}, {row['landed']} of {row['known']}" for row in rows]
    last, landed, known = rows[-1], int(found["landed"].sum()), sum(row["known"] for row in rows)
    return {
        "chart": charts.line([row["label"] for row in rows], "landed", rates, tips),
        "colors": {"landed": "--good"},
        "orders": _by_label(rows, "rate", ("year", "landed of known")),
        "words": f"{landed:,} of {known:,} in all; {last['label']}: {last['landed']:,} of {last['known']:,}.",
    }


def masses(launches: pd.DataFrame, payloads: pd.DataFrame) -> Figure:
    """Tonnes per year by orbit, with the payloads whose mass is not known."""
    kg, counts = stats.masses_by_year(launches, payloads)
    tonnes = kg / _KG_PER_T
    figure = _bars(("year", "all, t"), tonnes, dict(zip(map(str, tonnes), _ORBITS, strict=False)), "{:,.1f} t".format)
    without = {str(year): int(count) for year, count in counts["unknown"].items()}
    return figure | {"without": without, "known": int(counts["known"].sum()), "unknown": int(counts["unknown"].sum())}


def moves(launches: pd.DataFrame, changes: pd.DataFrame, as_of: datetime) -> Figure:
    """Changes of launch dates by month, and the last ones."""
    found = stats.moves(launches, changes)
    if found.empty:
        return {"count": 0}
    by_month = stats.moves_by_month(found, as_of)
    later = found.loc[found["kind"] == "later", "by"]
    shown = by_month.rename(columns={kind: words for kind, (words, _) in _MOVES.items()})
    return {
        **_bars(("month found", "all"), shown, _colors(by_month, _MOVES)),
        "count": len(found),
        "launches": found["launch_id"].nunique(),
        "typical": None if later.empty else later.median(),
        "last": _orders(found.head(_SHOWN), {"found": ["-changed_at"], "launch": ["name"], "moved": ["-by"]}),
    }


def coming(launches: pd.DataFrame, as_of: datetime) -> list[Order]:
    """The next launches, each with whether its date has passed."""
    found = stats.next_launches(launches, _SHOWN)
    rows = stats.records(found)
    overdue = [row["date_utc"] < as_of - timedelta(days=_LASTS.get(row["date_precision"], 0)) for row in rows]
    by = {
        "date, UTC": ["date_utc"],
        "launch": ["name"],
        "rocket": ["rocket_name", "date_utc"],
        "pad": ["launchpad_name", "date_utc"],
    }
    return _orders(found.assign(is_overdue=overdue), by)


def last(launches: pd.DataFrame) -> list[Order]:
    """The last launches with their outcomes."""
    found = stats.last_launches(launches, _FEW)
    status = found["status"].astype(object)
    shown = status.where(status.isin(list(_OUTCOMES)), "unknown").map({name: words for name, (words, _) in _OUTCOMES.items()})
    found = found.assign(outcome=shown.astype(object), kind=status.map(_KINDS).astype(object).fillna(""))
    by = {"date, UTC": ["-date_utc"], "launch": ["name"], "outcome": ["outcome", "-date_utc"]}
    by |= {"rocket": ["rocket_name", "-date_utc"], "pad": ["launchpad_name", "-date_utc"]}
    return _orders(found, by)


def boosters(launches: pd.DataFrame, cores: pd.DataFrame) -> list[Order]:
    """The first boosters in each order: those that flew most, that were quickest, and so on."""
    found = stats.boosters(launches, cores)
    found = found.assign(name=found["serial"].fillna(found["core_id"]))
    by = {"flights": ["-flights", "-last_flight"], "landed": ["-landed", "-last_flight"], "last flight": ["-last_flight"]}
    by |= {"shortest turn-around": ["shortest"], "median turn-around": ["typical"]}
    return _orders(found, by | {"booster": ["name"]})


def customers(launches: pd.DataFrame, payloads: pd.DataFrame) -> list[Order]:
    """The first customers in each order: those with most launches, with most mass, and so on."""
    found = stats.customers(launches, payloads)
    by = {"launches": ["-launches", "-payloads"], "payloads": ["-payloads", "-launches"]}
    return _orders(found, by | {"known mass": ["-kg"], "customer": ["customer"]})


def failures(launches: pd.DataFrame, failed: pd.DataFrame) -> list[Order]:
    """The first failures in each order: the newest, the earliest in flight, and so on."""
    by = {"date, UTC": ["-date_utc"], "launch": ["name"], "after, s": ["time_s"], "altitude, km": ["altitude_km"]}
    return _orders(stats.failures(launches, failed), by)


def runs(found: Sequence[PastRun]) -> list[Order]:
    """The last runs, the newest first, or the longest, or those that wrote most."""
    last_ones = list(found[:_SHOWN])
    if not last_ones:
        return []
    longest = sorted(last_ones, key=lambda run: -(run.seconds or 0))
    largest = sorted(last_ones, key=lambda run: -run.rows_written)
    return [
        Order("newest", "began, UTC", last_ones, is_descending=True),
        Order("longest", "seconds", longest, is_descending=True),
        Order("most rows", "rows written", largest, is_descending=True),
    ]


def _orders(found: pd.DataFrame, by: Mapping[str, Sequence[str]]) -> list[Order]:
    """The first rows in each order, by the heading that it is found under; none without rows. A minus means descending."""
    if found.empty:
        return []
    orders = []
    for heading, columns in by.items():
        names = [name.removeprefix("-") for name in columns]
        rows = found.sort_values(names, ascending=[name in columns for name in names], kind="stable").head(_SHOWN)
        name = heading.partition(",")[0]
        orders.append(Order(name, heading, stats.records(rows), is_descending=columns[0].startswith("-")))
    return orders


def _bars(
    headings: tuple[str, str], found: pd.DataFrame, colors: Mapping[str, str], show: Callable[[float], str] = "{:,.0f}".format
) -> Figure:
    labels = [str(label) for label in found.index]
    series = {str(name): found[name].tolist() for name in found}
    rows = [
        {"label": label, "values": values, "all": sum(values)}
        for label, values in zip(labels, found.to_numpy().tolist(), strict=True)
    ]
    if not rows or not series:
        return {"chart": None, "colors": colors, "orders": []}
    most = max(rows, key=lambda row: row["all"])
    return {
        "chart": charts.stacked_bars(labels, series, show),
        "colors": colors,
        "orders": _by_label(rows, "all", headings),
        "words": f"{show(sum(row['all'] for row in rows))} in all; most in {most['label']}: {show(most['all'])}.",
    }


def _by_label(rows: Sequence[dict[str, Any]], value: str, headings: tuple[str, str]) -> list[Order]:
    """Rows by year or month, or by a value; the headings of both."""
    label, total = headings
    newest = rows[::-1]
    return [
        Order("oldest first", label, rows, is_descending=False),
        Order("newest first", label, newest, is_descending=True),
        Order("most", total, sorted(newest, key=lambda row: -(row[value] or 0)), is_descending=True),
    ]


def _colors(found: pd.DataFrame, named: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return dict(named[str(name)] for name in found)
