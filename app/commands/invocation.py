"""One invocation of the program: its settings, its telemetry, the summary that it fills, and the adapters that it opens."""

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .. import sources
from ..core.model import Run
from ..core.reconcile import Limits
from ..core.runs import RunState, RunSummary
from ..core.source import Source
from ..errors import DeadlineExceeded, LakeError, LockHeld, SourceError, WarehouseError
from ..lake.layout import RUN_ID_CHANCES, new_run_id
from ..lake.store import S3Lake
from ..mysql.warehouse import MysqlWarehouse
from ..pipeline.adapters import Adapters
from ..request import Request
from ..settings import Settings
from ..telemetry.interrupts import Interrupts
from ..telemetry.logs import logger_to
from ..telemetry.redaction import redacted
from ..telemetry.stages import Telemetry
from . import verdict

if TYPE_CHECKING:
    from .terminal import Terminal


class Invocation:
    """What every command works with.

    `result` is what `--json` prints instead of the summary, where a command has a result of its own. `outcome` is the last line.
    """

    def __init__(self, request: Request, settings: Settings) -> None:
        self.request, self.settings = request, settings
        self.result: object = None
        self.outcome = ""
        self.view = _terminal(request, settings.secrets) if request.is_watched else None
        self.interrupts = Interrupts(settings.run_timeout_s)
        self.logger = logger_to(None if self.view else request.log_stream, settings.log_level, settings.secrets)
        started_at = datetime.now(UTC)
        self.telemetry = Telemetry(_new_run_id(started_at), self.logger, self.interrupts, self.view)
        self.source: Source = sources.module(settings.source).make(settings, self.telemetry.warn)
        self._begin(started_at, None, None)

    def begin(self, replayed_run_id: str, as_of: datetime | None) -> None:
        """Begin another run, which repeats an earlier one; with `as_of` elsewhere, as if that had run there then."""
        started_at = datetime.now(UTC)
        self.telemetry.begin(_new_run_id(started_at))
        self._begin(started_at, as_of, replayed_run_id)

    def _begin(self, started_at: datetime, as_of: datetime | None, replayed_run_id: str | None) -> None:
        self.run = Run(
            *(self.telemetry.run_id, started_at, self.source.name, as_of or started_at, replayed_run_id),
            command=self.request.command,
            is_elsewhere=as_of is not None,
        )
        self.summary = RunSummary(self.run.id, self.run.source, started_at, self.request.command)
        # The telemetry goes on counting in the summary itself.
        self.summary.warnings, self.summary.stage_seconds = self.telemetry.warnings, self.telemetry.stage_seconds

    @contextlib.contextmanager
    def adapters(
        self,
        *,
        prefix: str | None = None,
        database: str | None = None,
        make_lake: Callable[[Settings, Callable[[str], None]], S3Lake] = S3Lake,
    ) -> Iterator[Adapters]:
        """Source, lake and warehouse, connected; under another prefix and in another database where they are given."""
        settings = self.settings
        if prefix is not None and database is not None:
            settings = settings.elsewhere(prefix, database)
        with self.telemetry.stage("connect"):
            lake = make_lake(settings, self.telemetry.warn)
            warehouse = MysqlWarehouse(settings, self.telemetry.warn)
        with warehouse:
            yield Adapters(self.source, lake, warehouse, self.telemetry)

    @property
    def limits(self) -> Limits:
        """The gate's limits, by settings and options."""
        settings, request = self.settings, self.request
        return Limits(settings.max_rejected_ratio, settings.max_shrink_ratio, request.accept_shrink, request.accept_source_change)

    def name_target(self, error: BaseException) -> None:
        """Add to a deadline's error what the run was waiting for."""
        s = self.settings
        targets = {
            SourceError.exit_code: self.source.url,
            LakeError.exit_code: f"s3://{s.s3_bucket}/{s.s3_prefix}",
            WarehouseError.exit_code: f"{s.mysql_user}@{s.mysql_host}:{s.mysql_port}/{s.mysql_database}",
        }
        if isinstance(error, DeadlineExceeded) and error.exit_code in targets:
            error.hint = f"it was waiting for {targets[error.exit_code]}"

    def failed(self, stage: str, message: str, code: int) -> int:
        """Report how the command failed; its exit code."""
        message = redacted(message, self.settings.secrets)
        self.summary.error = message
        if code == LockHeld.exit_code:
            return self._skipped(message, code)
        if self.summary.state is not RunState.MERGED:
            self.summary.state = RunState.FAILED
        where = f"{self.request.command}, {stage}" if stage else self.request.command
        if self.view:
            self.view.failed(where, message, code)
        fields = {**self.summary.log_fields(), "stage": stage, "exit_code": code}
        self._end(f"{where} failed: {message}", logging.ERROR, fields)
        return code

    def _skipped(self, message: str, code: int) -> int:
        """Report that another run is at work, which is no failure of this one."""
        self.summary.state = RunState.SKIPPED
        if self.view:
            self.view.skipped(self.request.command, message, code)
        fields = {**self.summary.log_fields(), "exit_code": code}
        self._end(f"{self.request.command} skipped: {message}", logging.WARNING, fields)
        return code

    def succeeded(self) -> int:
        """Report that the command did what it was asked for; its exit code."""
        self._end(f"{self.request.command} {self.summary.state}", logging.INFO, self.summary.log_fields())
        return 0

    def _end(self, outcome: str, level: int, fields: dict[str, object]) -> None:
        self.outcome = outcome
        if self.view:
            self.view.close()
        self.telemetry.event(outcome, level, **fields)

    def show_summary(self) -> None:
        """On a terminal, the verdict on the run."""
        if self.view:
            self.view.show_last(verdict.of_run(self.summary, datetime.now(UTC)))


def _terminal(request: Request, secrets: tuple[str, ...]) -> "Terminal":
    from .terminal import Terminal  # not imported by a scheduled run

    return Terminal(request.log_stream, secrets)


def _new_run_id(started_at: datetime) -> str:
    return new_run_id(started_at, secrets.randbelow(RUN_ID_CHANCES))
