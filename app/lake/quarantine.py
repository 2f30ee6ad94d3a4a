"""The quarantine: records that can't be used, each with its reason."""

import gzip
import json
from collections.abc import Iterable

from ..core.model import Rejected, Run, UnreadableRecord
from .bucket import Bucket
from .layout import quarantine_key


def quarantine(bucket: Bucket, run: Run, rejected: Iterable[Rejected]) -> str:
    """Keep the records that can't be used, each with its reason; the key. Raises LakeError."""
    key = quarantine_key(run.id)
    lines = []
    for r in rejected:
        raw = r.raw.text if isinstance(r.raw, UnreadableRecord) else r.raw
        line = {"endpoint": r.endpoint, "index": r.index, "id": r.id, "path": r.path, "value": r.value, "error": r.reason}
        lines.append(json.dumps({**line, "raw": raw}).encode() + b"\n")
    bucket.put(key, gzip.compress(b"".join(lines), mtime=0), "application/gzip")
    return key
