"""What Iceberg leaves behind: old snapshots, and files that no snapshot names any more."""

from collections.abc import Iterator
from datetime import datetime

from pyiceberg.table import Table

from ...core.model import Manifest
from ...core.schema import TABLES
from ..bucket import Bucket
from ..layout import iceberg_table
from .catalog import IcebergCatalog


def maintain(catalog: IcebergCatalog, bucket: Bucket, manifest: Manifest, before: datetime) -> dict[str, dict[str, int]]:
    """Take away what is older than `before`; by table, how many snapshots and files went. Raises LakeError.

    The current snapshot of each table stays, and so does the one that the manifest names.
    """
    return {name: _maintain(catalog, bucket, name, manifest.iceberg.get(name), before) for name in TABLES}


def _maintain(catalog: IcebergCatalog, bucket: Bucket, name: str, published_id: int | None, before: datetime) -> dict[str, int]:
    found = catalog.table(name, lambda table: _old_snapshots(table, published_id, before))
    expired: list[int] = []
    if isinstance(found, tuple):
        table, expired = found
        if expired:
            with catalog.asked(catalog.name(name)):
                table.maintenance.expire_snapshots().by_ids(expired).commit()
    needed = catalog.table(name, lambda table: set(_files(table)))
    orphans: list[str] = []
    if isinstance(needed, tuple):  # of a table that can't be read nobody knows what it needs; the next run makes it anew
        listed = bucket.current(f"{iceberg_table(name)}/")
        orphans = [one.key for one in listed if one.modified < before and bucket.url(one.key) not in needed[1]]
    for key in orphans:
        bucket.delete(key)
    return {"snapshots": len(expired), "files": len(orphans)}


def _old_snapshots(table: Table, published_id: int | None, before: datetime) -> list[int]:
    kept = {published_id, *(reference.snapshot_id for reference in table.metadata.refs.values())}
    before_ms = before.timestamp() * 1000
    return [one.snapshot_id for one in table.snapshots() if one.timestamp_ms < before_ms and one.snapshot_id not in kept]


def _files(table: Table) -> Iterator[str]:
    """Everything that a table needs: its metadata, and of each snapshot the lists and the files in them."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    yield from (statistics.statistics_path for statistics in table.metadata.statistics)
    seen: set[str] = set()
    for snapshot in table.snapshots():
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                seen.add(manifest.manifest_path)
                yield manifest.manifest_path
                yield from (entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io))
