"""What a run would change, written nowhere."""

import dataclasses
from pathlib import Path
from typing import Any

from ..core.diff import changed_columns
from ..core.model import Run, RunSummary
from ..core.reconcile import (
    CurrentState,
    Limits,
    is_trusted,
)
from ..core.schema import TABLES
from ..errors import GateRefused
from .adapters import Adapters
from .candidate import Candidate, derive
from .history import changes_of
from .published import workers
from .run import complete, extract, fill, look, make_plan, refusals

_SAMPLES = 5  # changed rows shown for each column of a plan


def preview(run: Run, adapters: Adapters, limits: Limits, spool: Path, summary: RunSummary) -> Candidate:
    """What a run would do, in `summary.plan`, and the rows it would publish; nothing is written anywhere.

    Raises PipelineError; GateRefused after the summary is complete.
    """
    with adapters.telemetry.stage("prepare"):
        summary.ddl = adapters.warehouse.pending_ddl()
        last_run = adapters.warehouse.last_run()
    # Tables that lack a column can't be read by the schema: what is carried over then comes from the lake.
    readable = not any(statement.startswith("ALTER") for statement in summary.ddl)
    if not readable:
        last_run = dataclasses.replace(last_run, merged_id=None)
    _, current = look(adapters, last_run)
    trusted = not readable or is_trusted(current, run, adapters.source.url)
    responses = extract(adapters, current.manifest if is_trusted(current, run, adapters.source.url) else None, spool)
    with workers() as pool:
        responses = complete(adapters, pool, responses, spool)
    candidate = derive(run, adapters, responses, current, spool, trusted=trusted)
    fill(summary, candidate)
    with adapters.telemetry.stage("reconcile"):
        refused = refusals(run, candidate, current, limits)
        plan = make_plan(adapters, candidate, current, trusted=trusted, readable=readable)
    with adapters.telemetry.stage("compare"):
        summary.plan = {
            "refused": refused,
            "ddl": summary.ddl,
            **_differences(adapters, candidate, current),
            "load": [f"{table} {year}" for table, year in sorted(plan.load)],
            "put": [f"{table} {year}" for table, year in plan.put],
            "delete": [f"{table} {year}" for table, year in sorted(plan.delete)],
            "quarantine": [
                {"endpoint": r.endpoint, "index": r.index, "id": r.id, "path": r.path, "value": r.value, "reason": r.reason}
                for r in candidate.rejected
            ],
        }
    if refused:
        raise GateRefused("a run would be refused: " + "; ".join(refused), hint="nothing was written")
    return candidate


def _differences(adapters: Adapters, candidate: Candidate, current: CurrentState) -> dict[str, Any]:
    """Rows to add, change and remove by table, and some of the changes by column."""
    rows, samples = {}, []
    for name, table in TABLES.items():
        found = changes_of(adapters, current, candidate.spill, table)
        rows[name] = {"add": found.added.num_rows, "change": found.after.num_rows, "remove": found.removed.num_rows}
        for column, changed, old, new in changed_columns(table, found):
            for row, before, after in zip(
                changed.select(table.key).slice(0, _SAMPLES).to_pylist(), old.to_pylist(), new.to_pylist(), strict=False
            ):
                key = list(row.values())
                samples.append({"table": name, "key": key, "column": column, "old": before, "new": after})
    return {"rows": rows, "changes": samples}
