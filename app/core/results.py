"""What `--json` prints beside the summary of a run: the forms of its parts, from which the JSON Schemas are made."""

from datetime import datetime
from typing import NotRequired

from typing_extensions import TypedDict  # pydantic reads the standard library's from Python 3.12 on

from .model import WrittenFile

Key = list[str | int]
"""The values of a row's key, in the order of the table's."""


class RowDifference(TypedDict):
    """A value, or a whole row, that a store does not hold as it was published.

    A value has `column` and `published` with `in_mysql` or `in_s3`, as texts. A whole row has `difference`; without a key that is
    said of the partition.
    """

    table: str
    year: int
    key: Key
    difference: NotRequired[str]
    column: NotRequired[str]
    published: NotRequired[str | None]
    in_mysql: NotRequired[str | None]
    in_s3: NotRequired[str | None]


class PlannedChange(TypedDict):
    """A value that a run would change."""

    table: str
    key: Key
    column: str
    old: str | None
    new: str | None


class PlannedRows(TypedDict):
    """How many rows of a table a run would touch."""

    add: int
    change: int
    remove: int


class PlannedReject(TypedDict):
    """A record that a run would set aside."""

    endpoint: str
    index: int
    id: str | None
    path: str
    value: str
    reason: str


class Planned(TypedDict, total=False):
    """What a run would do; empty for other commands, and where `plan` did not get that far."""

    refused: list[str]
    ddl: list[str]
    repair: list[str]
    rows: dict[str, PlannedRows]
    changes: list[PlannedChange]
    load: list[str]
    put: list[str]
    delete: list[str]
    quarantine: list[PlannedReject]


class WrittenReport(TypedDict):
    """Where the report is, and the run whose snapshot it shows."""

    run_id: str
    file: str
    object: str | None


class TableSize(TypedDict):
    """What a snapshot holds of one table."""

    files: int
    rows: int
    bytes: int


class ListedSnapshot(TypedDict):
    """A published snapshot, by the run that published it."""

    run_id: str
    number: int
    published_at: datetime
    source: str
    schema_version: int
    replayed_run_id: str | None
    tables: dict[str, TableSize]


class ShownSnapshot(ListedSnapshot):
    """A published snapshot with its files."""

    files: list[WrittenFile]


class SignedUrl(TypedDict):
    """A URL by which anybody may read one file of a snapshot."""

    table: str
    year: int
    rows: int
    url: str


class RemovedFromIceberg(TypedDict):
    """How much of one Iceberg table was taken away."""

    snapshots: int
    files: int


class Maintained(TypedDict):
    """What `maintain` took away, by Iceberg table."""

    iceberg: dict[str, RemovedFromIceberg]
