"""Runs and how they ended: as `pipeline_runs` knows them, and as one reports of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Any

from typing_extensions import TypedDict

from .results import Planned, RowDifference


class RunState(StrEnum):
    """How far a run is, or how a command ended. The first five are those of `pipeline_runs`."""

    RUNNING = auto()
    MERGED = auto()
    PUBLISHED = auto()
    UNCHANGED = auto()
    FAILED = auto()
    VERIFIED = auto()
    HEALED = auto()
    PLANNED = auto()
    LISTED = auto()
    REPORTED = auto()
    MAINTAINED = auto()
    HEALTHY = auto()
    READY = auto()
    SKIPPED = auto()

    @property
    def is_good(self) -> bool:
        """Whether the command did what it was asked for."""
        return self not in (RunState.RUNNING, RunState.MERGED, RunState.FAILED, RunState.SKIPPED)


@dataclass(frozen=True)
class LastRun:
    """The newest run that `pipeline_runs` knows, and the newest one that merged, with its schema and transform versions.

    Runs are ordered by the numbers that the server gave them under the lock, never by a clock.
    """

    state: RunState | None = None
    merged_id: str | None = None
    merged_number: int = 0
    merged_source: str | None = None
    merged_versions: tuple[int, int] | None = None


@dataclass(frozen=True)
class Prepared:
    """What the database was before a run, and what was done to make it ready.

    `number` is this run's; `clock_skew_s` how far this machine's clock is ahead of the server's; `missing_views` are those that
    could not be made, with the reason.
    """

    number: int
    last_run: LastRun
    ddl: list[str]
    unknown_columns: list[str]
    clock_skew_s: float
    missing_views: list[str]


@dataclass(frozen=True)
class Merged:
    """Rows of one table that a merge touched."""

    inserted: int
    updated: int
    deleted: int


class ReplayedRun(TypedDict):
    """One of the runs that a replay repeated; `warnings` and `repaired` are counts."""

    replayed_run_id: str
    state: RunState
    source: str
    rows: dict[str, int]
    merged: dict[str, Merged]
    files_written: int
    files_deleted: int
    rejected: int
    retained: int
    repaired: int
    stores_equal: bool | None
    warnings: int
    stage_seconds: dict[str, float]


@dataclass
class RunSummary:
    """What a run did, on success and on failure alike."""

    run_id: str
    source: str
    started_at: datetime
    command: str = "run"
    number: int | None = None
    state: RunState = RunState.RUNNING
    error: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    merged: dict[str, Merged] = field(default_factory=dict)
    files_written: int = 0
    files_deleted: int = 0
    rejected: int = 0
    retained: int = 0
    stores_equal: bool | None = None
    newest_launch_utc: datetime | None = None
    warnings: list[str] = field(default_factory=list)
    ddl: list[str] = field(default_factory=list)
    plan: Planned = field(default_factory=Planned)
    repaired: list[str] = field(default_factory=list)
    differences: list[RowDifference] = field(default_factory=list)
    replayed: list[ReplayedRun] = field(default_factory=list)
    stage_seconds: dict[str, float] = field(default_factory=dict)

    def log_fields(self) -> dict[str, object]:
        """The fields of the wide line at the end of a run."""
        return {
            "state": self.state,
            "source": self.source,
            "rows": self.rows,
            "merged": {table: vars(merged) for table, merged in self.merged.items()},
            "files_written": self.files_written,
            "files_deleted": self.files_deleted,
            "rejected": self.rejected,
            "retained": self.retained,
            "repaired": len(self.repaired),
            "stores_equal": self.stores_equal,
            "warnings": len(self.warnings),
            "stage_seconds": {name: round(s, 3) for name, s in self.stage_seconds.items()},
        }


class RecordedRun(TypedDict):
    """A row of `pipeline_runs`."""

    run_id: str
    source: str | None
    started_at: datetime
    finished_at: datetime | None
    state: RunState
    rows_by_table: dict[str, Any]
    rejected: int | None
    stage_seconds: dict[str, Any]
    app_version: str | None
    schema_version: int | None
    transform_version: int | None
    error: str | None
    number: int | None
    command: str | None
    replayed_run_id: str | None


@dataclass(frozen=True)
class PastRun:
    """A run as `pipeline_runs` has it, with what follows from it."""

    run_id: str
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    rows_by_table: dict[str, dict[str, int | None]]
    rejected: int | None
    error: str | None
    number: int | None = None
    command: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "PastRun":
        """The run that a row of `pipeline_runs` tells of; what are no counts there, somebody else wrote, and are left out."""
        fields = {name: row[name] for name in cls.__dataclass_fields__}
        return cls(**fields | {"state": RunState(row["state"]), "rows_by_table": _counts(row["rows_by_table"])})

    @property
    def is_unchanged(self) -> bool:
        """Whether it asked the source, and found nothing new and nothing to repair."""
        return self.state is RunState.UNCHANGED and self.command != "verify"

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it has not ended."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None

    @property
    def launches(self) -> int | None:
        """How many launches there were after it; None when it did not get that far."""
        return self.rows_by_table.get("launches", {}).get("total")

    @property
    def rows_written(self) -> int:
        """Rows that it inserted, updated or deleted, in all tables."""
        return sum(n or 0 for counts in self.rows_by_table.values() for action, n in counts.items() if action != "total")


def _counts(found: Mapping[str, Any]) -> dict[str, dict[str, int | None]]:
    tables = {table: counts for table, counts in found.items() if isinstance(counts, dict)}
    return {table: {k: n for k, n in counts.items() if n is None or type(n) is int} for table, counts in tables.items()}
