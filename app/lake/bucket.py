"""The bucket behind the lake: calls, what their errors say, bounded reads, lists and conditional PUTs."""

import functools
import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.parsers import ResponseParserError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from ..errors import LakeError, UnreadableObject, waiting_for
from .hints import GRANTS, code_of, hint_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 20
ATTEMPTS = 4
CONNECTIONS = 8
CONDITIONAL_ATTEMPTS = 6
_CONDITIONAL_WAIT_S = 0.2  # grows at random to at most the next
_MOST_CONDITIONAL_WAIT_S = 3
PAGE = 1000  # objects or versions in one answer, which is S3's most
_CHUNK = 1 << 20

_MISSING = {"NoSuchKey", "NoSuchVersion", "404"}
_CONFLICT = {"ConditionalRequestConflict", "OperationAborted", "409"}
_NOT_MET = {"PreconditionFailed", "412"}
_ALWAYS = {
    "GetObject": ("ETag", "ContentLength"),
    "HeadObject": ("ETag", "Metadata"),
    "PutObject": ("ETag",),
    "CopyObject": ("CopyObjectResult",),
    "ListObjectsV2": ("IsTruncated",),
    "ListObjectVersions": ("IsTruncated",),
}


class MissingObject(UnreadableObject):
    """There is no object under the key, or not the version that was asked for."""


class _TryAgain(LakeError):
    """S3 asks for another try of a conditional PUT."""


@dataclass(frozen=True)
class Listed:
    """One object or version as a list names it; the key is relative to the prefix."""

    key: str
    etag: str
    version_id: str
    modified: datetime


