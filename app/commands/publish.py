"""What `run`, `replay` and `verify --heal` share: one run of the pipeline, its failure recorded, its rows shown."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..core.runs import RunState
from ..core.schema import TABLES
from ..core.transform import frame, frame_types
from ..errors import DeadlineExceeded, LockHeld, PipelineError, UnreadableObject
from ..mysql.warehouse import MysqlWarehouse
from ..pipeline import run as pipeline
from ..pipeline.adapters import Adapters
from ..pipeline.backfill import Backfill
from ..telemetry.redaction import redacted
from .invocation import Invocation

_ROWS = 5  # of each table on a terminal
_SHOW_TIMEOUT_S = 5
_RECORD_TIMEOUT_S = 4  # for what a failed run still writes into pipeline_runs


def publish(job: Invocation, adapters: Adapters, spool: Path, backfill: Backfill | None = None) -> pipeline.Head:
    """Run the pipeline once. Raises PipelineError, after the failure was written into pipeline_runs as far as possible."""
    folder = spool / job.run.id
    folder.mkdir()
    with recorded(job, adapters):
        return pipeline.run(job.run, adapters, job.limits, job.settings.stale_after_days, folder, job.summary, backfill)


@contextlib.contextmanager
def recorded(job: Invocation, adapters: Adapters) -> Iterator[None]:
    """A run whose failure, whatever it is, is written into pipeline_runs as far as that can still be reached."""
    try:
        yield
    except UnreadableObject as error:  # what it held may be repaired from elsewhere: this run is over, the command is not
        _fail(job, error)
        adapters.warehouse.finish(job.summary)
        raise
    except BaseException as error:
        job.interrupts.ignore()
        _record_failure(job, adapters.warehouse, error)
        raise


def show_published(job: Invocation, head: pipeline.Head) -> None:
    """Show the newest rows of each table and then the summary, which is to stay on the screen; each within a bounded time."""
    job.interrupts.ignore()  # published and recorded: only display is left, and a terminal that takes nothing fails no run
    with contextlib.suppress(DeadlineExceeded), job.interrupts.at_most(_SHOW_TIMEOUT_S):
        show_frames(job, head)
    with contextlib.suppress(DeadlineExceeded), job.interrupts.at_most(_SHOW_TIMEOUT_S):
        job.show_summary()


def show_frames(job: Invocation, head: pipeline.Head) -> None:
    """The newest rows of each table on a terminal; elsewhere shape and types of each as a log line, and rows when asked for."""
    count = job.request.rows if job.request.rows is not None else _ROWS if job.view else 0
    for name, table in TABLES.items():
        try:
            some = head(name, count) if count else table.arrow.empty_table()
        except DeadlineExceeded:
            raise
        except PipelineError as error:
            job.telemetry.warn(f"rows of {name} can't be shown: {error}")
            return
        total = job.summary.rows.get(name, 0)
        if not job.view:
            types = frame_types(table)
            rows = {"rows": some.to_pylist()} if count else {}
            job.telemetry.event(f"frame {name}", table=name, shape=[total, len(types)], types=types, **rows)
        elif count:
            job.view.show_frame(name, frame(some), total)


def _record_failure(job: Invocation, warehouse: MysqlWarehouse, error: BaseException) -> None:
    if isinstance(error, LockHeld):
        return  # the table is the other run's at this time
    _fail(job, error)
    try:
        with job.interrupts.at_most(_RECORD_TIMEOUT_S):
            warehouse.finish(job.summary)
    except PipelineError as second:
        job.telemetry.event(f"pipeline_runs was not updated: {second}")


def _fail(job: Invocation, error: BaseException) -> None:
    job.name_target(error)
    if job.summary.state is not RunState.MERGED:
        job.summary.state = RunState.FAILED
    job.summary.error = redacted(str(error), job.settings.secrets)
