"""What a run would change, as plain data: the new snapshot against what both stores hold; and the gate before any write."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .checksum.digest import EMPTY, Checksum
from .model import LookupUse, Manifest, PartitionKey, Run, StoredObject, WrittenFile
from .runs import LastRun
from .schema import SCHEMA_VERSION, SNAPSHOT, TABLES, TRANSFORM_VERSION

_TOLERATED = 3  # rows or references: below this a ratio says nothing


@dataclass(frozen=True)
class Limits:
    """How bad data may be before the gate refuses it."""

    max_rejected_ratio: float
    max_shrink_ratio: float
    accept_shrink: bool = False
    accept_source_change: bool = False


@dataclass(frozen=True)
class CurrentState:
    """What both stores hold before a run writes, as far as it is known."""

    manifest: Manifest | None
    objects: Mapping[PartitionKey, StoredObject]
    in_mysql: Mapping[PartitionKey, Checksum]
    last_run: LastRun
    fault: str | None = None  # why what the lake's pointer names can't be believed

    @property
    def files(self) -> Mapping[PartitionKey, WrittenFile]:
        """The files that the manifest names."""
        return self.manifest.by_partition() if self.manifest else {}


@dataclass(frozen=True)
class Received:
    """What a run has received: partitions, and how it went."""

    checksums: Mapping[PartitionKey, Checksum]
    accepted: int
    rejected: int
    lookups: Mapping[str, LookupUse]


@dataclass
class Scope:
    """The rows of one table that go if they are not loaded anew: all of some years, and of other years those of some launches."""

    years: set[int] = field(default_factory=set)
    partly: set[int] = field(default_factory=set)
    launches: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """What to write: partitions to load and to put, the rows of MySQL's tables that may go, objects to delete.

    Of the partitions to load, `append` are those where new rows are enough; of those to put, `gaining` are those that gain rows.
    """

    load: frozenset[PartitionKey]
    append: frozenset[PartitionKey]
    put: tuple[PartitionKey, ...]
    gaining: tuple[PartitionKey, ...]
    scope: Mapping[str, Scope]
    delete: Mapping[PartitionKey, StoredObject]

    @property
    def touched(self) -> set[PartitionKey]:
        """Partitions that are written in either store."""
        return {*self.load, *self.put}


def is_trusted(manifest: Manifest | None, last: LastRun, run: Run, source_url: str) -> bool:
    """Whether the manifest tells what both stores hold: it is of the last run, which ended well, of this code and source."""
    return (
        manifest is not None
        and manifest.schema_version == SCHEMA_VERSION
        and manifest.transform_version == TRANSFORM_VERSION
        and (manifest.source, manifest.source_url) == (run.source, source_url)
        and last.state is not None
        and last.state.is_good
        and last.merged_id == manifest.run_id
    )


def departures(current: CurrentState) -> list[str]:
    """Where the stores no longer are what the manifest names: its own fault, S3's objects by version and ETag, MySQL by value."""
    found = [current.fault] if current.fault else []
    files = current.files
    faults = {key: object_fault(files.get(key), current.objects.get(key)) for key in files.keys() | current.objects.keys()}
    found += [f"S3 {key[0]} {key[1]}: the object {fault}" for key, fault in sorted(faults.items()) if fault]
    for key in sorted(files.keys() | current.in_mysql.keys()):
        named, stored = checksum_named(files, key), current.in_mysql.get(key, EMPTY)
        if named != stored and _is_comparable(current, key[0]):
            found.append(f"MySQL {key[0]} {key[1]}: {_shown(stored)}, not {_shown(named)}")
    return found


def _is_comparable(current: CurrentState, table: str) -> bool:
    """Whether the manifest's digests of a table cover the same columns as those of today."""
    return current.manifest is None or TABLES[table].as_of(current.manifest.schema_version) == TABLES[table]


