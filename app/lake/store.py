"""The bucket: raw archive, partitions, quarantine and manifest. The layout is the contract's."""

import contextlib
import gzip
import hashlib
import io
import json
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError
from pydantic import ValidationError

from ..core.checksum.digest import EMPTY, Checksum, add_rows_as_stored
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
from ..core.schema import TABLES
from ..errors import LakeError, waiting_for
from ..settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 20
ATTEMPTS = 4
CONNECTIONS = 8
# Without dictionaries files are made and read in two thirds of the time, and are a twelfth larger.
_PARQUET: dict[str, Any] = {"version": "2.6", "compression": "zstd", "use_dictionary": False}
_ROWS_A_BATCH = 5_000  # hashed at once
_MANY_ROWS = 200  # with fewer, the time to give memory back is not worth it
_GZIP_LEVEL = 1  # raw JSON shrinks eightfold at the lowest level; the highest takes ten times as long for a third less
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ALWAYS = {
    "GetObject": ("ETag", "ContentLength"),
    "HeadObject": ("ETag", "Metadata"),
    "PutObject": ("ETag",),
    "ListObjectsV2": ("IsTruncated",),
}
_OTHER_REGION = "the bucket is in another region than AWS_DEFAULT_REGION"
_MISSING = {"NoSuchKey", "NoSuchVersion", "404"}


