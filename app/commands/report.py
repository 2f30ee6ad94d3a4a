"""`report`: one HTML page from one published snapshot."""

import tempfile
from pathlib import Path

from ..core.reconcile import departures
from ..core.runs import PastRun, RunState
from ..core.schema import TABLES
from ..errors import LakeError, SettingsError
from ..pipeline.look import look
from ..pipeline.published import Published
from ..sources import never_filled
from .invocation import Invocation

_RUNS = 1000  # the newest, among which the last verify is looked for


def execute(job: Invocation, spool: Path) -> None:  # noqa: ARG001  # every command is given one
    """Write the page from the versions that the manifest names, whatever is published meanwhile. Raises PipelineError."""
    from ..report.page import report  # pandas and charts take longer to import than any other command should wait
    from ..report.trust import Evidence

    with job.adapters() as adapters:
        lake = adapters.lake
        with job.telemetry.stage("read"):
            current = look(adapters, adapters.warehouse.last_run()).complete(adapters)
            manifest, published = current.manifest, Published(adapters, current)
            if manifest is None:
                raise LakeError(current.fault or "nothing is published yet", hint="run the pipeline first")
            job.telemetry.warn_if([current.fault] if current.fault else [], "the newest manifest that can be read is shown")
            tables = {name: published.table(name) for name in TABLES}
            lost = [f"{name} {year}" for name, year in sorted(published.lost)]
            job.telemetry.warn_if(lost, "neither store holds what was published any more")
            runs = [PastRun.of(row) for row in adapters.warehouse.runs_table.runs(_RUNS)]
            evidence = Evidence(job.run.started_at, runs, departures(current), lost, job.settings.stale_after_days)
        with job.telemetry.stage("report"):
            page = report(manifest, tables, evidence, never_filled(manifest.source))
            out = _written(job, page)
            published_at = lake.publish_report(page) if job.request.publish else None
    job.summary.state = RunState.REPORTED
    places = {"run_id": manifest.run_id, "file": str(out.absolute()), "object": published_at}
    job.result = places
    if job.view:
        for place in filter(None, (places["file"], published_at)):
            job.view.done("written", place)
    else:
        job.telemetry.event("report written", **places)


def _written(job: Invocation, page: str) -> Path:
    # A container that publishes has no directory of its own to write to but the temporary one.
    default = Path(tempfile.gettempdir() if job.request.publish else ".", "spacex-report.html")
    out = job.request.out or default
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--out: {error}", hint="name a file that can be written") from error
    return out
