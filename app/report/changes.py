"""What the published snapshot changed against the one before it, as far as `launch_changes` and `pipeline_runs` know."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..core.model import Manifest
from ..core.runs import PastRun, RunState
from . import stats
from .format import date, named, short, span
from .trust import since

_SHOWN = 20
_PARTS = {"date_utc": ("date_precision", "date_local"), "status": ("upcoming", "success")}
"""Columns that say more of what another one says: where that one changed, they are no changes of their own."""
_RANKS = {"added": 0, "removed": 1, "status": 2, "date": 3}
_COLUMNS = ["launch_id", "change", "before", "after", "by"]


def since_last(launches: pd.DataFrame, changes: pd.DataFrame, manifest: Manifest, runs: Sequence[PastRun]) -> dict[str, Any]:
    """The changes with their numbers.

    `is_followed` is false where rows were written and none of them is known to be news: then nothing is said of differences.
    """
    news = changes[changes["run_id"].isin(list(run_ids(manifest, runs)))]
    found = of_launches(launches, changes, news)
    written = next((run.rows_by_table for run in runs if run.run_id == manifest.run_id), {})
    rows = [n for action, n in written.get("launches", {}).items() if action != "total"]
    return {
        "is_followed": bool(len(news)) or (bool(rows) and not any(rows)),
        "counts": {kind: int(found.loc[found["change"] == kind, "launch_id"].nunique()) for kind in ("added", "removed")},
        "changed": int(found.loc[~found["change"].isin(["added", "removed"]), "launch_id"].nunique()),
        "deltas": deltas(launches, news),
        "rows": stats.records(found.head(_SHOWN)),
        "all": len(found),
        "written": written,
        "unchanged": next((named(run) for run in since(manifest, runs) if run.is_unchanged), None),
    }


def run_ids(manifest: Manifest, runs: Sequence[PastRun]) -> set[str]:
    """The run that published, and those before it that only MySQL has: they committed, and ended before they could publish."""
    found = {manifest.run_id}
    for run in runs[len(since(manifest, runs)) + 1 :]:
        if run.state is RunState.PUBLISHED:
            break
        if run.state is RunState.MERGED:
            found.add(run.run_id)
    return found


def deltas(launches: pd.DataFrame, news: pd.DataFrame) -> dict[str, int] | None:
    """How much more there is of what `tally` counts; None where launches were removed, whose outcomes nothing tells any more."""
    of_launch = news["column_name"] == "launch_id"
    if (of_launch & news["new_value"].isna()).any():
        return None
    changed = news[news["column_name"] == "status"].sort_values("changed_at").drop_duplicates("launch_id")
    replaced = dict(zip(changed["launch_id"], changed["old_value"], strict=True))
    older = launches[~launches["launch_id"].isin(news.loc[of_launch, "launch_id"])]
    pairs = zip(older["launch_id"], older["status"], strict=True)
    before = pd.Series([replaced.get(launch_id, status) for launch_id, status in pairs], dtype=object)
    was, is_ = stats.tally(before), stats.tally(launches["status"])
    return {name: is_[name] - was[name] for name in is_}


def of_launches(launches: pd.DataFrame, changes: pd.DataFrame, news: pd.DataFrame) -> pd.DataFrame:
    """A row for each change: launches that came or went, then statuses, dates, and other columns."""
    moved = stats.moves(launches, changes)
    moved = moved[moved["run_id"].isin(list(news["run_id"]))]
    dates = [
        (
            *(one["launch_id"], "date", date(one["old"], one["old_precision"]), date(one["new"], one["new_precision"])),
            None if one["kind"] == "precision" else span(one["by"], sign=True),
        )
        for one in stats.records(moved)
    ]
    of_launch = news["column_name"] == "launch_id"
    columns = news[~of_launch & (news["column_name"] != "date_utc") & ~_is_part(news)]
    others = [
        (one["launch_id"], one["column_name"], short(one["old_value"]), short(one["new_value"]), None)
        for one in stats.records(columns)
    ]
    whole = [
        (one["launch_id"], "removed" if one["new_value"] is None else "added", None, None, None)
        for one in stats.records(news[of_launch])
    ]
    found = pd.DataFrame([*whole, *dates, *others], columns=_COLUMNS)
    found = found.merge(launches[["launch_id", "name"]].astype(object), on="launch_id", how="left")
    rank = found["change"].map(_RANKS).fillna(len(_RANKS))
    return found.assign(rank=rank).sort_values(["rank", "change", "name", "launch_id"], kind="stable").drop(columns="rank")


def _is_part(news: pd.DataFrame) -> pd.Series:
    found = pd.Series(data=False, index=news.index)
    for whole, parts in _PARTS.items():
        of = news.loc[news["column_name"] == whole, "launch_id"]
        found |= news["column_name"].isin(parts) & news["launch_id"].isin(of)
    return found