class S3Lake:
    """S3 behind `records.Lake`; may be used from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.s3_bucket
        self._prefix = settings.s3_prefix
        self.unexpected_objects: list[str] = []
        self.place = f"s3://{self._bucket}/{self._prefix}"
        self._making = threading.Lock()
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
        )
        try:
            self._s3: S3Client = boto3.client("s3", region_name=settings.aws_region, config=config)
        except (BotoCoreError, ValueError) as error:
            raise LakeError(f"S3 client: {error}", hint="set AWS_DEFAULT_REGION") from error

    # --- manifest -------------------------------------------------------------------------------------------------

    def latest(self) -> Pointer:
        """The manifest that the pointer names; none when nothing was published. Raises LakeError when it can't be read."""
        found = self._get(self._latest_key, missing_ok=True)
        if found is None:
            return Pointer(None, None)
        body, etag = found
        try:
            key = json.loads(body)["manifest"]
            whole = self._get(self._prefix + key, missing_ok=True)
            return Pointer(Manifest.model_validate_json(whole[0]) if whole else None, etag)
        except (ValidationError, ValueError, KeyError, TypeError):
            return Pointer(None, etag)  # no manifest that can be believed: everything is proven and written anew

    def manifest(self, run_id: str) -> Manifest | None:
        """What a run published; None when it published nothing. Raises LakeError."""
        found = self._get(f"{self._prefix}manifests/run={run_id}.json", missing_ok=True)
        if found is None:
            return None
        try:
            return Manifest.model_validate_json(found[0])
        except ValidationError as error:
            raise LakeError(f"{self._url(f'manifests/run={run_id}.json')} can't be read: {error}") from error

    def published_run_ids(self) -> list[str]:
        """The runs that published, oldest first. Raises LakeError."""
        keys = (listed["Key"].removeprefix(self._prefix) for listed in self._list("manifests/run="))
        return sorted(key.removeprefix("manifests/run=").removesuffix(".json") for key in keys)

    def received(self, source: str, run_id: str) -> dict[str, ArchivedResponse]:
        """What a run archived itself, whether it published or not; endpoints that had not changed are missing.

        Raises LakeError.
        """
        date = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"
        prefix = f"raw/source={source}/date={date}/run={run_id}/"
        found: dict[str, dict[int, RawObject]] = {}
        for listed in self._list(prefix):
            key = listed["Key"].removeprefix(self._prefix)
            name, _, number = key.removeprefix(prefix).removesuffix(".json.gz").rpartition("-")
            got = self._call("GetObject", key)
            with gzip.GzipFile(fileobj=got["Body"]) as packed:
                body = packed.read()
            found.setdefault(name, {})[int(number)] = RawObject(
                key=key, version_id=self._version(got), sha256=hashlib.sha256(body).hexdigest(), size=len(body)
            )
        return {
            name: ArchivedResponse(etag=None, objects=[objects[n] for n in sorted(objects)]) for name, objects in found.items()
        }

    def publish(self, manifest: Manifest, over: Pointer) -> None:
        """Write the manifest and move the pointer, if it still is the one that was seen. Raises LakeError."""
        key = f"manifests/run={manifest.run_id}.json"
        body = manifest.model_dump_json(indent=1).encode()
        self._put_once(self._prefix + key, body, None, lambda: self._has(self._prefix + key, body))
        pointer = json.dumps({"run_id": manifest.run_id, "manifest": key, "sha256": hashlib.sha256(body).hexdigest()}).encode()
        self._put_once(self._latest_key, pointer, over.etag, lambda: self._has(self._latest_key, pointer))

    @property
    def _latest_key(self) -> str:
        return f"{self._prefix}manifests/latest.json"

    def _has(self, key: str, body: bytes) -> bool:
        found = self._get(key, missing_ok=True)
        return found is not None and found[0] == body

    # --- raw and quarantine ---------------------------------------------------------------------------------------

    def archive(self, run: Run, name: str, number: int, body: Body) -> RawObject:
        """Keep one body as the API sent it. Raises LakeError."""
        key = f"raw/source={run.source}/date={run.started_at:%Y-%m-%d}/run={run.id}/{name}-{number}.json.gz"
        packed = body.path.with_name(body.path.name + ".gz")
        with (
            body.path.open("rb") as plain,
            packed.open("wb") as target,
            gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0) as zipped,
        ):
            shutil.copyfileobj(plain, zipped, 1 << 20)
        with packed.open("rb") as file:
            put = self._call("PutObject", key, Body=file, ContentType="application/gzip")
        packed.unlink()
        return RawObject(key=key, version_id=self._version(put), sha256=body.sha256, size=body.size)

    def restore(self, response: Response, spool: Path) -> Response:
        """An endpoint with the bodies that an earlier run archived before its own, checked against their digests.

        Raises LakeError.
        """
        earlier = response.base or response.archived
        assert earlier
        bodies = []
        for number, raw in enumerate(earlier.objects, 1):
            path = spool / f"{response.name}-{number}.archived.json"
            with path.open("wb") as file:
                self._restore_into(raw, file)
            bodies.append(Body(path, raw.sha256, raw.size))
        return replace(response, bodies=(*bodies, *response.bodies))

    def check_raw(self, raw: RawObject) -> None:
        """Read an archived object and compare it with its digest. Raises LakeError."""
        with tempfile.TemporaryFile() as nowhere:
            self._restore_into(raw, nowhere)

    def _restore_into(self, raw: RawObject, file: IO[bytes]) -> None:
        got = self._call("GetObject", raw.key, VersionId=raw.version_id)
        digest = hashlib.sha256()
        try:
            with gzip.GzipFile(fileobj=got["Body"]) as packed:
                while chunk := packed.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
        except (OSError, EOFError, BotoCoreError) as error:
            raise LakeError(f"{self._url(raw.key)} can't be read: {error}") from error
        if digest.hexdigest() != raw.sha256:
            raise LakeError(f"{self._url(raw.key)} is not what was archived", hint="restore that version of the object")

    def quarantine(self, run: Run, lines: Path) -> str:
        """Keep the records that can't be used, each a line of a packed file with its reason; the key. Raises LakeError."""
        key = f"quarantine/run={run.id}/launches.jsonl.gz"
        with lines.open("rb") as file:
            self._call("PutObject", key, Body=file, ContentType="application/gzip")
        return key

    # --- partitions -----------------------------------------------------------------------------------------------

    def partitions(self) -> dict[PartitionKey, StoredObject]:
        """The objects under the partitions' keys; others are noted in `unexpected_objects`. Raises LakeError."""
        found: dict[PartitionKey, StoredObject] = {}
        self.unexpected_objects = []
        for table in TABLES:
            form = re.compile(rf"{table}/year=(\d{{1,4}})/{table}\.parquet")
            for listed in self._list(f"{table}/"):
                key = listed["Key"].removeprefix(self._prefix)
                if place := form.fullmatch(key):
                    found[table, int(place[1])] = StoredObject(key, listed["ETag"])
                else:
                    self.unexpected_objects.append(self._url(key))
        return found

    def write(
        self, run: Run, key: PartitionKey, rows: Iterable[pa.Table], checksum: Checksum, over: StoredObject | None
    ) -> WrittenFile:
        """Replace one partition's object by one PUT, if it still is the one that was listed. Raises LakeError."""
        table, year = key
        name = f"{table}/year={year}/{table}.parquet"
        buffer = io.BytesIO()
        with self._one_in_memory(checksum.rows), pq.ParquetWriter(buffer, TABLES[table].arrow, **_PARQUET) as writer:
            for part in rows:
                writer.write_table(part)
        body = buffer.getvalue()
        marks = {"run-id": run.id, "digest": checksum.digest, "rows": str(checksum.rows)}

        def ours() -> bool:
            head = self._call("HeadObject", name)
            return bool(head["Metadata"] == marks)

        etag, version = self._put_once(self._prefix + name, body, over.etag if over else None, ours, marks)
        return WrittenFile(
            table=table,
            year=year,
            key=name,
            version_id=version,
            etag=etag,
            rows=checksum.rows,
            digest=checksum.digest,
            size=len(body),
        )

    def read(self, key: str, version_id: str | None) -> pa.Table:
        """One partition as stored. Raises LakeError."""
        with self._opened(key, version_id) as file:
            return file.read()

    def checksum(self, file: WrittenFile) -> Checksum:
        """What one partition's object holds, by its values. Raises LakeError."""
        with self._opened(file.key, file.version_id) as opened, self._one_in_memory(file.rows):
            checksum = EMPTY
            for batch in opened.iter_batches(_ROWS_A_BATCH, use_threads=False):
                checksum = add_rows_as_stored(checksum, TABLES[file.table], pa.table(batch))
            return checksum

    @contextlib.contextmanager
    def _one_in_memory(self, rows: int) -> Iterator[None]:
        """Threads are for waiting: to make or to hash a file takes a core, and the memory for a whole partition."""
        with self._making:
            yield
            if rows > _MANY_ROWS:
                pa.default_memory_pool().release_unused()  # else what each thread has freed stays with it

    @contextlib.contextmanager
    def _opened(self, key: str, version_id: str | None) -> Iterator[pq.ParquetFile]:
        version = {"VersionId": version_id} if version_id else {}
        got = self._call("GetObject", key, **version)
        try:
            yield pq.ParquetFile(pa.BufferReader(got["Body"].read()))
        except (pa.ArrowException, OSError, BotoCoreError) as error:
            raise LakeError(f"{self._url(key)} can't be read: {error}") from error

    def delete(self, stored: StoredObject) -> None:
        """Take away a partition's object; its versions stay. Raises LakeError."""
        self._call("DeleteObject", stored.key)

    def publish_report(self, page: str) -> str:
        """Replace the report by one PUT; where it is. Raises LakeError."""
        key = "report/report.html"
        self._call("PutObject", key, Body=page.encode(), ContentType="text/html; charset=utf-8")
        return self._url(key)

    # --- calls ----------------------------------------------------------------------------------------------------

    def _put_once(
        self, key: str, body: bytes, over: str | None, ours: Callable[[], bool], marks: dict[str, str] | None = None
    ) -> tuple[str, str]:
        """A PUT that replaces only what was seen: ETag and version. A lost race is none when our own retry had won it."""
        condition: dict[str, Any] = {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        name = key.removeprefix(self._prefix)
        try:
            put = self._call("PutObject", name, Body=body, Metadata=marks or {}, **condition)
        except LakeError as error:
            cause = error.__cause__
            if not isinstance(cause, ClientError) or _code(cause) not in _LOST_RACE:
                raise
            if not ours():
                message = f"{self._url(name)} was replaced by another writer"
                raise LakeError(message, hint="nothing more is written; the next run repairs it") from error
            put = self._call("HeadObject", name)
        return put["ETag"], self._version(put)

    def _version(self, answer: Any) -> str:
        version = answer.get("VersionId")
        if not version or version == "null":
            raise LakeError(f"bucket {self._bucket} is not versioned", hint="turn versioning on: manifests name versions")
        return str(version)

    def _get(self, key: str, *, missing_ok: bool) -> tuple[bytes, str] | None:
        name = key.removeprefix(self._prefix)
        try:
            got = self._call("GetObject", name)
        except LakeError as error:
            if missing_ok and isinstance(error.__cause__, ClientError) and _code(error.__cause__) in _MISSING:
                return None
            raise
        try:
            return got["Body"].read(), got["ETag"]
        except BotoCoreError as error:
            raise LakeError(f"{self._url(name)} can't be read: {error}") from error

    def _list(self, prefix: str) -> Iterable[Any]:
        token: dict[str, str] = {}
        while True:
            page = self._call("ListObjectsV2", prefix, Prefix=self._prefix + prefix, **token)
            yield from page.get("Contents", ())
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _call(self, action: str, key: str, **arguments: Any) -> Any:
        call = {
            "GetObject": self._s3.get_object,
            "HeadObject": self._s3.head_object,
            "PutObject": self._s3.put_object,
            "DeleteObject": self._s3.delete_object,
            "ListObjectsV2": self._s3.list_objects_v2,
        }[action]
        if action != "ListObjectsV2":
            arguments["Key"] = self._prefix + key
        try:
            with waiting_for(LakeError):
                answer = call(Bucket=self._bucket, **arguments)  # type: ignore[operator]
        except NoCredentialsError as error:
            raise LakeError(f"{action} on {self._url(key)}: no AWS credentials", hint="give the task a role") from error
        except (ClientError, BotoCoreError, ResponseParserError, ValueError) as error:
            raise LakeError(f"{action} on {self._url(key)}: {error}", hint=_hint(error)) from error
        except RecursionError as error:  # how botocore ends when it is redirected and is told no region
            raise LakeError(f"{action} on {self._url(key)}: redirected for ever", hint=_OTHER_REGION) from error
        # Cut within its headers, an answer passes for one without the rest of them, and without a body.
        if missing := [name for name in _ALWAYS.get(action, ()) if name not in answer]:
            raise LakeError(f"{action} on {self._url(key)}: the answer was cut short, it has no {missing[0]}")
        return answer

    def _url(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _hint(error: Exception) -> str:
    code = _code(error) if isinstance(error, ClientError) else ""
    return {
        "AccessDenied": "grant this action on this key to the task role",
        "NoSuchBucket": "S3_BUCKET names no bucket",
        "PermanentRedirect": _OTHER_REGION,
        "SlowDown": "S3 throttled every attempt",
    }.get(code, "")
