"""Settings to adapters to command to exit code: the only place where things are wired together."""

import contextlib
import dataclasses
import json
import logging
import os
import secrets
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

from app import cli, pipeline
from app.console import TerminalView, show_frame, show_plan, show_report
from app.errors import (
    DeadlineExceeded,
    LakeError,
    LockHeld,
    PipelineError,
    SettingsError,
    SourceError,
    StoresDisagree,
    WarehouseError,
)
from app.interrupt import Interrupts
from app.lake import S3Lake
from app.reconcile import Limits, Plan
from app.records import Run, RunReport
from app.schema import TABLES
from app.settings import Settings, load_settings
from app.sources import make_source
from app.telemetry import Telemetry, blotted, cloudwatch, logger_to, print_metrics
from app.transform import frame
from app.warehouse import MysqlWarehouse

_ROWS_SHOWN = 5
_NAMED = 10
_LAST_WORDS_S = 4  # for what a failed run still writes into pipeline_runs
_SHOW_TIMEOUT_S = 5


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    request = cli.parse(sys.argv[1:])
    code = request if isinstance(request, int) else execute(request)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # nobody waits for a thread that still hangs on a socket


def execute(request: cli.Request) -> int:
    """Do what was asked; the exit code."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)  # noqa: T201  # there is no logger yet
        return error.exit_code
    return _Command(request, settings).execute()


class _Command:
    """One command at work: its telemetry, its report, and how it ends."""

    def __init__(self, request: cli.Request, settings: Settings) -> None:

        self.request, self.settings = request, settings
        started_at = datetime.now(UTC)
        self.run = Run(f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}", started_at, settings.source)
        self.report = RunReport(self.run.id, self.run.source, started_at)
        self.console = Console(stderr=request.as_json, highlight=False)
        # Someone watches stdout, or, where the result goes there, stderr.
        self.on_terminal = self.console.is_terminal
        lines_to = None if self.on_terminal else sys.stderr if request.as_json else sys.stdout
        self.interrupts = Interrupts(settings.run_timeout_s)
        self.logger = logger_to(lines_to, settings.log_level, settings.secrets)
        self.view = TerminalView(self.console) if self.on_terminal else None
        self.tell = Telemetry(self.run.id, self.logger, self.interrupts, self.view)

    def execute(self) -> int:

        settings = self.settings
        with cloudwatch(self.logger, settings.log_group, self.run.id, settings.aws_region, settings.secrets):
            code = self._guarded()
        with contextlib.suppress(BrokenPipeError):  # whoever read the output has left; the work is done all the same
            self._print_result(code)
        return code

    def _print_result(self, code: int) -> None:
        settings = self.settings
        if not self.on_terminal and not self.request.as_json and self.request.command != "plan":
            print_metrics(self.report, settings.environment, datetime.now(UTC))
        if self.request.as_json:
            result = {**dataclasses.asdict(self.report), "exit_code": code}
            print(blotted(json.dumps(result, default=str, indent=1), settings.secrets))  # noqa: T201

    def _guarded(self) -> int:
        """The command, with every way it may end told in one last line."""
        report = self.report
        try:
            self.interrupts.install()
            with tempfile.TemporaryDirectory(prefix="spacex-pipeline-", ignore_cleanup_errors=True) as spool:
                self._work(Path(spool))
        except PipelineError as error:
            self.interrupts.ignore()
            self._name_target(error)
            return self._failed(error.stage, blotted(str(error), self.settings.secrets), error.exit_code)
        except BrokenPipeError:
            self.interrupts.ignore()
            return self._failed("", "whoever read the output has left", 1)
        except OSError as error:
            self.interrupts.ignore()
            return self._failed("", f"temporary files in {tempfile.gettempdir()}: {error}", 1)
        except Exception as error:  # the last line of defence says that it is ours
            self.interrupts.ignore()
            self.logger.debug("where it happened", exc_info=True)
            return self._failed("", blotted(f"a fault of the program: {type(error).__name__}: {error}", self.settings.secrets), 1)
        self.interrupts.ignore()
        self._complete()
        self.tell.event(f"{self.request.command} {report.state}", **_summary(report))
        return 0

    def _work(self, spool: Path) -> None:

        request, settings = self.request, self.settings
        limits = Limits(
            settings.max_rejected_ratio, settings.max_shrink_ratio, request.accept_shrink, request.accept_source_change
        )
        lake = S3Lake(settings)
        with self.tell.stage("connect"):
            warehouse = MysqlWarehouse(settings)
        with warehouse:
            edges = pipeline.Edges(make_source(settings, self._retried), lake, warehouse, self.tell)
            if request.command == "verify":
                if found := pipeline.verify(self.run, edges, self.report):
                    shown = "; ".join(found[:_NAMED]) + (f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
                    raise StoresDisagree(f"not as published: {shown}", hint="the next run repairs it")
                self.report.state = "verified"
                self._show_report()
            elif request.command == "plan":
                derived, plan = pipeline.plan(self.run, edges, limits, spool, self.report)
                self.report.state = "planned"
                self._show_plan(plan)
                self._show_frames(derived.snapshot.head)
            else:
                try:
                    head = pipeline.run(self.run, edges, limits, settings.stale_after_days, spool, self.report)
                except BaseException as error:
                    self.interrupts.ignore()
                    self._record_failure(warehouse, error)
                    raise
                self.interrupts.ignore()  # published and recorded: what is still to come is for the eye
                self._show_report()
                with self.interrupts.at_most(_SHOW_TIMEOUT_S):
                    self._show_frames(head)

    def _record_failure(self, warehouse: MysqlWarehouse, error: BaseException) -> None:
        """Write into pipeline_runs how the run ended, as far as that can still be reached."""
        if isinstance(error, LockHeld):
            return  # the table is the other run's at this time
        self._name_target(error)
        self._complete()
        self.report.state = "merged" if self.report.state == "merged" else "failed"
        self.report.error = blotted(str(error), self.settings.secrets)
        try:
            with self.interrupts.at_most(_LAST_WORDS_S):
                warehouse.finish(self.report)
        except PipelineError as second:
            self.tell.event(f"pipeline_runs was not updated: {second}")

    def _name_target(self, error: BaseException) -> None:
        """Say of a run that took too long what it was waiting for."""
        s = self.settings
        targets = {
            SourceError.exit_code: s.source_url,
            LakeError.exit_code: f"s3://{s.s3_bucket}/{s.s3_prefix}",
            WarehouseError.exit_code: f"{s.mysql_user}@{s.mysql_host}:{s.mysql_port}/{s.mysql_database}",
        }
        if isinstance(error, DeadlineExceeded) and error.exit_code in targets:
            error.hint = f"it was waiting for {targets[error.exit_code]}"

    def _failed(self, stage: str, message: str, code: int) -> int:
        self._complete()
        self.report.error = message
        if self.report.state not in ("merged", "failed"):
            self.report.state = "failed"
        where = f"{self.request.command}, {stage}" if stage else self.request.command
        if self.view:
            self.view.close()
            self.console.print(f"[bold red]failed[/] in {escape(where)}: {escape(message)} [dim](exit {code})[/]")

        summary = {**_summary(self.report), "stage": stage, "exit_code": code}
        self.tell.event(f"{where} failed: {message}", logging.ERROR, **summary)
        return code

    def _complete(self) -> None:
        self.report.warnings = self.tell.warnings
        self.report.stage_seconds = self.tell.stage_seconds

    def _retried(self, message: str, attempt: int, wait_s: float) -> None:
        self.tell.warn(f"attempt {attempt} failed, next in {wait_s:.1f} s: {message}")

    def _show_report(self) -> None:
        self._complete()
        if self.view:
            self.view.close()
            show_report(self.console, self.report)

    def _show_plan(self, plan: Plan) -> None:
        self.report.plan = {
            "load": [f"{table} {year}" for table, year in sorted(plan.load)],
            "put": [f"{table} {year}" for table, year in plan.put],
            "delete": [f"{table} {year}" for table, year in sorted(plan.delete)],
        }
        self._complete()
        if self.view:
            self.view.close()
            show_plan(self.console, self.report)
        else:
            self.tell.event("plan", ddl=self.report.ddl, **self.report.plan)

    def _show_frames(self, head: pipeline.Head) -> None:
        """Five rows of each table on a terminal, shape and types of each as a log line elsewhere."""
        for name in TABLES:
            try:
                some = frame(head(name, _ROWS_SHOWN))
            except PipelineError as error:
                self.tell.warn(f"rows of {name} can't be shown: {error}")
                return
            rows = self.report.rows.get(name, 0)
            if self.view:
                show_frame(self.console, name, some, rows)
            else:
                types = {column: str(kind) for column, kind in some.dtypes.items()}
                self.tell.event(f"frame {name}", table=name, shape=[rows, some.shape[1]], types=types)


def _summary(report: RunReport) -> dict[str, object]:
    """The wide line at the end."""
    return {
        "state": report.state,
        "source": report.source,
        "rows": report.rows,
        "merged": {table: vars(merged) for table, merged in report.merged.items()},
        "files_written": report.files_written,
        "files_deleted": report.files_deleted,
        "rejected": report.rejected,
        "retained": report.retained,
        "stores_equal": report.stores_equal,
        "warnings": len(report.warnings),
        "stage_seconds": {name: round(s, 3) for name, s in report.stage_seconds.items()},
    }


if __name__ == "__main__":
    main()
