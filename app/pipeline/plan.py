"""What a run would change, written nowhere."""

import dataclasses
from pathlib import Path
from typing import Any

from app.core.diff import changed_columns
from app.core.model import Run, RunReport
from app.core.reconcile import (
    Held,
    Limits,
    is_trusted,
)
from app.core.schema import TABLES
from app.errors import GateRefused
from app.pipeline.adapters import Edges
from app.pipeline.candidate import Derived, derive
from app.pipeline.history import changes_of
from app.pipeline.published import workers
from app.pipeline.run import _fill, decide, extract, look, refusals

_SAMPLES = 5  # changed rows shown for each column of a plan


def plan(run: Run, edges: Edges, limits: Limits, spool: Path, report: RunReport) -> Derived:
    """What a run would do, in `report.plan`, and the rows it would publish; nothing is written anywhere.

    Raises PipelineError; GateRefused after the report is complete.
    """
    with edges.telemetry.stage("prepare"):
        report.ddl = edges.warehouse.pending_ddl()
        last_run = edges.warehouse.last_run()
    # Tables that lack a column can't be read by the schema: what is carried over then comes from the lake.
    readable = not any(statement.startswith("ALTER") for statement in report.ddl)
    if not readable:
        last_run = dataclasses.replace(last_run, merged_id=None)
    _, held = look(edges, last_run)
    trusted = not readable or is_trusted(held, run, edges.source.url)
    endpoints = extract(edges, held.manifest if is_trusted(held, run, edges.source.url) else None, spool)
    with workers() as pool:
        endpoints = _whole(edges, pool, endpoints, spool)
    derived = derive(run, edges, endpoints, held, spool, trusted=trusted)
    _fill(report, derived)
    with edges.telemetry.stage("reconcile"):
        refused = refusals(run, derived, held, limits)
        plan = decide(edges, derived, held, trusted=trusted, readable=readable)
    with edges.telemetry.stage("compare"):
        report.plan = {
            "refused": refused,
            "ddl": report.ddl,
            **_changes(edges, derived, held),
            "load": [f"{table} {year}" for table, year in sorted(plan.load)],
            "put": [f"{table} {year}" for table, year in plan.put],
            "delete": [f"{table} {year}" for table, year in sorted(plan.delete)],
            "quarantine": [
                {"endpoint": r.endpoint, "index": r.index, "id": r.id, "path": r.path, "value": r.value, "reason": r.reason}
                for r in derived.rejected
            ],
        }
    if refused:
        raise GateRefused("a run would be refused: " + "; ".join(refused), hint="nothing was written")
    return derived


def _changes(edges: Edges, derived: Derived, held: Held) -> dict[str, Any]:
    """Rows to add, change and remove by table, and some of the changes by column."""
    rows, samples = {}, []
    for name, table in TABLES.items():
        found = changes_of(edges, held, derived.snapshot, table)
        rows[name] = {"add": found.added.num_rows, "change": found.after.num_rows, "remove": found.removed.num_rows}
        for column, changed, old, new in changed_columns(table, found):
            for row, before, after in zip(
                changed.select(table.key).slice(0, _SAMPLES).to_pylist(), old.to_pylist(), new.to_pylist(), strict=False
            ):
                key = list(row.values())
                samples.append({"table": name, "key": key, "column": column, "old": before, "new": after})
    return {"rows": rows, "changes": samples}
