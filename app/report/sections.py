"""The sections of the page: charts and tables of launches, computed by `stats`, ready for the template."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

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


def outcomes(launches: pd.DataFrame) -> Figure:
    """Launches per year by outcome."""
    found = stats.launches_by_year(launches)
    return _bars(found.rename(columns={name: shown for name, (shown, _) in _OUTCOMES.items()}), _colors(found, _OUTCOMES))


def landings(launches: pd.DataFrame, cores: pd.DataFrame) -> Figure:
    """Landings per year, and the share of those known that went well."""
    found = stats.landings_by_year(launches, cores)
    rows = stats.records(found.assign(label=found.index.astype(str), known=found["landed"] + found["lost"]))
    rates = [100 * row["landed"] / row["known"] if row["known"] else None for row in rows]
    tips = [f"{percent(row['landed'], row['known'])}, {row['landed']} of {row['known']}" for row in rows]
    chart = charts.line([row["label"] for row in rows], "landed", rates, tips) if rows else None
    return {"chart": chart, "colors": {"landed": "--good"}, "rows": rows}


def masses(launches: pd.DataFrame, payloads: pd.DataFrame) -> Figure:
    """Tonnes per year by orbit, with the payloads whose mass is not known."""
    kg, counts = stats.masses_by_year(launches, payloads)
    tonnes = kg / _KG_PER_T
    figure = _bars(tonnes, dict(zip(map(str, tonnes), _ORBITS, strict=False)), "{:,.1f} t".format)
    without = counts["unknown"].to_dict()
    figure["rows"] = [{**row, "unknown": without[int(row["label"])]} for row in figure["rows"]]
    return figure | {"known": int(counts["known"].sum()), "unknown": int(counts["unknown"].sum())}


def moves(launches: pd.DataFrame, changes: pd.DataFrame, as_of: datetime) -> Figure:
    """Changes of launch dates by month, and the last ones."""
    found = stats.moves(launches, changes)
    if found.empty:
        return {"count": 0}
    by_month = stats.moves_by_month(found, as_of)
    later = found.loc[found["kind"] == "later", "by"]
    return {
        **_bars(by_month.rename(columns={kind: shown for kind, (shown, _) in _MOVES.items()}), _colors(by_month, _MOVES)),
        "count": len(found),
        "launches": found["launch_id"].nunique(),
        "typical": None if later.empty else later.median(),
        "last": stats.records(found.head(_SHOWN)),
    }


def coming(launches: pd.DataFrame, as_of: datetime) -> list[dict[str, Any]]:
    """The next launches, each with whether its date has passed."""
    rows = stats.records(stats.next_launches(launches, _SHOWN))
    return [{**row, "is_overdue": row["date_utc"] < as_of - timedelta(days=_LASTS.get(row["date_precision"], 0))} for row in rows]


def last(launches: pd.DataFrame) -> list[dict[str, Any]]:
    """The last launches with their outcomes."""
    rows = stats.records(stats.last_launches(launches, _FEW))
    return [
        {**row, "outcome": _OUTCOMES.get(row["status"], _OUTCOMES["unknown"])[0], "kind": _KINDS.get(row["status"], "")}
        for row in rows
    ]


def boosters(launches: pd.DataFrame, cores: pd.DataFrame) -> list[dict[str, Any]]:
    """The boosters that flew most."""
    return stats.records(stats.boosters(launches, cores).head(_SHOWN))


def customers(launches: pd.DataFrame, payloads: pd.DataFrame) -> list[dict[str, Any]]:
    """The customers with most launches."""
    return stats.records(stats.customers(launches, payloads).head(_SHOWN))


def failures(launches: pd.DataFrame, failed: pd.DataFrame) -> list[dict[str, Any]]:
    """The failures, the newest first."""
    return stats.records(stats.failures(launches, failed).head(_SHOWN))


def _bars(found: pd.DataFrame, colors: Mapping[str, str], show: Any = "{:,.0f}".format) -> Figure:
    labels = [str(label) for label in found.index]
    series = {str(name): found[name].tolist() for name in found}
    rows = [
        {"label": label, "values": values, "all": sum(values)}
        for label, values in zip(labels, found.to_numpy().tolist(), strict=True)
    ]
    return {"chart": charts.stacked_bars(labels, series, show) if labels and series else None, "colors": colors, "rows": rows}


def _colors(found: pd.DataFrame, named: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return dict(named[str(name)] for name in found)
