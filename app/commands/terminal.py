"""What a person at a terminal sees: how far a run is, its result, and rows of the tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..core.health import Check
from ..core.model import RunState, RunSummary
from ..core.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd

_INNER = {"put", "prove", "commit"}  # stages within merge
_CELL_CHARS = 32
_NAMED = 8
_CHANGES = 20
_SHOWN_COLUMNS = {
    "launches": ["name", "date_utc", "date_precision", "status", "rocket_name", "launchpad_name", "payload_count"],
    "launch_cores": [
        "launch_id",
        "core_serial",
        "flight_number",
        "reused",
        "landing_success",
        "landing_type",
        "landpad_name",
    ],
    "launch_payloads": ["launch_id", "name", "type", "customers", "mass_kg", "orbit"],
    "launch_failures": ["launch_id", "time_s", "altitude_km", "reason"],
    "launch_changes": ["launch_id", "changed_at", "column", "old", "new"],
    "launch_crew": ["launch_id", "crew_id", "name", "role"],
}


class Terminal:
    """Shows the stage at work as a moving bar, warnings above it, and results below."""

    def __init__(self, *, stderr: bool) -> None:
        self._console = Console(stderr=stderr, highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task: TaskID | None = None

    def stage(self, name: str, detail: str, done: int = 0, total: int | None = None) -> None:
        """A stage began, or moved; without a total the bar only shows that it does."""
        text = f"{name} [dim]{escape(detail)}[/]" if detail else name
        if self._task is None:
            self._task = self._progress.add_task(text)
            self._progress.start()
        self._progress.update(self._task, description=text, completed=done, total=total)

    def warning(self, message: str) -> None:
        """Something to look at."""
        self._console.print(f"[yellow]warning[/] {escape(message)}")

    def done(self, what: str, detail: str) -> None:
        """A command without a table has done its work."""
        self._close()
        self._console.print(f"[bold green]{what}[/] {escape(detail)}", soft_wrap=True)

    def failed(self, where: str, message: str, code: int) -> None:
        """The last line of a command that failed."""
        self._close()
        self._console.print(f"[bold red]failed[/] in {escape(where)}: {escape(message)} [dim](exit {code})[/]")

    def show_summary(self, report: RunSummary) -> None:
        """The result of a run as a table."""
        self._close()
        color = _color(report.state)
        seconds = sum(report.stage_seconds.get(stage, 0) for stage in report.stage_seconds if stage not in _INNER)
        self._console.print(f"\n[bold {color}]{report.state}[/]  run {report.run_id}  source {report.source}  {seconds:.1f} s")
        table = Table("table", box=None, padding=(0, 2, 0, 0))
        for header in ("rows", "inserted", "updated", "deleted"):
            table.add_column(header, justify="right")
        for name in TABLES:
            merged = report.merged.get(name)
            actions = [merged.inserted, merged.updated, merged.deleted] if merged else [0, 0, 0]
            table.add_row(name, *(f"{n:,}" for n in (report.rows.get(name, 0), *actions)))
        self._console.print(table)
        facts = [
            f"{report.files_written} files written, {report.files_deleted} deleted",
            f"{report.rejected} launches rejected",
        ]
        if report.retained:
            facts.append(f"{report.retained} kept with their last good rows")
        if report.stores_equal is not None:
            facts.append("stores are equal" if report.stores_equal else "[red]stores disagree[/]")
        self._console.print("; ".join(facts))

    def show_checks(self, checks: Iterable[Check]) -> None:
        """What the doctor found, one line each, the repair below what failed."""
        self._close()
        for check in checks:
            style = {"pass": "green", "warn": "yellow", "FAIL": "bold red"}[check.verdict]
            self._console.print(f"[{style}]{check.verdict}[/] {check.name}: {escape(check.found)}")
            if check.verdict != "pass" and check.hint:
                self._console.print(f"     [yellow]→ {escape(check.hint)}[/]")

    def show_runs(self, runs: Iterable[dict[str, Any]]) -> None:
        """The last runs as a table, newest first."""
        self._close()
        table = Table("run", "started (UTC)", "result", "source", "version", box=None, padding=(0, 2, 0, 0))
        for header in ("seconds", "slowest stage", "launches", "written", "rejected"):
            table.add_column(header, justify="right")
        for run in runs:
            seconds, slowest = "", ""
            if run["finished_at"]:
                seconds = f"{(run['finished_at'] - run['started_at']).total_seconds():.1f}"
            if stages := {name: s for name, s in run["stage_seconds"].items() if name not in _INNER}:
                name = max(stages, key=lambda stage: stages[stage])
                slowest = f"{name} {stages[name]:.1f}"
            rows = run["rows_by_table"]
            written = sum(n or 0 for counts in rows.values() for action, n in counts.items() if action != "total")
            color = _color(RunState(run["state"]))
            launches = rows.get("launches", {}).get("total")
            table.add_row(
                run["run_id"],
                f"{run['started_at']:%Y-%m-%d %H:%M:%S}",
                f"[{color}]{run['state']}[/]",
                run["source"],
                run["app_version"],
                seconds,
                slowest,
                "" if launches is None else f"{launches:,}",
                f"{written:,}",
                str(run["rejected"] or 0),
            )
        self._console.print(table)

    def show_run(self, runs: Iterable[dict[str, Any]]) -> None:
        """All that is known of one run."""
        self._close()
        for run in runs:
            for name, value in run.items():
                if name == "rows_by_table":
                    for table, counts in value.items():
                        shown = ", ".join(f"{n} {action}" for action, n in counts.items())
                        self._console.print(f"[bold]{table}[/] {shown}")
                elif name == "stage_seconds":
                    self._console.print("[bold]stages[/] " + ", ".join(f"{stage} {s:.3f} s" for stage, s in value.items()))
                else:
                    self._console.print(f"[bold]{name}[/] {escape(str(value))}")

    def show_plan(self, report: RunSummary) -> None:
        """What a run would do."""
        self._close()
        title = "[bold red]would be refused[/]" if report.plan["refused"] else "[bold green]planned[/]"
        self._console.print(f"\n{title}  source {report.source}; nothing was written")
        for reason in report.plan["refused"]:
            self._console.print(f"[red]gate[/] {escape(reason)}")
        table = Table("table", box=None, padding=(0, 2, 0, 0))
        for header in ("rows", "add", "change", "remove"):
            table.add_column(header, justify="right")
        for name, counts in report.plan["rows"].items():
            numbers = (report.rows.get(name, 0), counts["add"], counts["change"], counts["remove"])
            table.add_row(name, *(f"{n:,}" for n in numbers))
        self._console.print(table)
        changes = report.plan["changes"]
        for change in changes[:_CHANGES]:
            key = " ".join(map(str, change["key"]))
            values = f"{_shown_value(change['old'])} → {_shown_value(change['new'])}"
            self._console.print(f"{change['table']} {key} [bold]{change['column']}[/]: {values}")
        if len(changes) > _CHANGES:
            self._console.print("more changes: plan --json")
        for statement in report.ddl:
            self._console.print(f"DDL: {escape(statement.split(' (')[0])} …")
        for action, where in (("load", "MySQL"), ("put", "S3"), ("delete", "S3")):
            names = report.plan[action]
            shown = ", ".join(names[:_NAMED]) + (f", and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            self._console.print(f"{action} {len(names)} partitions in {where}{': ' if names else ''}{shown}")
        for reject in report.plan["quarantine"][:_NAMED]:
            where = f"{reject['endpoint']}[{reject['index']}] {reject['id'] or ''}"
            self._console.print(f"quarantine {escape(where)}: {escape(reject['path'])}: {escape(reject['reason'])}")
        self._console.print(f"{report.rejected} launches would be rejected, {report.retained} kept with their last good rows")

    def show_frame(self, name: str, frame: "pd.DataFrame", rows: int) -> None:
        """Some rows of a table, the columns that tell most."""
        title = f"{name}: {rows:,} rows, {frame.shape[1]} columns"
        table = Table(*_SHOWN_COLUMNS[name], title=title, title_justify="left")
        some = frame[_SHOWN_COLUMNS[name]]
        for row in some.astype(object).where(some.notna(), "").itertuples(index=False):
            table.add_row(*map(_shown, row))
        self._console.print(table)

    def _close(self) -> None:
        """The moving line is over."""
        if self._task is not None:
            self._progress.stop()


def _shown_value(value: str | None) -> str:
    return "null" if value is None else _shown(value)


def _shown(value: object) -> str:
    text = str(value).removesuffix("+00:00")
    return escape(text if len(text) <= _CELL_CHARS else text[: _CELL_CHARS - 1] + "…")


def _color(state: RunState) -> str:
    if state.is_good:
        return "green"
    return "red" if state is RunState.FAILED else "yellow"
