"""What a person at a terminal sees: the progress of a run, its result, and rows of the tables.

Nothing here uses rich's markup: text from outside would be taken for it. Every text passes `_plain` on its way.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from ..core.health import Check
from ..telemetry.output import ESCAPED
from ..telemetry.redaction import redacted
from ..telemetry.text import printable
from .verdict import Line, color

if TYPE_CHECKING:
    import pandas as pd

_CELL_CHARS = 32
_LEAST_CELL_CHARS = 12  # of a value that shares a line, however narrow the terminal is
_INDENT = "    "
_WHOLE_MINUTE = re.compile(r"(?<=^\d{4}-\d\d-\d\d \d\d:\d\d):00(?:\.0+)?$")
_RUN_LINE = "{:25}  {:7}  {:9}  {:>7}  {:>10}  {:>6}"
_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_EDGES = 3  # between two cells of a table with lines
_SHOWN_COLUMNS = {
    "launches": ["name", "date_utc", "date_precision", "status", "rocket_name", "launchpad_name", "payload_count"],
    "launch_cores": [
        "launch_id",
        "core_serial",
        "core_flight_number",
        "reused",
        "landing_success",
        "landing_type",
        "landpad_name",
    ],
    "launch_payloads": ["launch_id", "name", "type", "customers", "mass_kg", "orbit"],
    "launch_failures": ["launch_id", "time_s", "altitude_km", "reason"],
    "launch_changes": ["launch_id", "changed_at", "column_name", "old_value", "new_value"],
    "launch_crew": ["launch_id", "crew_id", "name", "role"],
}


class Terminal:
    """Shows the stage at work as a moving bar, warnings above it, and results below."""

    def __init__(self, stream: TextIO, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = secrets
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._encoding = self._console.encoding
        self._is_unicode = self._encoding.startswith("utf")
        columns = (
            SpinnerColumn("dots" if self._is_unicode else "line"),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task: TaskID | None = None

    def stage(self, name: str, detail: str, done: int = 0, total: int | None = None) -> None:
        """A stage began, or moved; without a total the bar only shows that it does."""
        if self._task is None:
            self._task = self._progress.add_task(name, detail="")
            self._progress.start()
        self._progress.update(self._task, description=name, detail=self._plain(detail), completed=done, total=total)

    def warning(self, message: str) -> None:
        """Something to look at."""
        self._say(("warning", "yellow"), f" {message}")

    def done(self, what: str, detail: str) -> None:
        """A command without a table has done its work."""
        self.close()
        self._say((what, "bold green"), f" {detail}")

    def failed(self, where: str, message: str, code: int) -> None:
        """The last line of a command that failed."""
        self.show_last([(("failed", "bold red"), f" in {where}: {message} ", (f"(exit {code})", "dim"))])

    def skipped(self, command: str, message: str, code: int) -> None:
        """The last line of a command that gave way to another run."""
        self.show_last([(("skipped", "bold yellow"), f" {command}: {message} ", (f"(exit {code})", "dim"))])

    def show(self, lines: Iterable[Line]) -> None:
        """Lines above the progress, as long as there is some."""
        for line in lines:
            self._say(*line)

    def show_last(self, lines: Iterable[Line]) -> None:
        """Lines that stay when everything is done."""
        self.close()
        self.show(lines)

    def cells(self, values: Sequence[object], taken: int) -> list[str]:
        """Values that share a line with so much other text; long ones from a little before the place where they differ."""
        most = max(_LEAST_CELL_CHARS, (self._console.width - taken) // len(values))
        texts = ["null" if value is None else self._plain(str(value)).removesuffix("+00:00") for value in values]
        if max(map(len, texts)) > most:
            texts = [_WHOLE_MINUTE.sub("", text) for text in texts]
        if max(map(len, texts)) <= most:
            return texts
        alike = sum(1 for _ in takewhile(lambda characters: len(set(characters)) == 1, zip(*texts, strict=False)))
        start = max(0, alike - most // 3)
        before = self._plain("…") if start else ""
        return [self._clipped(before + text[start:], most) for text in texts]

    def show_checks(self, checks: Iterable[Check]) -> None:
        """What the doctor found, one line each, the repair below what failed."""
        self.close()
        for check in checks:
            style = {"pass": "green", "warn": "yellow", "FAIL": "bold red"}[check.verdict]
            self._say((check.verdict, style), f" {check.name}: {check.found}")
            if check.verdict != "pass" and check.hint:
                self._say("     ", (f"→ {check.hint}", "yellow"))

    def show_runs(self, runs: Iterable[dict[str, Any]]) -> None:
        """The last runs, newest first, a line each within 80 columns; below it the reason of one that failed."""
        self.close()
        now = datetime.now(UTC)
        listed = list(runs)
        if not listed:
            self._say("there is no run yet; next: run")
            return
        self._say((_RUN_LINE.format("run", "command", "result", "seconds", "written", "age"), "bold"))
        for run in listed:
            seconds = f"{(run['finished_at'] - run['started_at']).total_seconds():.1f}" if run["finished_at"] else ""
            counts = [n or 0 for rows in run["rows_by_table"].values() for action, n in rows.items() if action != "total"]
            state = run["state"]
            age = _age((now - run["started_at"]).total_seconds())
            cells = (run["run_id"], run.get("command") or "", state, seconds, f"{sum(counts):,}", age)
            self._say((_RUN_LINE.format(*cells), color(state)))
            if run["error"]:
                reason = self._plain(run["error"])
                room = max(self._console.width - len(_INDENT), _CELL_CHARS)
                self._say(f"{_INDENT}{reason if len(reason) <= room else reason[: room - 1] + '…'}")

    def show_run(self, runs: Iterable[dict[str, Any]]) -> None:
        """All that is known of one run."""
        self.close()
        for run in runs:
            for name, value in run.items():
                if name == "rows_by_table":
                    for table, counts in value.items():
                        self._say((table, "bold"), " " + ", ".join(f"{n} {action}" for action, n in counts.items()))
                elif name == "stage_seconds":
                    self._say(("stages", "bold"), " " + ", ".join(f"{stage} {s:.3f} s" for stage, s in value.items()))
                elif value is not None:
                    self._say((name, "bold"), f" {value}")

    def show_snapshots(self, snapshots: Iterable[dict[str, Any]]) -> None:
        """Published snapshots, newest first."""
        self.close()
        table = _table("snapshot", "published", "launches", "rows", "files", "bytes", numbers_from=2)
        for one in snapshots:
            sizes = list(one["tables"].values())
            totals = (sum(size[name] for size in sizes) for name in ("rows", "files", "bytes"))
            numbers = (one["tables"]["launches"]["rows"], *totals)
            table.add_row(
                *map(self._text, (one["run_id"], f"{one['published_at']:%Y-%m-%d %H:%M:%S}")), *(f"{n:,}" for n in numbers)
            )
        self._console.print(table)

    def show_snapshot(self, one: dict[str, Any]) -> None:
        """What one snapshot holds."""
        self.close()
        for file in one["files"]:
            self._say(f"{file['table']} {file['year']}", (f"  {file['rows']:,} rows, version {file['version_id']}", "dim"))
        self._say()
        self._say(
            ("snapshot", "bold"),
            f" {one['run_id']}  source {one['source']}  published {one['published_at']:%Y-%m-%d %H:%M:%S} UTC",
        )
        table = _table("table", "rows", "files", "bytes", numbers_from=1)
        for name, size in one["tables"].items():
            table.add_row(self._text(name), *(f"{size[what]:,}" for what in ("rows", "files", "bytes")))
        self._console.print(table)

    def show_urls(self, urls: Iterable[dict[str, Any]]) -> None:
        """One URL a line, to be copied."""
        self.close()
        for one in urls:
            self._say(one["url"])

    def show_frame(self, name: str, frame: "pd.DataFrame", rows: int) -> None:
        """Some rows of a table, the columns that tell most, as many of them as fit the width."""
        self._say()
        self._say((f"{name}: {rows:,} rows, {frame.shape[1]} columns", "italic"))
        if frame.empty:
            return
        some = frame[_SHOWN_COLUMNS[name]]
        cells = [
            [self._cell(value) for value in row] for row in some.astype(object).where(some.notna(), "").itertuples(index=False)
        ]
        widths = [max(map(cell_len, (header, *column))) for header, *column in zip(_SHOWN_COLUMNS[name], *cells, strict=True)]
        fitting = 1
        while fitting < len(widths) and sum(widths[: fitting + 1]) + _EDGES * (fitting + 1) + 1 <= self._console.width:
            fitting += 1
        table = Table(*_SHOWN_COLUMNS[name][:fitting])
        for row in cells:
            table.add_row(*map(Text, row[:fitting]))
        self._console.print(table)

    def close(self) -> None:
        """No more progress: take the bar away and show the cursor again."""
        if self._task is not None:
            self._progress.stop()
            self._console.show_cursor()

    def _say(self, *parts: str | tuple[str, str]) -> None:
        """A line, each part plain or with its style; longer than the terminal is wide it stays one, for the terminal to wrap."""
        self._console.print(self._text(*parts), soft_wrap=True)

    def _text(self, *parts: str | tuple[str, str]) -> Text:
        return Text.assemble(*(self._plain(part) if isinstance(part, str) else (self._plain(part[0]), part[1]) for part in parts))

    def _cell(self, value: object) -> str:
        """A value in a cell."""
        return self._clipped("" if value is None else self._plain(str(value)).removesuffix("+00:00"))

    def _clipped(self, text: str, most: int = _CELL_CHARS) -> str:
        return text if len(text) <= most else text[: most - 1] + self._plain("…")

    def _plain(self, text: str) -> str:
        """The text without secrets, and without anything that a terminal would obey or can't show."""
        text = printable(redacted(text, self._secrets))
        if self._is_unicode:
            return text
        return text.replace("→", "->").replace("…", "...").encode(self._encoding, ESCAPED).decode(self._encoding)


def _age(seconds: float) -> str:
    """How long ago, in the largest unit that fits; of a clock that is ahead, now."""
    for unit_s, name in _AGES:
        if seconds >= unit_s:
            return f"{seconds // unit_s:.0f} {name}"
    return "now"


def _table(*headers: str, numbers_from: int) -> Table:
    """A table without lines, numbers to the right."""
    columns = [Column(header, justify="left" if at < numbers_from else "right") for at, header in enumerate(headers)]
    return Table(*columns, box=None, padding=(0, 2, 0, 0))
