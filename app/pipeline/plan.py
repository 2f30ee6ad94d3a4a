"""What a run would change, written nowhere."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from ..core.checksum.digest import Checksum
from ..core.diff import changed_columns
from ..core.model import Response, Run
from ..core.reconcile import CurrentState, Limits, departures, is_trusted, reconcile
from ..core.results import PlannedChange, PlannedRows
from ..core.runs import LastRun, RunSummary
from ..core.schema import TABLES
from ..errors import GateRefused, UnreadableObject
from ..lake.workers import workers
from .adapters import Adapters
from .candidate import Candidate, carry_over, received
from .history import changes_of
from .look import look
from .published import Published, rows_by_table
from .run import complete, extract, fill, refusals

_SAMPLES = 5  # changed rows shown for each column of a plan


def preview(run: Run, adapters: Adapters, limits: Limits, spool: Path, summary: RunSummary) -> Candidate:
    """What a run would do, in `summary.plan`, and the rows it would publish; nothing is written anywhere.

    Raises PipelineError; GateRefused after the summary is complete.
    """
    warehouse, source = adapters.warehouse, adapters.source
    with adapters.telemetry.stage("prepare"):
        warehouse.check_packet()
        summary.ddl = warehouse.pending_ddl()
        last_run = LastRun() if any("CREATE TABLE" in statement for statement in summary.ddl) else warehouse.last_run()
    # Tables that lack a column can't be read by the schema: what is carried over then comes from the lake.
    readable = not any(statement.startswith("ALTER") for statement in summary.ddl)
    if not readable:
        last_run = dataclasses.replace(last_run, merged_id=None)
    found = look(adapters, last_run)
    trusted = is_trusted(found.manifest, last_run, run, source.url)
    responses = extract(adapters, found.manifest if trusted else None, spool)
    responses = _completed(adapters, responses, spool)
    candidate = received(run, adapters, responses, spool)
    if readable:
        current = found.complete(adapters)
    else:
        current = found.with_checksums({key: Checksum(rows, "differs") for key, rows in warehouse.counts().items()})
    summary.repaired = departures(current) if readable and current.manifest else []
    published = Published(adapters, current)
    carry_over(run, adapters, candidate, current, published, backfill=None, trusted=trusted or not readable)
    fill(summary, candidate)
    summary.rows = rows_by_table(candidate.spill.checksums)
    with adapters.telemetry.stage("reconcile"):
        refused = refusals(run, candidate, current, limits)
        plan = reconcile(candidate.spill.checksums, current, candidate.spill.carried)
    with adapters.telemetry.stage("compare"):
        rows, changes = _differences(adapters, candidate, current, published)
        summary.plan = {
            "refused": refused,
            "ddl": [*summary.ddl, *warehouse.pending_descriptions()],
            "repair": summary.repaired,
            "rows": rows,
            "changes": changes,
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


def _completed(adapters: Adapters, responses: Mapping[str, Response], spool: Path) -> dict[str, Response]:
    """All bodies; where the archive no longer has them, fetched again."""
    try:
        with workers() as pool:
            return complete(adapters, pool, responses, spool)
    except UnreadableObject as error:
        adapters.telemetry.warn(f"everything is fetched again: {error}")
    again = spool / "again"
    return extract(adapters, None, again)


def _differences(
    adapters: Adapters, candidate: Candidate, current: CurrentState, published: Published
) -> tuple[dict[str, PlannedRows], list[PlannedChange]]:
    """Rows to add, change and remove by table, and some of the changes by column."""
    rows: dict[str, PlannedRows] = {}
    samples: list[PlannedChange] = []
    for name, table in TABLES.items():
        found = changes_of(adapters, current, published, candidate.spill, table)
        rows[name] = {"add": found.added.num_rows, "change": found.after.num_rows, "remove": found.removed.num_rows}
        for column, changed, old, new in changed_columns(table, found):
            for row, before, after in zip(
                changed.select(table.key).slice(0, _SAMPLES).to_pylist(), old.to_pylist(), new.to_pylist(), strict=False
            ):
                key = list(row.values())
                samples.append({"table": name, "key": key, "column": column, "old": before, "new": after})
    return rows, samples
