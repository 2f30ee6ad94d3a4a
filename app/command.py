"""Settings to adapters to command to its result: the only place where things are wired together."""

import contextlib
import dataclasses
import gc
import json
import logging
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import cli, doctor, initdb, pipeline
from app.derive import read_files
from app.edges import Edges
from app.errors import (
    DeadlineExceeded,
    GateRefused,
    LakeError,
    LockHeld,
    PipelineError,
    SettingsError,
    SourceError,
    StoresDisagree,
    Unhealthy,
    WarehouseError,
    some,
)
from app.interrupt import Interrupts
from app.lake import S3Lake
from app.reconcile import Held, Limits, is_mysql_ahead
from app.records import ArchivedEndpoint, Lake, Manifest, Run, RunReport, Warehouse
from app.schema import TABLES
from app.settings import Settings, load_settings
from app.sources import make_source
from app.sources.archive import ArchivedSource, archived_run
from app.telemetry import Telemetry, blotted, cloudwatch, logger_to, print_metrics
from app.transform import frame, frame_types
from app.warehouse import MysqlWarehouse

if TYPE_CHECKING:
    from app.console import Terminal

_ROWS_SHOWN = 5
_GC_THRESHOLD = 50_000  # batches are many objects and no cycles: searched at the default, reading takes almost twice the time
_NAMED = 10
_MEASURED = ("run", "verify", "replay")
_LOOKING = ("doctor", "runs", "report")  # these change no data, and leave no log stream
_LAST_WORDS_S = 4  # for what a failed run still writes into pipeline_runs
_SHOW_TIMEOUT_S = 5


def new_run_id(started_at: datetime) -> str:
    """An id that sorts by time: after the second come five hexadecimal digits of microseconds, and three of chance."""
    return f"{started_at:%Y%m%dT%H%M%SZ}-{started_at.microsecond:05x}{secrets.randbelow(1 << 12):03x}"


