"""Whether the data can be trusted, and what it lacks."""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from ..core.model import Manifest, PastRun, RunState
from . import stats
from .format import minute

Verdict = tuple[str, str]
"""`good`, `warn` or `bad`, and the text that says the same."""


def trust(manifest: Manifest, runs: Sequence[PastRun], *, is_stale: bool) -> list[Verdict]:
    """What speaks for the data and what against it, the worst first; the stores' proof is always named."""
    found: list[Verdict] = []
    newest = runs[0] if runs else None
    if newest and newest.state == RunState.FAILED:
        found.append(("bad", f"The newest run, {newest.run_id}, failed; shown is what was published before."))
    elif newest and not RunState(newest.state).is_good:
        found.append(("warn", f"Run {newest.run_id} is at work or was interrupted; shown is what was published before."))
    if is_stale:
        found.append(("bad", "The source has had no new launch for long: it may no longer be kept up."))
    missing = sum(use.references - use.resolved for use in manifest.lookups.values())
    if manifest.rejected:
        found.append(("warn", f"{manifest.rejected:,} launches were rejected and are missing or as they were before."))
    if missing:
        found.append(("warn", f"{missing:,} references to rockets, pads, payloads or boosters lead nowhere."))
    at = f"{minute(manifest.published_at)} UTC"
    proof = f"Run {manifest.run_id} compared the contents of what it wrote to S3 and MySQL before it published, {at}: equal."
    found.append(("good", proof))
    if newest and newest.state == RunState.UNCHANGED:
        at = f"{minute(newest.started_at)} UTC"
        again = f"Run {newest.run_id} found the source unchanged and both stores as they were published, {at}."
        found.append(("good", again))
    return found


def nulls(rows: pd.DataFrame, never_filled: Collection[str]) -> list[dict[str, Any]]:
    """The columns with nulls."""
    return stats.records(stats.nulls(rows, never_filled))


def run_kind(run: PastRun) -> str:
    """How a run's state is to be taken: good, warn or bad."""
    state = RunState(run.state)
    return "good" if state.is_good else "bad" if state is RunState.FAILED else "warn"


def written(manifest: Manifest, runs: Sequence[PastRun]) -> dict[str, dict[str, int | None]]:
    """What the run that published did to each table, if it is among the last runs."""
    return next((run.rows_by_table for run in runs if run.run_id == manifest.run_id), {})
