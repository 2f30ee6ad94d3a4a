"""Manifests and the pointer to the latest: written last, read with suspicion."""

import hashlib
import re
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

from ..core.model import ArchivedResponse, Manifest, Pointer
from ..errors import UnreadableObject, some
from .bucket import Bucket, MissingObject
from .layout import (
    LATEST,
    MANIFESTS,
    is_name,
    is_run_id,
    manifest_key,
    parse_manifest_key,
    parse_partition_key,
    parse_raw_key,
)
from .partitions import OBJECT_LIMIT, ROWS_LIMIT
from .raw import BODY_LIMIT

POINTER_LIMIT = 64 << 10
"""Most bytes of the pointer."""

MANIFEST_LIMIT = 64 << 20
"""Most bytes of a manifest."""

_DIGEST = re.compile(r"[0-9a-f]{32}")
_SHOWN = 40
_VERSIONS_TRIED = 20  # of a manifest that is not what the pointer names


class _Target(BaseModel):
    """What the pointer says."""

    run_id: str
    manifest: str
    sha256: str


class Manifests:
    """What was published, by run, and the pointer to the last."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def latest(self) -> Pointer:
        """The manifest that the pointer names; none when nothing was published.

        What can't be believed is a fault of the pointer. Raises LakeError only when S3 fails.
        """
        try:
            body, answer = self._bucket.read(LATEST, POINTER_LIMIT)
        except MissingObject:
            return Pointer(None, None)
        except UnreadableObject as error:
            return Pointer(None, self._bucket.etag(LATEST), fault=error.message)
        etag = answer["ETag"]
        try:
            target = self._target(body)
            manifest, warning = self._named(target)
        except UnreadableObject as error:
            return Pointer(None, etag, fault=error.message)
        return Pointer(manifest, etag, warning=warning)

    def one(self, run_id: str) -> Manifest | None:
        """What a run published; None when it published nothing. Raises LakeError; UnreadableObject for what is no manifest."""
        if not is_run_id(run_id):
            return None
        key = manifest_key(run_id)
        try:
            body, _ = self._bucket.read(key, MANIFEST_LIMIT)
        except MissingObject:
            return None
        return self._parsed(key, body)

    def run_ids(self) -> list[str]:
        """The runs that published, by their ids. Raises LakeError."""
        return sorted(run_id for key in self._bucket.keys(MANIFESTS) if (run_id := parse_manifest_key(key)))

    def publish(self, manifest: Manifest, over: Pointer) -> None:
        """Write the manifest and move the pointer, if it still is the one that was seen. Raises LakeError."""
        key = manifest_key(manifest.run_id)
        body = manifest.model_dump_json(indent=1).encode()
        marks = {"run-id": manifest.run_id, "sha256": hashlib.sha256(body).hexdigest()}
        self._bucket.put_if(key, body, None, marks)
        target = _Target(run_id=manifest.run_id, manifest=key, sha256=marks["sha256"])
        self._bucket.put_if(LATEST, target.model_dump_json().encode(), over.etag, marks)

    def _target(self, body: bytes) -> _Target:
        url = self._bucket.url(LATEST)
        try:
            target = _Target.model_validate_json(body)
        except (ValidationError, RecursionError) as error:
            raise UnreadableObject(f"{url} can't be read: {_why(error)}") from error
        if parse_manifest_key(target.manifest) != target.run_id:
            raise UnreadableObject(f"{url} can't be read: it names no manifest of a run")
        return target

    def _named(self, target: _Target) -> tuple[Manifest, str | None]:
        """The manifest that the pointer names, from an earlier version of the object where that alone has its digest."""
        url = self._bucket.url(target.manifest)
        try:
            body, _ = self._bucket.read(target.manifest, MANIFEST_LIMIT)
            fault = f"{url} does not have the digest that the pointer names"
        except MissingObject:
            body, fault = b"", f"{url} is gone"
        except UnreadableObject as error:
            body, fault = b"", error.message
        if _has(body, target):
            return self._parsed(target.manifest, body), None
        if earlier := self._earlier(target):
            return self._parsed(target.manifest, earlier[0]), f"{fault}: its version {earlier[1]} has it, and was read instead"
        raise UnreadableObject(fault)

    def _earlier(self, target: _Target) -> tuple[bytes, str] | None:
        for tried, version in enumerate(self._bucket.versions(target.manifest)):
            if tried == _VERSIONS_TRIED:
                break
            try:
                body, _ = self._bucket.read(target.manifest, MANIFEST_LIMIT, version.version_id)
            except UnreadableObject:
                continue
            if _has(body, target):
                return body, version.version_id
        return None

    def _parsed(self, key: str, body: bytes) -> Manifest:
        url = self._bucket.url(key)
        try:
            manifest = Manifest.model_validate_json(body)
        except (ValidationError, RecursionError) as error:
            raise UnreadableObject(f"{url} can't be read: {_why(error)}") from error
        if faults := list(_faults(key, manifest)):
            raise UnreadableObject(f"{url} can't be believed: {some(faults)}")
        return manifest


def _has(body: bytes, target: _Target) -> bool:
    return hashlib.sha256(body).hexdigest() == target.sha256


def _faults(key: str, manifest: Manifest) -> Iterator[str]:
    """What no run of this program writes into a manifest."""
    if manifest_key(manifest.run_id) != key:
        yield f"it is of run {manifest.run_id!r}"
    if len(manifest.by_partition()) != len(manifest.files):
        yield "it names a partition twice"
    for file in manifest.files:
        if parse_partition_key(file.key) != (file.table, file.year):
            yield f"it names {file.key!r} as {file.table} {file.year}"
        elif not (0 <= file.rows <= ROWS_LIMIT and 0 < file.size <= OBJECT_LIMIT and _DIGEST.fullmatch(file.digest)):
            yield f"of {file.key} it names {file.rows:,} rows, {file.size:,} bytes and the digest {file.digest[:_SHOWN]!r}"
    for name, archived in manifest.endpoints.items():
        yield from _endpoint_faults(name, archived)


def _endpoint_faults(name: str, archived: ArchivedResponse) -> Iterator[str]:
    if not is_name(name):
        yield f"it names an endpoint {name!r}"
    for raw in archived.objects:
        place = parse_raw_key(raw.key)
        if place is None or place.endpoint != name:
            yield f"it names {raw.key!r} as a body of {name!r}"
        elif not 0 <= raw.size <= BODY_LIMIT:
            yield f"of {raw.key} it names {raw.size:,} bytes"


def _why(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return some(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ") for fault in faults)
