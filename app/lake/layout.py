"""Every key in the bucket and every run id: written and parsed here and nowhere else. Pure: it computes and touches nothing.

Keys are relative to the prefix that the settings name.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from ..core.model import PartitionKey, WrittenFile
from ..core.schema import TABLES

RUN_ID_CHANCES = 1 << 12
"""How many run ids there are for one microsecond."""

LATEST = "manifests/latest.json"
REPORT = "report/report.html"
MANIFESTS = "manifests/run="
ICEBERG = "iceberg/"

_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RAW = re.compile(r"raw/source=([^/]+)/date=[0-9-]{10}/run=([^/]+)/([^/]+)-([0-9]{1,9})\.json\.gz")
_PARTITION = re.compile(r"([a-z_]+)/year=([0-9]{1,4})/[a-z_]+\.parquet")
_SECONDS = "%Y%m%dT%H%M%SZ"
_SECONDS_CHARS = 16


# --- run ids ------------------------------------------------------------------------------------------------------


def new_run_id(started_at: datetime, chance: int) -> str:
    """The id of a run: its second, then five hexadecimal digits of microseconds and three of chance."""
    return f"{started_at:{_SECONDS}}-{started_at.microsecond:05x}{chance % RUN_ID_CHANCES:03x}"


def is_run_id(text: str) -> bool:
    """Whether a text has the form of a run id and names a time that exists."""
    if not _RUN_ID.fullmatch(text):
        return False
    try:
        started_at(text)
    except ValueError:
        return False
    return True


def started_at(run_id: str) -> datetime:
    """When a run began, to the second, by the clock of its machine. Raises ValueError for what is no run id."""
    return datetime.strptime(run_id[:_SECONDS_CHARS], _SECONDS).replace(tzinfo=UTC)


def day(run_id: str) -> str:
    """The day on which a run began, as YYYY-MM-DD. Raises ValueError for what is no run id."""
    return f"{started_at(run_id):%Y-%m-%d}"


# --- keys ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RawPlace:
    """What the key of an archived body says."""

    source: str
    run_id: str
    endpoint: str
    number: int


def raw_prefix(source: str, run_id: str) -> str:
    """Where a run archives what it receives."""
    return f"raw/source={source}/date={day(run_id)}/run={run_id}/"


def raw_key(place: RawPlace) -> str:
    """The key of one archived body, numbered from 1 within its endpoint."""
    return f"{raw_prefix(place.source, place.run_id)}{place.endpoint}-{place.number}.json.gz"


def parse_raw_key(key: str) -> RawPlace | None:
    """What a key of the raw archive says; None for a key that `raw_key` would not write."""
    found = _RAW.fullmatch(key)
    if not found or not is_run_id(found[2]):
        return None
    place = RawPlace(found[1], found[2], found[3], int(found[4]))
    return place if is_name(place.source) and is_name(place.endpoint) and raw_key(place) == key else None


def partition_key(partition: PartitionKey) -> str:
    """The key of a partition's object."""
    table, year = partition
    return f"{table}/year={year}/{table}.parquet"


def parse_partition_key(key: str) -> PartitionKey | None:
    """The table and year that a key names; None for a key that `partition_key` would not write."""
    found = _PARTITION.fullmatch(key)
    if not found or found[1] not in TABLES:
        return None
    partition = found[1], int(found[2])
    return partition if partition_key(partition) == key else None


def manifest_key(run_id: str) -> str:
    """The key of the manifest that a run publishes."""
    return f"{MANIFESTS}{run_id}.json"


def parse_manifest_key(key: str) -> str | None:
    """The run that a manifest's key names; None for another key."""
    run_id = key.removeprefix(MANIFESTS).removesuffix(".json")
    return run_id if is_run_id(run_id) and manifest_key(run_id) == key else None


def iceberg_table(table: str) -> str:
    """Where an Iceberg table has its files."""
    return f"{ICEBERG}{table}"


def iceberg_key(file: WrittenFile) -> str:
    """The key of the copy of one version of a partition's object: another version has another key."""
    version = hashlib.sha256(file.version_id.encode()).hexdigest()[:32]  # S3 may put any character into a version's id
    return f"{iceberg_table(file.table)}/data/launch_year={file.year}/{file.digest}-{version}.parquet"


def quarantine_key(run_id: str) -> str:
    """The key of the records that a run could not use."""
    return f"quarantine/run={run_id}/launches.jsonl.gz"


def probe_key(chance: str) -> str:
    """A key that nothing is ever stored under, for a write that must be refused."""
    return f"manifests/doctor-{chance}.json"


def is_name(text: str) -> bool:
    """Whether a source's or an endpoint's name can be part of a key, and of a file's name on disk."""
    return _NAME.fullmatch(text) is not None
