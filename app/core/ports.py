"""The systems that a run works with, as it sees them: one source, the lake, the warehouse."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from .checksum.digest import Checksum
from .model import (
    ArchivedResponse,
    Body,
    Checked,
    LastRun,
    Manifest,
    Merged,
    PartitionKey,
    Pointer,
    RawObject,
    Rejected,
    Response,
    Rows,
    Run,
    RunSummary,
    StoredObject,
    WrittenFile,
)

SetAside = Callable[[Rejected, Any], None]
"""Takes a record that can't be used, and what is wrong with it."""


class Parser(Protocol):
    """Reads one source's records, given its look-ups."""

    def parse(self, raw: Any, checked: Checked) -> Rows:
        """The rows of one launch; counts in `checked` what it met. Raises `pydantic.ValidationError` or `fields.InvalidField`."""


class Source(Protocol):
    """An API that knows launches."""

    name: str
    url: str

    def extract(self, previous: Mapping[str, ArchivedResponse], spool: Path) -> Iterator[Response]:
        """Every endpoint's answer, spooled; `previous` makes the requests conditional, or lets changes do."""

    def launches(self, response: Response) -> Iterator[list[tuple[int, Any]]]:
        """The launch records in batches, each with its place in the answer."""

    def parser(self, responses: Mapping[str, Response], set_aside: SetAside) -> Parser:
        """A parser that knows the look-ups; those that can't be used are set aside."""

    def probe(self, now: datetime, spool: Path) -> str:
        """What can be told by one small request: version, newest past launch. Raises SourceError."""


class Lake(Protocol):
    """The bucket."""

    unexpected_objects: list[str]
    place: str

    def latest(self) -> Pointer: ...
    def manifest(self, run_id: str) -> Manifest | None: ...
    def published_run_ids(self) -> list[str]: ...
    def received(self, source: str, run_id: str) -> dict[str, ArchivedResponse]: ...
    def partitions(self) -> dict[PartitionKey, StoredObject]: ...
    def archive(self, run: Run, name: str, number: int, body: Body) -> RawObject: ...
    def restore(self, response: Response, spool: Path) -> Response: ...
    def check_raw(self, raw: RawObject) -> None: ...
    def quarantine(self, run: Run, lines: Path) -> str: ...
    def write(
        self, run: Run, key: PartitionKey, rows: Iterable[pa.Table], checksum: Checksum, over: StoredObject | None
    ) -> WrittenFile: ...
    def read(self, key: str, version_id: str | None) -> pa.Table: ...
    def checksum(self, file: WrittenFile) -> Checksum: ...
    def delete(self, stored: StoredObject) -> None: ...
    def publish(self, manifest: Manifest, over: Pointer) -> None: ...
    def publish_report(self, page: str) -> str: ...


class Merge(Protocol):
    """An open merge transaction: merged, not committed; leaving it without `commit` rolls back."""

    merged: dict[str, Merged]

    def checksums(self, keys: Iterable[PartitionKey]) -> dict[PartitionKey, Checksum]: ...
    def counts(self) -> dict[PartitionKey, int]: ...
    def commit(self) -> None: ...


class Warehouse(Protocol):
    """The MySQL database, reached through one connection that holds the run lock."""

    def lock(self, wait_s: int = 0) -> None: ...
    def pending_ddl(self) -> list[str]: ...
    def prepare(self, run: Run) -> tuple[LastRun, list[str], list[str]]: ...
    def start(self, run: Run) -> None: ...
    def last_run(self) -> LastRun: ...
    def runs(self, limit: int) -> list[dict[str, Any]]: ...
    def one_run(self, run_id: str) -> dict[str, Any] | None: ...
    def counts(self) -> dict[PartitionKey, int]: ...
    def checksums(self, keys: Iterable[PartitionKey]) -> dict[PartitionKey, Checksum]: ...
    def launch_ids(self) -> set[str]: ...
    def rows_of(self, ids: Iterable[str]) -> dict[str, pa.Table]: ...
    def rows_of_years(self, table: str, years: Iterable[int]) -> pa.Table: ...
    def merge(
        self, run: Run, staged: Mapping[str, Iterable[pa.Table]], scope: Mapping[str, set[int]]
    ) -> AbstractContextManager[Merge]: ...
    def finish(self, report: RunSummary) -> None: ...