def execute(request: cli.Request) -> int:
    """Do what was asked; the exit code."""
    gc.set_threshold(_GC_THRESHOLD)
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
        run_id = new_run_id(started_at)
        self.replayed: list[dict[str, Any]] = []
        self.listed: list[dict[str, Any]] | dict[str, Any] | None = None
        self.view = _terminal(request) if request.is_watched else None
        self.interrupts = Interrupts(settings.run_timeout_s)
        self.logger = logger_to(None if self.view else request.lines_to, settings.log_level, settings.secrets)
        self.tell = Telemetry(run_id, self.logger, self.interrupts, self.view)
        self.source = make_source(settings, self.tell.warn)
        self.run = Run(run_id, started_at, self.source.name, started_at)
        self.report = self._new_report()

    def execute(self) -> int:
        """Do it, and print what comes after it; the exit code."""
        settings = self.settings
        group = "" if self.request.command in _LOOKING else settings.log_group
        with cloudwatch(self.logger, group, self.run.id, settings.aws_region, settings.secrets, self.tell.warn):
            code = self._guarded()
        with contextlib.suppress(BrokenPipeError):  # whoever read the output has left; the work is done all the same
            self._print_result(code)
        return code

    def _print_result(self, code: int) -> None:
        settings = self.settings
        if not self.view and not self.request.as_json and self.request.command in _MEASURED:
            command = None if code == LockHeld.exit_code else self.request.command
            print_metrics(self.report, settings.stack, datetime.now(UTC), command)
        if self.request.as_json:
            result: Any = {**dataclasses.asdict(self.report), "exit_code": code}
            if self.listed is not None:
                result = self.listed
            print(blotted(json.dumps(result, default=str, indent=1), settings.secrets))  # noqa: T201

    def _guarded(self) -> int:
        """The command, with every way it may end told in one last line."""
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
        self.tell.event(f"{self.request.command} {self.report.state}", **_summary(self.report))
        return 0

    def _work(self, spool: Path) -> None:
        """The command itself."""
        command = self.request.command
        if command == "init-db":
            self._init_db()
            return
        if command == "doctor":
            self._doctor()
            return
        settings = self.settings
        if self.request.to_prefix is not None and self.request.to_database is not None:
            settings = settings.elsewhere(self.request.to_prefix, self.request.to_database)
            if settings.s3_prefix == self.settings.s3_prefix or settings.mysql_database == self.settings.mysql_database:
                raise SettingsError("--to-prefix and --to-database must both name other places than the settings do")
        lake = S3Lake(settings)
        with self.tell.stage("connect"):
            warehouse = MysqlWarehouse(settings)
        with warehouse:
            edges = Edges(self.source, lake, warehouse, self.tell)
            if command == "verify":
                self._verify(edges, spool)
            elif command == "plan":
                self._plan(edges, spool)
            elif command == "replay":
                self._replay(edges, spool)
            elif command == "runs":
                self._runs(warehouse)
            elif command == "report":
                self._write_report(lake, warehouse)
            else:
                self._show_published(self._publish(edges, spool))

    def _publish(self, edges: Edges, spool: Path) -> pipeline.Head:
        folder = spool / self.run.id
        folder.mkdir()
        try:
            return pipeline.run(self.run, edges, self._limits(), self.settings.stale_after_days, folder, self.report)
        except BaseException as error:
            self.interrupts.ignore()
            self._record_failure(edges.warehouse, error)
            raise

    def _show_published(self, head: pipeline.Head) -> None:
        self.interrupts.ignore()  # published and recorded: what is still to come is for the eye
        self._show_report()
        with self.interrupts.at_most(_SHOW_TIMEOUT_S):
            self._show_frames(head)

    def _limits(self) -> Limits:
        settings, request = self.settings, self.request
        return Limits(settings.max_rejected_ratio, settings.max_shrink_ratio, request.accept_shrink, request.accept_source_change)

    def _plan(self, edges: Edges, spool: Path) -> None:
        try:
            derived = pipeline.plan(self.run, edges, self._limits(), spool, self.report)
        except GateRefused:
            self._show_plan()
            raise
        self.report.state = "planned"
        self._show_plan()
        self._show_frames(derived.snapshot.head)

    def _verify(self, edges: Edges, spool: Path) -> None:
        found = pipeline.verify(self.run, edges, self.report)
        if found and self.request.heal:
            self.tell.warn_if(found, "not as published")
            manifest = self._to_heal(edges)
            self._begin(manifest, manifest.as_of)
            self._publish(dataclasses.replace(edges, source=self._archived(edges.lake, manifest.endpoints, copied=False)), spool)
            state = "healed"
            self._begin(manifest, manifest.as_of)
            found = pipeline.verify(self.run, edges, self.report)
        else:
            state = "verified"
        if found:
            hint = "the next run repairs it, or verify --heal"
            raise StoresDisagree(f"not as published: {some(found, _NAMED)}", hint=hint)
        self.report.state = state
        self._show_report()

    def _to_heal(self, edges: Edges) -> Manifest:
        manifest = edges.lake.latest().manifest
        assert manifest  # it was just verified
        if manifest.source != self.source.name:
            raise SettingsError(f"what is published is of source {manifest.source}", hint="set SOURCE to it")
        last = edges.warehouse.last_run()
        if is_mysql_ahead(Held(manifest, {}, {}, last)):  # to go back would undo what that run found, and the next find it again
            raise StoresDisagree(f"run {last.merged_id} committed and ended before it published", hint="a run completes it")
        return manifest

    def _replay(self, edges: Edges, spool: Path) -> None:
        """Each run in turn, oldest first; the first that fails ends it."""
        archive = S3Lake(self.settings)
        elsewhere = edges.lake.place != archive.place
        head: pipeline.Head | None = None
        for manifest in self._to_replay(archive):
            # Elsewhere it is as if each had run then; here the tables change now.
            self._begin(manifest, manifest.as_of if elsewhere else None)
            source = self._archived(archive, manifest.endpoints, copied=elsewhere)
            head = self._publish(dataclasses.replace(edges, source=source), spool)
            self.report.replayed = [*self.replayed, {"replayed_run_id": manifest.run_id, **_summary(self.report)}]
            self.replayed = self.report.replayed
        assert head  # there was something to replay
        self._show_published(head)

    def _to_replay(self, archive: S3Lake) -> Iterator[Manifest]:
        """What was received by the runs that were asked for, as a manifest each."""
        if run_id := self.request.run_id:
            with MysqlWarehouse(self.settings) as home:
                yield archived_run(archive, self.source.name, run_id, home.one_run(run_id))
            return
        first, last = (day and f"{day:%Y%m%d}" for day in (self.request.since, self.request.until))
        chosen = [i for i in archive.published_run_ids() if (first or "0") <= i[:8] <= (last or "9")]
        found = [m for m in map(archive.manifest, chosen) if m and m.replayed_run_id is None and m.source == self.source.name]
        if not found:
            raise LakeError(f"no run of source {self.source.name} published in that time", hint="see: runs")
        yield from found

    def _archived(self, archive: Lake, endpoints: Mapping[str, ArchivedEndpoint], *, copied: bool) -> ArchivedSource:
        return ArchivedSource(self.source, archive, endpoints, copied=copied)

    def _begin(self, replayed: Manifest, as_of: datetime | None) -> None:
        """A run of its own, that repeats another."""
        started_at = datetime.now(UTC)
        self.run = Run(new_run_id(started_at), started_at, self.source.name, as_of or started_at, replayed.run_id)
        self.tell.begin(self.run.id)
        self.report = self._new_report()

    def _new_report(self) -> RunReport:
        # The telemetry goes on counting in the report itself.
        report = RunReport(self.run.id, self.run.source, self.run.started_at)
        report.warnings, report.stage_seconds = self.tell.warnings, self.tell.stage_seconds
        return report

    def _runs(self, warehouse: MysqlWarehouse) -> None:
        if self.request.run_id:
            one = warehouse.one_run(self.request.run_id)
            if one is None:
                raise SettingsError(f"pipeline_runs has no run {self.request.run_id}", hint="see: runs")
            found = [one]
        else:
            found = warehouse.runs(self.request.limit)
        self.report.state = "listed"
        self.listed = found
        if self.view:
            (self.view.show_run if self.request.run_id else self.view.show_runs)(found)
        elif not self.request.as_json:
            for one in found:
                self.tell.event(f"run {one['run_id']} {one['state']}", run=one)

    def _write_report(self, lake: S3Lake, warehouse: MysqlWarehouse) -> None:
        """From one snapshot: the versions that the manifest names, whatever is published meanwhile."""
        from app.report import report  # charts take longer to import than any other command should wait

        with self.tell.stage("read"):
            manifest = lake.latest().manifest
            if manifest is None:
                raise LakeError("nothing is published yet", hint="run the pipeline first")
            tables = {
                name: read_files(lake, table, [file for file in manifest.files if file.table == name])
                for name, table in TABLES.items()
            }
            runs = warehouse.runs(self.request.limit)
        with self.tell.stage("report"):
            page = report(manifest, tables, runs, self.run.started_at, self.settings.stale_after_days)
            # A container that publishes has no directory of its own to write to but this.
            default = Path(tempfile.gettempdir() if self.request.publish else ".", "spacex-report.html")
            out = self.request.out or default
            try:
                out.write_text(page, encoding="utf-8")
            except OSError as error:
                raise SettingsError(f"--out: {error}", hint="name a file that can be written") from error
            published_at = lake.publish_report(page) if self.request.publish else None
        self.report.state = "reported"
        self.listed = {"run_id": manifest.run_id, "file": str(out.absolute()), "object": published_at}
        if self.view:
            for place in filter(None, (self.listed["file"], self.listed["object"])):
                self.view.done("written", place)
        else:
            self.tell.event("report written", **self.listed)

    def _doctor(self) -> None:
        checks = doctor.examine(self.settings, self.source)
        self.report.state = "healthy"
        self.listed = [dataclasses.asdict(check) for check in checks]
        if self.view:
            self.view.show_checks(checks)
        else:
            for check in checks:
                self.tell.event(f"{'pass' if check.passed else 'FAIL'} {check.name}: {check.found}", **dataclasses.asdict(check))
        if failed := [check for check in checks if not check.passed]:
            raise Unhealthy(some([check.name for check in failed], _NAMED), failed[0].exit_code)

    def _init_db(self) -> None:
        settings = self.settings
        with self.tell.stage("init-db"):
            initdb.init_db(settings)
        self.report.state = "ready"
        if self.view:
            self.view.done("ready", f"user {settings.mysql_user} in {settings.mysql_database}")

    def _record_failure(self, warehouse: Warehouse, error: BaseException) -> None:
        """Write into pipeline_runs how the run ended, as far as that can still be reached."""
        if isinstance(error, LockHeld):
            return  # the table is the other run's at this time
        self._name_target(error)
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
            SourceError.exit_code: self.source.url,
            LakeError.exit_code: f"s3://{s.s3_bucket}/{s.s3_prefix}",
            WarehouseError.exit_code: f"{s.mysql_user}@{s.mysql_host}:{s.mysql_port}/{s.mysql_database}",
        }
        if isinstance(error, DeadlineExceeded) and error.exit_code in targets:
            error.hint = f"it was waiting for {targets[error.exit_code]}"

    def _failed(self, stage: str, message: str, code: int) -> int:
        self.report.error = message
        if self.report.state not in ("merged", "failed"):
            self.report.state = "failed"
        where = f"{self.request.command}, {stage}" if stage else self.request.command
        if self.view:
            self.view.failed(where, message, code)
        summary = {**_summary(self.report), "stage": stage, "exit_code": code}
        self.tell.event(f"{where} failed: {message}", logging.ERROR, **summary)
        return code

    def _show_report(self) -> None:
        if self.view:
            self.view.show_report(self.report)

    def _show_plan(self) -> None:
        if self.view:
            self.view.show_plan(self.report)
        else:
            self.tell.event("plan", **self.report.plan)

    def _show_frames(self, head: pipeline.Head) -> None:
        """Five rows of each table on a terminal, shape and types of each as a log line elsewhere."""
        for name, table in TABLES.items():
            rows = self.report.rows.get(name, 0)
            if not self.view:
                types = frame_types(table)
                self.tell.event(f"frame {name}", table=name, shape=[rows, len(types)], types=types)
                continue
            try:
                some = frame(head(name, _ROWS_SHOWN))
            except PipelineError as error:
                self.tell.warn(f"rows of {name} can't be shown: {error}")
                return
            self.view.show_frame(name, some, rows)


def _terminal(request: cli.Request) -> "Terminal":
    from app.console import Terminal  # a scheduled run does without

    return Terminal(stderr=request.as_json)


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
