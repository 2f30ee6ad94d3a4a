"""What a person or a scheduler asked for on the command line."""

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True)
class Request:
    """One command with its options."""

    command: str
    as_json: bool = False
    accept_shrink: bool = False
    accept_source_change: bool = False
    heal: bool = False
    run_id: str | None = None
    since: date | None = None
    until: date | None = None
    to_prefix: str | None = None
    to_database: str | None = None
    processes: int | None = None
    limit: int = 20
    rows: int | None = None
    out: Path | None = None
    publish: bool = False
    action: str = ""
    tables: tuple[str, ...] = ()
    lifetime_s: int = 3_600
    env_files: tuple[Path, ...] = ()

    @property
    def log_stream(self) -> TextIO:
        """The stream for log lines: not the one that the result goes to."""
        return sys.stderr if self.as_json else sys.stdout

    @property
    def is_watched(self) -> bool:
        """Whether it is a terminal, with a person in front of it."""
        return self.log_stream.isatty()

    @property
    def needs_frames(self) -> bool:
        """Whether the command works with pandas: to show rows on a terminal, or to count for the report."""
        return self.is_watched or self.command == "report"
