"""The raw archive: what the API sent, byte for byte."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from isal import igzip, igzip_lib, isal_zlib

from ..core.model import ArchivedResponse, Body, RawObject, Response, Run
from ..errors import UnreadableObject
from .bucket import Bucket
from .layout import RawPlace, is_run_id, parse_raw_key, raw_key, raw_prefix
from .workers import workers

BODY_LIMIT = 4 << 30
"""Most bytes of one archived body, unpacked."""

_GZIP_LEVEL = 1  # of isal's 0 to 3: raw JSON shrinks eightfold, and hardly more at those above
_AS_GZIP = 16 + zlib.MAX_WBITS
_CHUNK = 1 << 20
_MOST_OVERHEAD = 1 << 16  # of gzip, for a body that does not shrink


class RawArchive:
    """Archived bodies under raw/."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def archive(self, run: Run, name: str, number: int, body: Body) -> RawObject:
        """Keep one body as the API sent it. Raises LakeError."""
        key = raw_key(RawPlace(run.source, run.id, name, number))
        packed = body.path.with_name(body.path.name + ".gz")
        packer = isal_zlib.compressobj(_GZIP_LEVEL, wbits=_AS_GZIP)
        with body.path.open("rb") as plain, packed.open("wb") as target:
            while chunk := plain.read(_CHUNK):
                target.write(packer.compress(chunk))
            target.write(packer.flush())
        with packed.open("rb") as file:
            put = self._bucket.put(key, file, "application/gzip")
        packed.unlink()
        return RawObject(key=key, version_id=self._bucket.version_of(put), sha256=body.sha256, size=body.size)

    def restore(self, response: Response, spool: Path, at_hand: Iterable[Body] = ()) -> Response:
        """An endpoint with the bodies that an earlier run archived before its own, checked against their digests.

        Those that are at hand are not fetched. Raises LakeError, and UnreadableObject when a body is gone or is not what was
        archived.
        """
        earlier = response.base or response.archived
        assert earlier
        known = {body.sha256: body for body in at_hand}

        def restored(number: int, raw: RawObject) -> Body:
            if body := known.get(raw.sha256):
                return body
            path = spool / f"{response.name}-{number}.archived.json"
            with path.open("wb") as file:
                file.writelines(self._checked(raw))
            return Body(path, raw.sha256, raw.size)

        with workers() as pool:
            bodies = list(pool.map(restored, count(1), earlier.objects))
        return replace(response, bodies=(*bodies, *response.bodies))

    def check(self, raw: RawObject) -> None:
        """Read an archived body and compare it with its digest. Raises LakeError."""
        for _ in self._checked(raw):
            pass

    def received(self, source: str, run_id: str) -> dict[str, ArchivedResponse]:
        """What a run archived itself, whether it published or not; endpoints that had not changed are missing.

        Raises LakeError.
        """
        if not is_run_id(run_id):
            return {}
        found: dict[str, dict[int, RawObject]] = {}
        for key in self._bucket.keys(raw_prefix(source, run_id)):
            if place := parse_raw_key(key):
                found.setdefault(place.endpoint, {})[place.number] = self._described(key)
        return {
            name: ArchivedResponse(etag=None, objects=[objects[n] for n in sorted(objects)]) for name, objects in found.items()
        }

    def _described(self, key: str) -> RawObject:
        digest, size = hashlib.sha256(), 0
        answer = self._bucket.get(key, _most_packed(BODY_LIMIT))
        for chunk in self._unpacked(key, answer, BODY_LIMIT):
            digest.update(chunk)
            size += len(chunk)
        return RawObject(key=key, version_id=self._bucket.version_of(answer), sha256=digest.hexdigest(), size=size)

    def _checked(self, raw: RawObject) -> Iterator[bytes]:
        """The body in parts, never more of it than it should have; what it comes to is compared at the end."""
        if raw.size > BODY_LIMIT:
            raise UnreadableObject(f"{self._bucket.url(raw.key)} is said to have {raw.size:,} bytes, over {BODY_LIMIT:,}")
        digest, size = hashlib.sha256(), 0
        answer = self._bucket.get(raw.key, _most_packed(raw.size), raw.version_id)
        for chunk in self._unpacked(raw.key, answer, raw.size):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
        if (digest.hexdigest(), size) != (raw.sha256, raw.size):
            raise UnreadableObject(
                f"{self._bucket.url(raw.key)} is not what was archived", hint="restore that version of the object"
            )

    def _unpacked(self, key: str, answer: Any, limit: int) -> Iterator[bytes]:
        url = self._bucket.url(key)
        packed = _Reader(self._bucket.body(key, answer, _most_packed(limit)))
        try:
            with igzip.IGzipFile(fileobj=packed, mode="rb") as plain:  # type: ignore[no-untyped-call]
                left = limit
                while chunk := plain.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise UnreadableObject(f"{url} unpacks to more than the {limit:,} bytes that are expected")
                    yield chunk
        # isal's own error is typed as an instance; OverflowError: a name or comment of half a megabyte.
        except (gzip.BadGzipFile, EOFError, OverflowError, igzip_lib.IsalError) as error:  # type: ignore[misc]
            raise UnreadableObject(f"{url} can't be unpacked: {error}") from error


class _Reader(io.RawIOBase):
    """Parts of a body as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        """Whether it can be read from."""
        return True

    def readinto(self, into: Any) -> int:
        """Some of the next bytes, as many as there is room for; none at the end."""
        if not self._rest:
            self._rest = next(self._parts, b"")
        found, self._rest = self._rest[: len(into)], self._rest[len(into) :]
        into[: len(found)] = found
        return len(found)


def _most_packed(size: int) -> int:
    """Most bytes that gzip makes of so many."""
    return size + size // 8 + _MOST_OVERHEAD
