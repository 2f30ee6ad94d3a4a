"""The report: one HTML page that needs nothing beside it, from one published snapshot and the last runs."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd
import pyarrow as pa
from markupsafe import Markup

from ..core.model import Manifest
from ..core.transform import frame
from . import changes, quality, sections, stats, trust
from .format import age, counted, date, is_long, minute, named, percent, short, span
from .trust import Evidence

_KG_PER_T = 1000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # HTML has no way to write these


def report(
    manifest: Manifest, tables: Mapping[str, pa.Table], evidence: Evidence, never_filled: Mapping[str, Collection[str]]
) -> str:
    """The page."""
    frames = {name: frame(rows) for name, rows in tables.items()}
    verdicts = trust.verdicts(manifest, evidence)
    page = _template().render(
        style=Markup(_file("report.css")),  # noqa: S704  # our own
        manifest=manifest,
        now=evidence.now,
        read=trust.last_read(manifest, evidence),
        since=evidence.now - manifest.newest_launch_utc if manifest.newest_launch_utc else None,
        is_stale=evidence.is_stale(manifest),
        stale_days=evidence.stale_days,
        headline=trust.headline(manifest, evidence, verdicts),
        verdicts=verdicts,
        totals=_totals(frames),
        newest=_newest(frames["launches"], manifest.newest_launch_utc),
        changes=changes.since_last(frames["launches"], frames["launch_changes"], manifest, evidence.runs),
        **_sections(frames, manifest),
        nulls={name: quality.nulls(rows, never_filled.get(name, ())) for name, rows in frames.items()},
        columns={name: rows.shape for name, rows in frames.items()},
        runs=sections.runs(evidence.runs),
        run_kind=quality.run_kind,
    )
    return _CONTROL.sub("\ufffd", page)


def _sections(frames: Mapping[str, pd.DataFrame], manifest: Manifest) -> dict[str, Any]:
    launches = frames["launches"]
    return {
        "outcomes": sections.outcomes(launches),
        "landings": sections.landings(launches, frames["launch_cores"]),
        "masses": sections.masses(launches, frames["launch_payloads"]),
        "moves": sections.moves(launches, frames["launch_changes"], manifest.as_of),
        "coming": sections.coming(launches, manifest.as_of),
        "last": sections.last(launches),
        "boosters": sections.boosters(launches, frames["launch_cores"]),
        "customers": sections.customers(launches, frames["launch_payloads"]),
        "failures": sections.failures(launches, frames["launch_failures"]),
    }


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        **{made.__name__: made for made in (age, counted, date, minute, named, percent, short, span)},
        "thousands": "{:,}".format,
    }
    environment.tests["long"] = is_long
    environment.globals["next_by"] = sections.next_by
    return environment.from_string(_file("page.html.j2"))


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _totals(frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    launches = frames["launches"]
    landings = stats.landings_by_year(launches, frames["launch_cores"]).sum()
    kg, _ = stats.masses_by_year(launches, frames["launch_payloads"])
    return {
        **stats.tally(launches["status"]),
        "landed": int(landings["landed"]),
        "tried": int(landings["landed"] + landings["lost"]),
        "tonnes": kg.to_numpy().sum() / _KG_PER_T,
    }


def _newest(launches: pd.DataFrame, at: datetime | None) -> str:
    names = launches.loc[launches["date_utc"] == at, "name"].dropna() if at else ()
    return next(map(str, names), "")
