"""SpaceX launches, proven equal in Parquet on S3 and in MySQL."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lake.snapshots import Snapshot

__version__ = "0.1.0"


def open_snapshot(bucket: str, prefix: str = "", run: str = "latest") -> "Snapshot":
    """All tables as one run published them, by its id: exactly the object versions that its manifest names.

    The latest is the newest publication when this is called; what is published afterwards changes nothing in it. AWS is reached
    through boto3's own chain and variables. Raises LakeError (in `spacex_pipeline.errors`) when S3 does not answer, or
    UnreadableObject when there is no such snapshot.
    """
    from .lake import snapshots  # Arrow and boto3: whoever imports the package for something else need not wait for them

    return snapshots.open_snapshot(bucket, prefix, run)