class Bucket:
    """One bucket under one prefix; may be used from several threads.

    `warn` receives a line for a call that took several attempts.
    """

    def __init__(self, name: str, prefix: str, region: str | None, warn: Callable[[str], None] = lambda _: None) -> None:
        self._warn = warn
        self._name = name
        self._prefix = prefix
        self._region: str | None = None  # that the bucket is in, where an answer names it
        self._settings_region = region
        self._connecting = threading.Lock()

    @functools.cached_property
    def _client(self) -> "S3Client":
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            signature_version="s3v4",  # of presigned URLs too, for which botocore would take an older one
        )
        try:
            client: S3Client = boto3.client("s3", region_name=self._settings_region, config=config)
        except (BotoCoreError, ValueError) as error:
            raise LakeError(
                f"S3 client: {error}", hint=hint_of(error) or "check AWS_DEFAULT_REGION and AWS_ENDPOINT_URL"
            ) from error
        client.meta.events.register("response-received.s3", self._note_region)
        return client

    @property
    def _s3(self) -> "S3Client":
        """The client, made when it is first needed: that takes a tenth of a second, in which MySQL can be at work."""
        with self._connecting:
            return self._client

    def url(self, key: str = "") -> str:
        """Where an object is, for people."""
        return f"s3://{self._name}/{self._prefix}{key}"

    # --- reads ----------------------------------------------------------------------------------------------------

    def get(self, key: str, limit: int, version_id: str | None = None) -> Any:
        """The answer to a GET, its body not yet read. Raises UnreadableObject when it is gone or larger than the limit."""
        version = {"VersionId": version_id} if version_id else {}
        answer = self.call("GetObject", key, **version)
        if answer["ContentLength"] > limit:
            answer["Body"].close()
            raise UnreadableObject(f"{self.url(key)} has {answer['ContentLength']:,} bytes where at most {limit:,} are expected")
        return answer

    def read(self, key: str, limit: int, version_id: str | None = None) -> tuple[bytes, Any]:
        """An object's bytes and the answer that they came with. Raises UnreadableObject when it is gone or too large."""
        answer = self.get(key, limit, version_id)
        body = io.BytesIO()  # parts that are joined take twice the memory
        body.writelines(self.body(key, answer, limit))
        return body.getvalue(), answer

    def body(self, key: str, answer: Any, limit: int) -> Iterator[bytes]:
        """The body of a GET as it comes, at most so many bytes whatever the answer's head says. Raises LakeError."""
        left = limit
        try:
            while chunk := answer["Body"].read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise UnreadableObject(f"{self.url(key)} has more than the {limit:,} bytes that are expected")
                yield chunk
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise LakeError(f"{self.url(key)} can't be read: {error}") from error

    def etag(self, key: str) -> str | None:
        """An object's ETag; None when it is gone. Raises LakeError."""
        try:
            return str(self.call("HeadObject", key)["ETag"])
        except MissingObject:
            return None

    def check_version(self, key: str, version_id: str) -> None:
        """Ask whether a version of an object is there. Raises UnreadableObject when it is gone."""
        self.call("HeadObject", key, VersionId=version_id)

    def presigned(self, key: str, version_id: str, lifetime_s: int) -> str:
        """A URL by which anybody may read this version of an object for so long. Raises LakeError without credentials."""
        version = {"Bucket": self._name, "Key": self._prefix + key, "VersionId": version_id}
        try:
            return str(self._s3.generate_presigned_url("get_object", Params=version, ExpiresIn=lifetime_s))
        except BotoCoreError as error:
            raise LakeError(f"a URL of {self.url(key)} can't be signed: {error}", hint=hint_of(error)) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix. Raises LakeError."""
        token: dict[str, str] = {}
        while True:
            page = self.call("ListObjectsV2", prefix, Prefix=self._prefix + prefix, MaxKeys=PAGE, **token)
            yield from (item["Key"].removeprefix(self._prefix) for item in page.get("Contents", ()))
            if not page["IsTruncated"]:
                return
            token = {"ContinuationToken": self._next(page, "ListObjectsV2", prefix, "NextContinuationToken")}

    def current(self, prefix: str) -> Iterator[Listed]:
        """The newest version of each object under a prefix; one that was deleted is not there. Raises LakeError."""
        return (version for version, is_latest in self._versions(prefix) if is_latest)

    def versions(self, key: str) -> Iterator[Listed]:
        """All versions of one object, newest first. Raises LakeError."""
        return (version for version, _ in self._versions(key) if version.key == key)

    def _versions(self, prefix: str) -> Iterator[tuple[Listed, bool]]:
        marker: dict[str, str] = {}
        while True:
            page = self.call("ListObjectVersions", prefix, Prefix=self._prefix + prefix, MaxKeys=PAGE, **marker)
            for item in page.get("Versions", ()):
                key = item["Key"].removeprefix(self._prefix)
                yield Listed(key, item["ETag"], item["VersionId"], item["LastModified"]), item["IsLatest"]
            if not page["IsTruncated"]:
                return
            marker = {"KeyMarker": self._next(page, "ListObjectVersions", prefix, "NextKeyMarker")}
            if version := page.get("NextVersionIdMarker"):
                marker["VersionIdMarker"] = version

    def _next(self, page: Any, action: str, prefix: str, name: str) -> str:
        if not page.get(name):
            raise LakeError(f"{action} on {self.url(prefix)}: the answer says that there is more, and not from where")
        return str(page[name])

    # --- writes ---------------------------------------------------------------------------------------------------

    def put(self, key: str, body: Any, content_type: str) -> Any:
        """Put an object whatever is there. Raises LakeError."""
        return self.call("PutObject", key, Body=body, ContentType=content_type)

    def put_if(self, key: str, body: bytes, over: str | None, marks: dict[str, str]) -> tuple[str, str]:
        """Put an object only over the ETag that was seen, or only where there is none; its ETag and version.

        The marks, kept with the object, tell an earlier try of our own from another writer. Raises LakeError.
        """
        waits = wait_random_exponential(multiplier=_CONDITIONAL_WAIT_S, max=_MOST_CONDITIONAL_WAIT_S)
        attempts = Retrying(
            retry=retry_if_exception_type(_TryAgain), stop=stop_after_attempt(CONDITIONAL_ATTEMPTS), wait=waits, reraise=True
        )
        with waiting_for(LakeError):
            put = attempts(self._put_if, key, body, over, marks)
        if (tried := attempts.statistics["attempt_number"]) > 1:
            self._warn(f"PutObject on {self.url(key)}: answered at attempt {tried}; before it another request was at work")
        return put

    def _put_if(self, key: str, body: bytes, over: str | None, marks: dict[str, str]) -> tuple[str, str]:
        condition: dict[str, Any] = {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        try:
            put = self.call("PutObject", key, Body=body, Metadata=marks, **condition)
        except LakeError as error:
            code = code_of(error.__cause__)
            if code in _CONFLICT:
                message = (
                    f"{self.url(key)}: S3 was asked {CONDITIONAL_ATTEMPTS} times and each time found another request at work"
                )
                raise _TryAgain(f"{message} ({code})", hint="the next run repairs it") from error
            if code in _NOT_MET:
                put = self._settled(key, over, marks, error)
            elif over and code in _MISSING:
                raise self._lost(key, "was deleted meanwhile") from error
            else:
                raise
        return put["ETag"], self.version_of(put)

    def _settled(self, key: str, over: str | None, marks: dict[str, str], refused: LakeError) -> Any:
        """What a PUT whose condition was not met comes to: an earlier try of our own, or what another writer did."""
        try:
            head = self.call("HeadObject", key)
        except MissingObject as error:
            raise self._lost(key, "was deleted meanwhile") from error
        if head["Metadata"] == marks:
            return head
        if head["ETag"] == over:  # nobody wrote: the condition holds
            message = f"{self.url(key)}: S3 refused {CONDITIONAL_ATTEMPTS} times to replace it though it is what was seen"
            raise _TryAgain(message, hint="the next run repairs it") from refused
        raise self._lost(key, f"was {'replaced' if over else 'created'} by another writer") from refused

    def _lost(self, key: str, what: str) -> LakeError:
        return LakeError(f"{self.url(key)} {what}", hint="nothing more is written; the next run repairs it")

    def copy(self, key: str, version_id: str, to: str) -> None:
        """Let the server copy one version of an object. Raises LakeError; UnreadableObject when it is gone."""
        self.call("CopyObject", to, CopySource={"Bucket": self._name, "Key": self._prefix + key, "VersionId": version_id})

    def delete(self, key: str) -> None:
        """Delete an object; its versions stay. Raises LakeError."""
        self.call("DeleteObject", key)

    def version_of(self, answer: Any) -> str:
        """The version that an answer names. Raises LakeError when the bucket has none."""
        version = answer.get("VersionId")
        if not version or version == "null":
            raise LakeError(f"bucket {self._name} is not versioned", hint="turn versioning on: manifests name versions")
        return str(version)

    # --- calls ----------------------------------------------------------------------------------------------------

    def call(self, action: str, key: str, **arguments: Any) -> Any:
        """One call; a list's key is its prefix. Raises LakeError that names action, object and what to do."""
        call = {
            "GetObject": self._s3.get_object,
            "HeadObject": self._s3.head_object,
            "PutObject": self._s3.put_object,
            "CopyObject": self._s3.copy_object,
            "DeleteObject": self._s3.delete_object,
            "ListObjectsV2": self._s3.list_objects_v2,
            "ListObjectVersions": self._s3.list_object_versions,
        }[action]
        if "Prefix" not in arguments:
            arguments["Key"] = self._prefix + key
        where = f"{action} on {self.url(key)}"
        try:
            with waiting_for(LakeError):
                answer = call(Bucket=self._name, **arguments)  # type: ignore[operator]
        except NoCredentialsError as error:
            raise LakeError(f"{where}: no AWS credentials", hint=hint_of(error)) from error
        except (ClientError, BotoCoreError, ResponseParserError, ValueError) as error:
            kind = (
                MissingObject if action in ("GetObject", "HeadObject", "CopyObject") and code_of(error) in _MISSING else LakeError
            )
            raise kind(f"{where}: {error}", hint=hint_of(error, GRANTS[action], self._region)) from error
        except RecursionError as error:  # how botocore ends when it is redirected again and again
            hint = hint_of(error, region=self._region)
            raise LakeError(f"{where}: S3 redirects without end", hint=hint) from error
        # Cut within its headers, an answer passes for one without the rest of them, and without a body.
        if missing := [name for name in _ALWAYS.get(action, ()) if name not in answer]:
            raise LakeError(f"{where}: the answer was cut short, it has no {missing[0]}")
        if retries := answer["ResponseMetadata"].get("RetryAttempts"):
            self._warn(f"{where}: answered at attempt {retries + 1}")
        return answer

    def _note_region(self, response_dict: Any = None, **_: Any) -> None:
        if response_dict and (region := response_dict["headers"].get("x-amz-bucket-region")):
            self._region = region
