"""The lake as the pipeline sees it: one class over raw archive, partitions, manifests, quarantine and report."""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ..core.checksum.digest import Checksum
from ..core.diff import Unmatched
from ..core.model import (
    ArchivedResponse,
    Body,
    Manifest,
    PartitionKey,
    Pointer,
    RawObject,
    Response,
    Run,
    StoredObject,
    WrittenFile,
)
from ..core.schema import TABLES, Table
from ..settings import Settings
from .bucket import Bucket
from .layout import REPORT
from .manifests import Manifests
from .partitions import Partitions
from .quarantine import quarantine
from .raw import RawArchive

if TYPE_CHECKING:
    from .iceberg.tables import IcebergTables


class S3Lake:
    """S3 as the pipeline sees it; may be used from several threads.

    Every method raises LakeError when S3 fails, and UnreadableObject when an object is gone or is not what it was.
    """

    def __init__(self, settings: Settings, warn: Callable[[str], None] = lambda _: None) -> None:
        self._bucket = Bucket(settings.s3_bucket, settings.s3_prefix, settings.aws_region, warn)
        self._manifests = Manifests(self._bucket)
        self._raw = RawArchive(self._bucket)
        self._partitions = Partitions(self._bucket)
        self.unexpected_objects: list[str] = []
        self.place = self._bucket.url()
        self._settings = settings

    # --- manifests ------------------------------------------------------------------------------------------------

    def latest(self) -> Pointer:
        """The manifest that the pointer names; what can't be believed is its `fault`, and never an error."""
        return self._manifests.latest()

    def manifest(self, run_id: str) -> Manifest | None:
        """What a run published; None when it published nothing."""
        return self._manifests.one(run_id)

    def published_run_ids(self) -> list[str]:
        """The runs that published."""
        return self._manifests.run_ids()

    def publish(self, manifest: Manifest, over: Pointer) -> None:
        """Write the manifest and move the pointer, if it still is the one that was seen."""
        self._manifests.publish(manifest, over)

    # --- raw archive ----------------------------------------------------------------------------------------------

    def archive(self, run: Run, name: str, number: int, body: Body) -> RawObject:
        """Keep one body as the API sent it."""
        return self._raw.archive(run, name, number, body)

    def restore(self, response: Response, spool: Path, at_hand: Iterable[Body] = ()) -> Response:
        """An endpoint with the bodies that an earlier run archived before its own, checked against their digests.

        Those that are at hand are not fetched.
        """
        return self._raw.restore(response, spool, at_hand)

    def check_raw(self, raw: RawObject) -> None:
        """Read an archived object and compare it with its digest."""
        self._raw.check(raw)

    def received(self, source: str, run_id: str) -> dict[str, ArchivedResponse]:
        """What a run archived itself, whether it published or not; endpoints that had not changed are missing."""
        return self._raw.received(source, run_id)

    # --- partitions -----------------------------------------------------------------------------------------------

    def partitions(self) -> dict[PartitionKey, StoredObject]:
        """The objects under the partitions' keys; others are noted in `unexpected_objects`."""
        found, self.unexpected_objects = self._partitions.listed()
        return found

    def write(
        self, run: Run, key: PartitionKey, rows: Iterable[pa.Table], checksum: Checksum, over: StoredObject | None
    ) -> WrittenFile:
        """Replace one partition's object by one PUT, if it still is the one that was listed."""
        return self._partitions.write(run, key, rows, checksum, over)

    def rows(self, file: WrittenFile) -> pa.Table:
        """One partition at the version that a manifest names, by the schema of today."""
        return self._partitions.rows(file)

    def as_written(self, file: WrittenFile) -> Iterator[pa.Table]:
        """The same part by part, with the hashes that were written: that its bytes are the same proves them."""
        return self._partitions.as_written(file)

    def unmatched(self, file: WrittenFile, known: pa.Array) -> Unmatched:
        """One partition at the version that a manifest names, but for rows with known hashes: the others are not kept."""
        return self._partitions.unmatched(file, known)

    def current_rows(self, stored: StoredObject, table: Table) -> pa.Table:
        """One partition as it was listed, by the schema of today."""
        return self._partitions.current_rows(stored, table)

    def checksum(self, file: WrittenFile) -> Checksum:
        """What one partition's object holds, by its values."""
        return self._partitions.checksum(file)

    def holds(self, file: WrittenFile, rows: Iterable[pa.Table]) -> bool:
        """Whether one partition's object, read back, holds just these rows, value by value."""
        return self._partitions.holds(file, rows)

    def check_version(self, file: WrittenFile) -> None:
        """Ask whether the version that a manifest names is still there."""
        self._bucket.check_version(file.key, file.version_id)

    def presigned(self, file: WrittenFile, lifetime_s: int) -> str:
        """A URL by which anybody may read the version that a manifest names, for so long."""
        return self._bucket.presigned(file.key, file.version_id, lifetime_s)

    def delete(self, stored: StoredObject) -> None:
        """Delete a partition's object; its versions stay."""
        self._bucket.delete(stored.key)

    # --- Iceberg --------------------------------------------------------------------------------------------------

    @functools.cached_property
    def iceberg(self) -> "IcebergTables | None":
        """The Iceberg tables, where ICEBERG_CATALOG is set; nothing of Iceberg is imported before."""
        if not self._settings.iceberg_catalog:
            return None
        from .iceberg.tables import IcebergTables

        return IcebergTables(self._settings, self._bucket, self._partitions)

    def has_named_iceberg(self, manifest: Manifest | None) -> bool:
        """Whether a manifest names a snapshot of every Iceberg table, where there are such tables."""
        return not self._settings.iceberg_catalog or (manifest is not None and manifest.iceberg.keys() == TABLES.keys())

    # --- the rest -------------------------------------------------------------------------------------------------

    def quarantine(self, run: Run, lines: Path) -> str:
        """Keep the records that can't be used, a packed file with a line for each; the key."""
        return quarantine(self._bucket, run, lines)

    def publish_report(self, page: str) -> str:
        """Replace the report by one PUT; where it is."""
        self._bucket.put(REPORT, page.encode(), "text/html; charset=utf-8")
        return self._bucket.url(REPORT)
