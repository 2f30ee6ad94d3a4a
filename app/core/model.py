"""What flows through a run: frozen types."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field

Row = dict[str, Any]
Rows = dict[str, list[Row]]
"""Canonical rows of some launches, by table; without `row_hash`, which the transform adds."""

PartitionKey = tuple[str, int]
"""Table and launch year."""


@dataclass(frozen=True)
class Run:
    """One run's identity, given to it and never invented inside.

    `as_of` is when it began, or, for a replay into another place, when the run that it repeats did.
    """

    id: str
    started_at: datetime
    source: str
    as_of: datetime
    replayed_run_id: str | None = None
    command: str = "run"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True)


# --- extracted and archived ---------------------------------------------------------------------------------------


class RawObject(_Frozen):
    """One archived body: where it is in the bucket, and the digest and size of what the API sent."""

    key: str
    version_id: str
    sha256: str
    size: int


class Watermark(_Frozen):
    """How far an API that can tell changes has been read."""

    full_at: AwareDatetime  # when everything was read last
    total: int  # how many records there were then
    changed_at: AwareDatetime  # the newest change received since
    recent: dict[str, AwareDatetime]  # records that changed shortly before, and when: they are asked for again


class ArchivedResponse(_Frozen):
    """All bodies of one endpoint that a snapshot rests on, later ones before earlier ones where they hold the same record."""

    etag: str | None
    objects: list[RawObject]
    watermark: Watermark | None = Field(
        default=None, validation_alias=AliasChoices("watermark", "progress"), serialization_alias="progress"
    )  # as manifests have always called it


@dataclass(frozen=True)
class Body:
    """One body as the API sent it, spooled to disk."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class Response:
    """What one endpoint answered: its bodies in order, or none after a 304.

    `archived` is set when the answer is what an earlier run archived already: a 304, or the same bytes. `base` is set when the
    bodies hold changes only: they come on top of what an earlier run archived.
    """

    name: str
    etag: str | None
    bodies: tuple[Body, ...]
    archived: ArchivedResponse | None = None
    base: ArchivedResponse | None = None
    watermark: Watermark | None = None

    @classmethod
    def answered(cls, name: str, etag: str | None, bodies: tuple[Body, ...], before: ArchivedResponse | None) -> "Response":
        """An answer with bodies, compared with what an earlier run archived."""
        same = before is not None and [b.sha256 for b in bodies] == [o.sha256 for o in before.objects]
        return cls(name, etag, bodies, before if same else None)

    def kept(self, objects: list[RawObject]) -> ArchivedResponse:
        """What the archive has of it, once its new bodies are these objects."""
        if self.archived:
            return self.archived.model_copy(update={"etag": self.etag})
        earlier = self.base.objects if self.base else []
        return ArchivedResponse(etag=self.etag, objects=[*earlier, *objects], watermark=self.watermark)

    @property
    def new_bodies(self) -> tuple[Body, ...]:
        """The bodies that no earlier run has archived."""
        return () if self.archived else self.bodies


# --- validated ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rejected:
    """A record that can't be used: where it stood, and what is wrong with which field. The record itself goes to a file."""

    endpoint: str
    index: int
    id: str | None
    path: str
    value: str
    reason: str
    is_text: bool = False  # the value, which is shown without quotes


@dataclass
class Checked:
    """The verdict on one batch of records: rows to keep, records to set aside, and what was odd but harmless."""

    rows: Rows
    ids: list[str] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    rejected: list[tuple[Rejected, Any]] = field(default_factory=list)  # each with its record
    unknown_fields: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    references: Counter[tuple[str, str, bool]] = field(default_factory=Counter)  # kind of look-up, id, whether it is known
    looked_up_chars: int = 0  # text that the rows have from look-ups


class LookupUse(_Frozen):
    """How well one look-up served: different ids that launches named, and all references, each with how many were known."""

    ids: int
    known_ids: int
    references: int
    resolved: int


# --- partitions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredObject:
    """The newest version of an object that the bucket lists under a partition's key."""

    key: str
    etag: str
    version_id: str


class WrittenFile(_Frozen):
    """One partition's object, as the manifest names it."""

    table: str
    year: int
    key: str
    version_id: str
    etag: str
    rows: int
    digest: str
    size: int


class Manifest(_Frozen):
    """What one run published: the commit point of the lake. It claims only what both stores hold."""

    run_id: str
    published_at: AwareDatetime
    source: str
    source_url: str
    app_version: str
    schema_version: int
    transform_version: int
    endpoints: dict[str, ArchivedResponse]
    files: list[WrittenFile]
    rejected: int
    retained_ids: list[str]
    lookups: dict[str, LookupUse]
    newest_launch_utc: AwareDatetime | None
    as_of: AwareDatetime
    replayed_run_id: str | None
    number: int = 0  # the run's, as MySQL gave it; 0 in manifests older than the numbers

    def by_partition(self) -> dict[PartitionKey, WrittenFile]:
        """The files by table and year."""
        return {(f.table, f.year): f for f in self.files}


@dataclass(frozen=True)
class Pointer:
    """The published manifest and the pointer's ETag, which the next publication must still find.

    `fault`: why the pointer or its manifest can't be believed; there is no manifest then. `warning`: what was found wrong and
    could be set right by reading.
    """

    manifest: Manifest | None
    etag: str | None
    fault: str | None = None
    warning: str | None = None


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
    HEALTHY = auto()
    READY = auto()

    @property
    def is_good(self) -> bool:
        """Whether the command did what it was asked for."""
        return self not in (RunState.RUNNING, RunState.MERGED, RunState.FAILED)


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

    `number` is this run's; `clock_skew_s` how far this machine's clock is ahead of the server's.
    """

    number: int
    last_run: LastRun
    ddl: list[str]
    unknown_columns: list[str]
    clock_skew_s: float


@dataclass(frozen=True)
class Merged:
    """Rows of one table that a merge touched."""

    inserted: int
    updated: int
    deleted: int


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
    plan: dict[str, Any] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    replayed: list[dict[str, Any]] = field(default_factory=list)
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


class UnreadableRecord:
    """A record that is well-formed JSON but that Python can't hold: nested too deeply, or a number of too many digits."""

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        self.reason = reason


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

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "PastRun":
        """The run that a row of `pipeline_runs` tells of."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__} | {"state": RunState(row["state"])})

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
