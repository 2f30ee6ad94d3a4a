"""Quarantine: the records that a run could not use, each with its reason."""

from pathlib import Path

from ..core.model import Run
from .bucket import Bucket
from .layout import quarantine_key


def quarantine(bucket: Bucket, run: Run, lines: Path) -> str:
    """Keep a packed file with a line for each record; its key. Raises LakeError."""
    key = quarantine_key(run.id)
    with lines.open("rb") as file:
        bucket.put(key, file, "application/gzip")
    return key