def object_fault(named: WrittenFile | None, stored: StoredObject | None) -> str | None:
    """Why a partition's object is not the one that the manifest names; None when it is."""
    if stored is None:
        return "is missing"
    if named is None:
        return "is not in the manifest"
    if named.etag != stored.etag:
        return "was replaced"
    return None if named.version_id == stored.version_id else "is another version with the same bytes"


def checksum_named(files: Mapping[PartitionKey, WrittenFile], key: PartitionKey) -> Checksum:
    """What the manifest says that a partition holds; one that it does not name is empty."""
    return Checksum(files[key].rows, files[key].digest) if key in files else EMPTY


def is_mysql_ahead(current: CurrentState) -> bool:
    """Whether MySQL holds more than the manifest names: a run committed there and ended before it could publish."""
    last, manifest = current.last_run, current.manifest
    if last.merged_id is None or (manifest is not None and manifest.run_id == last.merged_id):
        return False
    # A manifest with a higher number than any run here is younger than this database, which was restored from a backup.
    return manifest is None or last.merged_number > manifest.number


def is_followed(current: CurrentState, run: Run) -> bool:
    """Whether what changes is news of launches: what is held came from the same source by the same code."""
    manifest, last = current.manifest, current.last_run
    if is_mysql_ahead(current):
        before, versions = last.merged_source, last.merged_versions
    elif manifest is not None:
        before, versions = manifest.source, (manifest.schema_version, manifest.transform_version)
    else:
        return False
    return before == run.source and versions == (SCHEMA_VERSION, TRANSFORM_VERSION)


def gate(received: Received, current: CurrentState, run: Run, limits: Limits) -> list[str]:
    """Reasons not to publish what was received; none when it is sound."""
    if received.accepted + received.rejected == 0:
        return ["0 launches received: an empty answer is never published"]
    if is_source_change(current, run):  # with another source's tables there is nothing to compare
        return [*([] if limits.accept_source_change else [_source_change(current, run)]), *_rejects(received, limits)]
    return [
        *_rejects(received, limits),
        *([] if limits.accept_shrink else [*_shrinks(received, current, limits), *_worse_lookups(received, current, limits)]),
    ]


def is_source_change(current: CurrentState, run: Run) -> bool:
    """Whether the stores hold launches of another source than this run's."""
    return _source(current) not in (None, run.source)


def _source(current: CurrentState) -> str | None:
    return current.manifest.source if current.manifest else current.last_run.merged_source


def _source_change(current: CurrentState, run: Run) -> str:
    return f"the tables hold launches of source {_source(current)}, this is {run.source} (--accept-source-change replaces them)"


def _rejects(received: Received, limits: Limits) -> list[str]:
    total = received.accepted + received.rejected
    if received.rejected <= total * limits.max_rejected_ratio:
        return []
    return [f"{received.rejected} of {total} launches were rejected, over MAX_REJECTED_RATIO {limits.max_rejected_ratio:g}"]


def _shrinks(received: Received, current: CurrentState, limits: Limits) -> list[str]:
    refused = []
    for table in TABLES:
        in_lake = sum(f.rows for f in current.manifest.files if f.table == table) if current.manifest else 0
        in_mysql = sum(held.rows for (name, _), held in current.in_mysql.items() if name == table)
        before = max(in_lake, in_mysql)
        now = sum(checksum.rows for (name, _), checksum in received.checksums.items() if name == table)
        lost = before - now
        if lost > _TOLERATED and lost > before * limits.max_shrink_ratio:
            limit = f"MAX_SHRINK_RATIO {limits.max_shrink_ratio:g}"
            refused.append(f"{table} would shrink from {before} to {now} rows, over {limit} (--accept-shrink allows it)")
    return refused


