"""Whether the data can be trusted, and what it lacks."""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from ..core.model import Manifest
from ..core.runs import PastRun, RunState
from . import stats
from .format import minute

Verdict = tuple[str, str]
"""`good`, `warn` or `bad`, and the text that says the same."""

_UNFINISHED = {
    RunState.FAILED: "failed; the page shows what was published before it.",
    RunState.RUNNING: "is at work or was interrupted; the page shows what was published before it.",
    RunState.MERGED: "has changed MySQL and not published yet; MySQL may be ahead of this page until the next run.",
}


def trust(manifest: Manifest, runs: Sequence[PastRun], *, is_stale: bool) -> list[Verdict]:
    """What speaks for the data and what against it, the worst first; the stores' proof is always named."""
    found: list[Verdict] = []
    newest = runs[0] if runs else None
    if newest and newest.state in _UNFINISHED:
        found.append((run_kind(newest), f"The newest run, {newest.run_id}, {_UNFINISHED[newest.state]}"))
    if is_stale:
        found.append(("bad", "The newest launch is older than it should be: the source may no longer be maintained."))
    missing = sum(use.references - use.resolved for use in manifest.lookups.values())
    if manifest.rejected:
        found.append(("warn", f"{manifest.rejected:,} launches were rejected and are missing or as they were before."))
    if missing:
        found.append(("warn", f"{missing:,} references to other records (boosters, pads, payloads, …) could not be resolved."))
    at = f"{minute(manifest.published_at)} UTC"
    proof = f"Run {manifest.run_id} compared the contents of what it wrote to S3 and MySQL before it published, {at}: equal."
    found.append(("good", proof))
    if newest and newest.state is RunState.UNCHANGED:
        at = f"{minute(newest.started_at)} UTC"
        again = f"Run {newest.run_id} proved again that both stores are as published: MySQL by value, S3 by version, {at}."
        found.append(("good", again))
    return found


def nulls(rows: pd.DataFrame, never_filled: Collection[str]) -> list[dict[str, Any]]:
    """The columns with nulls."""
    return stats.records(stats.nulls(rows, never_filled))


def run_kind(run: PastRun) -> str:
    """How a run's state is to be taken: good, warn or bad."""
    return "good" if run.state.is_good else "bad" if run.state is RunState.FAILED else "warn"


def written(manifest: Manifest, runs: Sequence[PastRun]) -> dict[str, dict[str, int | None]]:
    """What the run that published did to each table, if it is among the last runs."""
    return next((run.rows_by_table for run in runs if run.run_id == manifest.run_id), {})
