"""Publish once more what is published, each partition from whichever store still holds it as the manifest names it.

For when the raw archive can't be read: then nothing can be derived anew.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..core.model import Run
from ..core.reconcile import reconcile
from ..core.runs import RunState, RunSummary
from ..errors import StoresDisagree
from .adapters import Adapters
from .candidate import Candidate
from .look import look, numbered_above
from .publish import publish, with_iceberg
from .published import Published, rows_by_table
from .spill import Spill


def restore(run: Run, adapters: Adapters, spool: Path, summary: RunSummary) -> None:
    """Make both stores hold what the manifest names.

    Partitions that neither store holds stay as they are, and are warned of.

    The run lock must be held. Raises PipelineError.
    """
    lake, warehouse, telemetry = adapters.lake, adapters.warehouse, adapters.telemetry
    with telemetry.stage("prepare"):
        prepared = warehouse.prepare(run)
    found = look(adapters, prepared.last_run)
    summary.number = number = numbered_above(adapters, run, prepared.number, found.pointer)
    current = found.complete(adapters)
    manifest = current.manifest
    if manifest is None:
        raise StoresDisagree("no manifest can be read, so nothing names what was published", hint="run the pipeline")
    published = Published(adapters, current)
    spill = Spill(spool / "rows")
    with telemetry.stage("restore") as counts:
        for file in current.files.values():
            if (rows := published.rows(file)) is not None:
                spill.add(file.table, rows)
        spill.close()
        lost = published.lost
        spill.complete(besides=lost)
        counts.update(partitions=len(spill.checksums), lost=len(lost))
        telemetry.warn_if([f"{name} {year}" for name, year in sorted(lost)], "neither store holds what was published any more")
    untouched = replace(
        current,
        objects={key: stored for key, stored in current.objects.items() if key not in lost},
        in_mysql={key: checksum for key, checksum in current.in_mysql.items() if key not in lost},
    )
    candidate = Candidate(spill, lost=frozenset(lost))
    plan = reconcile(spill.checksums, untouched, {})
    files = {**publish(run, adapters, candidate, plan, untouched, summary), **{key: current.files[key] for key in lost}}
    what = {
        "run_id": run.id,
        "number": number,
        "published_at": datetime.now(UTC),
        "app_version": __version__,
        "files": [files[key] for key in sorted(files)],
        "replayed_run_id": manifest.run_id,
        "iceberg": {},
    }
    restored = manifest.model_copy(update=what)
    readable = [file for key, file in sorted(files.items()) if key not in lost]
    snapshots = with_iceberg(adapters, restored.model_copy(update={"files": readable}), anew=True).iceberg
    with telemetry.stage("manifest"):
        for stored in plan.delete.values():
            lake.delete(stored)
        summary.files_deleted = len(plan.delete)
        lake.publish(restored.model_copy(update={"iceberg": snapshots}), found.pointer)
    summary.rows = rows_by_table(spill.checksums)
    summary.state = RunState.PUBLISHED
    warehouse.finish(summary)
