"""Iceberg's files in the bucket: read and written through the same client, and with the same errors, as everything else there."""

import functools
import io
from types import TracebackType
from typing import Any

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.typedef import EMPTY_DICT, Properties

from ...errors import LakeError
from ..bucket import Bucket, MissingObject
from ..layout import ICEBERG

_LIMIT = 64 << 20  # most bytes of one of Iceberg's own files


class BucketFiles(FileIO):
    """What Iceberg reads and writes, all of it under `iceberg/` in the lake that the properties name."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._bucket = _bucket(properties["lake.bucket"], properties["lake.prefix"], properties["lake.region"] or None)

    def new_input(self, location: str) -> InputFile:
        """A file to read."""
        return _Input(location, self._bucket, self._key(location))

    def new_output(self, location: str) -> OutputFile:
        """A file to write."""
        return _Output(location, self._bucket, self._key(location))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; its versions stay."""
        self._bucket.delete(self._key(location if isinstance(location, str) else location.location))

    def _key(self, location: str) -> str:
        if not location.startswith(self._bucket.url(ICEBERG)):
            message = f"the Iceberg catalog names {location}, which is not under {self._bucket.url(ICEBERG)}"
            raise LakeError(message, hint="the table is of another lake: give this one another ICEBERG_DATABASE")
        return location.removeprefix(self._bucket.url())


class _Input(InputFile):
    def __init__(self, location: str, bucket: Bucket, key: str) -> None:
        super().__init__(location)
        self._bucket, self._key = bucket, key

    def __len__(self) -> int:
        return len(self._body)

    def exists(self) -> bool:
        return self._bucket.etag(self._key) is not None

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002  # this one always is
        return io.BytesIO(self._body)

    @functools.cached_property
    def _body(self) -> bytes:
        try:
            return self._bucket.read(self._key, _LIMIT)[0]
        except MissingObject as error:
            raise FileNotFoundError(f"{self.location} is gone") from error


class _Output(OutputFile):
    def __init__(self, location: str, bucket: Bucket, key: str) -> None:
        super().__init__(location)
        self._bucket, self._key = bucket, key

    def __len__(self) -> int:
        return len(self.to_input_file())

    def exists(self) -> bool:
        return self.to_input_file().exists()

    def to_input_file(self) -> InputFile:
        return _Input(self.location, self._bucket, self._key)

    def create(self, overwrite: bool = False) -> OutputStream:  # noqa: ARG002  # each name has an id of its own in it
        return _Upload(self._bucket, self._key)


class _Upload(io.BytesIO):
    """Bytes that are put by one PUT when they are complete."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        super().__init__()
        self._bucket, self._key = bucket, key

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        super().close()

    def close(self) -> None:
        if not self.closed:
            body = self.getvalue()
            super().close()
            self._bucket.put(self._key, body, "application/octet-stream")


@functools.cache  # Iceberg asks for its files anew with each table
def _bucket(name: str, prefix: str, region: str | None) -> Bucket:
    return Bucket(name, prefix, region)


def properties(bucket: str, prefix: str, region: str | None) -> dict[str, Any]:
    """What tells Iceberg to use these files for this lake."""
    here = {"lake.bucket": bucket, "lake.prefix": prefix, "lake.region": region or ""}
    return {**here, "py-io-impl": f"{BucketFiles.__module__}.{BucketFiles.__qualname__}"}
