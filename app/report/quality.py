"""What the data lacks, and how runs ended."""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from ..core.model import Manifest
from ..core.runs import PastRun, RunState
from . import stats


def nulls(rows: pd.DataFrame, never_filled: Collection[str]) -> list[dict[str, Any]]:
    """The columns with nulls."""
    return stats.records(stats.nulls(rows, never_filled))


def run_kind(run: PastRun) -> str:
    """How a run's state is to be taken: good, warn or bad."""
    return "good" if run.state.is_good else "bad" if run.state is RunState.FAILED else "warn"


def written(manifest: Manifest, runs: Sequence[PastRun]) -> dict[str, dict[str, int | None]]:
    """What the run that published did to each table, if it is among the last runs."""
    return next((run.rows_by_table for run in runs if run.run_id == manifest.run_id), {})
