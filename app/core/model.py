"""What flows through a run: frozen types."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field

Row = dict[str, Any]
Rows = dict[str, list[Row]]
"""Canonical rows of some launches, by table; without `row_hash`, which the transform adds."""

PartitionKey = tuple[str, int]
"""Table and launch year."""


@dataclass(frozen=True)
class Run:
    """One run's identity, given to it and never invented inside.

    `as_of` is when it began. A replay into another place `is_elsewhere`: there it is as if the run that it repeats had run, and
    `as_of` is when that began.
    """

    id: str
    started_at: datetime
    source: str
    as_of: datetime
    replayed_run_id: str | None = None
    command: str = "run"
    is_elsewhere: bool = False

    @property
    def history_id(self) -> str:
        """The id that the history names: elsewhere that of the run that is repeated."""
        return self.replayed_run_id if self.is_elsewhere and self.replayed_run_id else self.id


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
    """The verdict on some records: rows to keep, records to set aside, and what was odd but harmless."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    rejected: list[tuple[Rejected, Any]] = field(default_factory=list)  # each with its record
    unknown_fields: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    references: Counter[tuple[str, str, bool]] = field(default_factory=Counter)  # kind of lookup, id, whether it is known


class LookupUse(_Frozen):
    """How well one kind of lookup served: how often launches refer to one, and how many of these references were known."""

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
    sha256: str = ""  # of its bytes; manifests that are older than this have none


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
    code: str = ""  # the digest of the code that made the rows
    rejected_ids: list[str] = Field(default_factory=list)
    unknown_fields: dict[str, int] = Field(default_factory=dict)  # how many records have each
    notes: dict[str, int] = Field(default_factory=dict)  # how many launches are worth each
    iceberg: dict[str, int] = Field(default_factory=dict)  # the snapshot of each Iceberg table, where there are any

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


class UnreadableRecord:
    """A record that is well-formed JSON but that Python can't hold: nested too deeply, or a number of too many digits."""

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        self.reason = reason
