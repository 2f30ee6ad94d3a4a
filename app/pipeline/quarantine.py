"""The records that can't be used: written to disk as they are read, so that only their reasons stay in memory."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..core.model import Rejected, UnreadableRecord
from ..core.validate import strict_json
from ..errors import GateRefused

MAX_REJECTS = 20_000
MAX_BYTES = 1 << 30
"""The most records that may be set aside, and their text: past it the answer is not the one that was meant."""
_LEVEL = 1


class RejectsFile:
    """Records set aside, in one file; closed before it is read, or handed to another process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rejects: list[Rejected] = []
        self._path = path
        self._size = 0
        self._file: gzip.GzipFile | None = None

    def add(self, reject: Rejected, raw: Any) -> None:
        """Write a record down. Raises GateRefused when there are too many."""
        line = strict_json(raw.text if isinstance(raw, UnreadableRecord) else raw).encode() + b"\n"
        self._size += len(line)
        self.rejects.append(reject)
        check_count(len(self.rejects), self._size)
        if self._file is None:
            self._file = gzip.GzipFile(self._path, "wb", compresslevel=_LEVEL, mtime=0)
        self._file.write(line)

    def close(self) -> None:
        """No more records: they can be read now."""
        if self._file:
            self._file.close()
        self._file = None

    def records(self) -> Iterator[bytes]:
        """Each record's text, in order."""
        if self.rejects:
            with gzip.open(self._path) as file:
                yield from file


def check_count(rejects: int, size: int = 0) -> None:
    """Raise GateRefused when no sound answer has so many rejects."""
    if rejects > MAX_REJECTS or size > MAX_BYTES:
        what = f"{MAX_REJECTS} records" if rejects > MAX_REJECTS else f"{MAX_BYTES >> 20} MiB of records"
        raise GateRefused(f"refused: over {what} can't be used", hint="no more is read; what was sent is in the raw archive")


def write_lines(rejects: Iterable[Rejected], parts: Iterable[RejectsFile], to: Path) -> None:
    """The quarantine's file: a line for each reject, with the record that the parts hold in the same order."""
    records = (record for part in parts for record in part.records())
    with gzip.GzipFile(to, "wb", compresslevel=_LEVEL, mtime=0) as file:
        for reject, record in zip(rejects, records, strict=True):
            line = {
                "endpoint": reject.endpoint,
                "index": reject.index,
                "id": reject.id,
                "path": reject.path,
                "value": reject.value,
                "error": reject.reason,
            }
            file.write(json.dumps(line).encode()[:-1] + b', "raw": ' + record.rstrip(b"\n") + b"}\n")