def _worse_lookups(received: Received, current: CurrentState, limits: Limits) -> list[str]:
    refused = []
    for kind, before in (current.manifest.lookups if current.manifest else {}).items():
        now = received.lookups.get(kind)
        if now is None or not before.references or not now.references:
            continue
        newly_unresolved = (now.references - now.resolved) - (before.references - before.resolved)
        fall = before.resolved / before.references - now.resolved / now.references
        if newly_unresolved > _TOLERATED and fall > limits.max_shrink_ratio:
            was, is_ = f"{before.resolved} of {before.references}", f"{now.resolved} of {now.references}"
            refused.append(f"{kind} resolves {is_} references, before {was} (--accept-shrink allows it)")
    return refused


def reconcile(
    wanted: Mapping[PartitionKey, Checksum],
    current: CurrentState,
    carried: Mapping[PartitionKey, Checksum],
    changed: frozenset[str] = frozenset(),
) -> Plan:
    """What to write so that both stores hold `wanted`.

    `carried` is what partitions held before of which rows were carried over: where MySQL holds just that, only the new rows are
    loaded. The rows of the `changed` launches were not carried over.
    """
    files, manifest = current.files, current.manifest
    is_same_code = manifest is not None and (manifest.schema_version, manifest.transform_version) == (
        SCHEMA_VERSION,
        TRANSFORM_VERSION,
    )

    def is_kept(key: PartitionKey) -> bool:
        is_same_object = object_fault(files.get(key), current.objects.get(key)) is None
        return is_same_code and is_same_object and checksum_named(files, key) == wanted[key]

    load = frozenset(key for key, checksum in wanted.items() if current.in_mysql.get(key, EMPTY) != checksum)
    append = frozenset(key for key in load if key in carried and current.in_mysql.get(key) == carried[key])
    gone = {key for key in current.in_mysql if key not in wanted}
    scope: dict[str, Scope] = {table: Scope(launches=changed if table in SNAPSHOT else frozenset()) for table, _ in load}
    for table, year in append:
        scope[table].partly.add(year)
    for table, year in (load - append) | gone:
        scope.setdefault(table, Scope()).years.add(year)

    def gain(key: PartitionKey) -> int:
        return wanted[key].rows - (files[key].rows if key in files else 0)

    # Readers by path see a publication half done: a launch that moves shall be there twice for a moment, never nowhere.
    put = sorted((key for key in wanted if not is_kept(key)), key=lambda key: (-gain(key), key))
    gaining = tuple(key for key in put if gain(key) > 0)
    delete = {key: stored for key, stored in current.objects.items() if key not in wanted}
    return Plan(load, append, tuple(put), gaining, scope, delete)


def differences(
    wanted: Mapping[PartitionKey, Checksum],
    touched: set[PartitionKey],
    in_s3: Mapping[PartitionKey, Checksum],
    in_mysql: Mapping[PartitionKey, Checksum],
    mysql_rows: Mapping[PartitionKey, int],
) -> list[str]:
    """Where the stores, as read back, are not what was wanted: touched partitions by content, all others by row count.

    MySQL has no partitions, only rows: an empty one is not among its own.
    """
    found = []
    for key in sorted(touched):
        for store, held in (("S3", in_s3.get(key)), ("MySQL", in_mysql.get(key, EMPTY))):
            if held != wanted[key]:
                found.append(f"{store} {key[0]} {key[1]}: {_shown(held)}, not {_shown(wanted[key])}")
    wanted_rows = {key: checksum.rows for key, checksum in wanted.items()}
    found += [
        f"MySQL {key[0]} {key[1]}: {mysql_rows.get(key, 0)} rows, not {wanted_rows.get(key, 0)}"
        for key in sorted(wanted_rows.keys() | mysql_rows.keys())
        if wanted_rows.get(key, 0) != mysql_rows.get(key, 0)
    ]
    return found


def _shown(checksum: Checksum | None) -> str:
    if checksum in (None, EMPTY):
        return "nothing"
    is_digest = len(checksum.digest) == len(EMPTY.digest)  # else it says itself what is wrong
    return f"{checksum.rows} rows" + (f" (digest {checksum.digest[:8]})" if is_digest else f", {checksum.digest}")
