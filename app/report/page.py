"""The report: one HTML page that needs nothing beside it, from one published snapshot and the last runs."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd
import pyarrow as pa
from markupsafe import Markup

from ..core.model import Manifest
from ..core.runs import PastRun
from ..core.transform import frame
from . import quality, sections, stats
from .format import age, date, minute, percent, span

_KG_PER_T = 1000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # HTML has no way to write these


def report(
    manifest: Manifest,
    tables: Mapping[str, pa.Table],
    runs: Sequence[PastRun],
    now: datetime,
    stale_days: int,
    never_filled: Mapping[str, Collection[str]],
) -> str:
    """The page; `runs` are newest first."""
    frames = {name: frame(rows) for name, rows in tables.items()}
    since = now - manifest.newest_launch_utc if manifest.newest_launch_utc else None
    is_stale = since is None or since > timedelta(days=stale_days)
    page = _template().render(
        style=Markup(_file("report.css")),  # noqa: S704  # our own
        manifest=manifest,
        now=now,
        since=since,
        is_stale=is_stale,
        stale_days=stale_days,
        trust=quality.trust(manifest, runs, is_stale=is_stale),
        totals=_totals(frames),
        newest=_newest(frames["launches"], manifest.newest_launch_utc),
        outcomes=sections.outcomes(frames["launches"]),
        landings=sections.landings(frames["launches"], frames["launch_cores"]),
        masses=sections.masses(frames["launches"], frames["launch_payloads"]),
        moves=sections.moves(frames["launches"], frames["launch_changes"], manifest.as_of),
        coming=sections.coming(frames["launches"], manifest.as_of),
        last=sections.last(frames["launches"]),
        boosters=sections.boosters(frames["launches"], frames["launch_cores"]),
        customers=sections.customers(frames["launches"], frames["launch_payloads"]),
        failures=sections.failures(frames["launches"], frames["launch_failures"]),
        nulls={name: quality.nulls(rows, never_filled.get(name, ())) for name, rows in frames.items()},
        columns={name: rows.shape for name, rows in frames.items()},
        runs=runs,
        run_kind=quality.run_kind,
        written=quality.written(manifest, runs),
    )
    return _CONTROL.sub("\ufffd", page)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        **{made.__name__: made for made in (age, date, minute, percent, span)},
        "thousands": "{:,}".format,
    }
    return environment.from_string(_file("page.html.j2"))


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _totals(frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    launches = frames["launches"]
    status = launches["status"].where(launches["status"].isin(stats.OUTCOMES), "unknown").value_counts()
    count = {name: int(status.get(name, 0)) for name in stats.OUTCOMES}
    landings = stats.landings_by_year(launches, frames["launch_cores"]).sum()
    kg, _ = stats.masses_by_year(launches, frames["launch_payloads"])
    return {
        "launched": sum(count.values()) - count["upcoming"],
        "upcoming": count["upcoming"],
        "success": count["success"],
        "decided": count["success"] + count["partial_failure"] + count["failure"],
        "landed": int(landings["landed"]),
        "tried": int(landings["landed"] + landings["lost"]),
        "tonnes": kg.to_numpy().sum() / _KG_PER_T,
    }


def _newest(launches: pd.DataFrame, at: datetime | None) -> str:
    names = launches.loc[launches["date_utc"] == at, "name"].dropna() if at else ()
    return next(map(str, names), "")
