"""The doctor's checks of S3; nothing is changed that lasts."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..core.health import Check, clock_check
from ..errors import LakeError
from ..settings import Settings
from . import layout
from .hints import hint_of

_EXIT_CODE = LakeError.exit_code
_CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 2})
_GRANT = "grant the task role's rights on the bucket: Terraform's policy lists them"


def checks(settings: Settings) -> Iterator[Check]:
    """The bucket: whether it is there and where, readable, versioned, writable, and keeps conditions."""
    try:
        s3: Any = boto3.client("s3", region_name=settings.aws_region, config=_CONFIG)
        listed = s3.list_objects_v2(Bucket=settings.s3_bucket, Prefix=f"{settings.s3_prefix}{layout.MANIFESTS}", MaxKeys=1)
    except BotoCoreError as error:
        yield Check("S3", False, str(error), hint_of(error) or "check the endpoint, the network and the credentials", _EXIT_CODE)
        return
    except ClientError as error:
        yield _failed("S3", error, s3, settings)
        if _code(error) != "AccessDenied":
            return  # the others would say the same
    else:
        headers = listed["ResponseMetadata"]["HTTPHeaders"]
        yield _region(s3, headers.get("x-amz-bucket-region", ""), settings)
        if sent := headers.get("date"):
            yield clock_check("S3", (datetime.now(UTC) - parsedate_to_datetime(sent)).total_seconds(), _EXIT_CODE)
    for name, check in (("S3 read", _read), ("S3 versioning", _versioning), ("S3 write", _write)):
        try:
            yield check(s3, settings)
        except ClientError as error:
            yield _failed(name, error, s3, settings)
        except BotoCoreError as error:
            yield Check(name, False, str(error), hint_of(error) or "check the endpoint and the network", _EXIT_CODE)


def _read(s3: Any, settings: Settings) -> Check:
    try:
        s3.get_object(Bucket=settings.s3_bucket, Key=f"{settings.s3_prefix}{layout.LATEST}")
    except s3.exceptions.NoSuchKey:
        return Check("S3 read", True, "nothing is published yet", "", _EXIT_CODE)
    return Check("S3 read", True, "the published manifest can be read", "", _EXIT_CODE)


def _versioning(s3: Any, settings: Settings) -> Check:
    status = s3.get_bucket_versioning(Bucket=settings.s3_bucket).get("Status")
    found = f"{settings.s3_bucket}: {status or 'never enabled'}"
    return Check("S3 versioning", status == "Enabled", found, "manifests name versions: turn versioning on", _EXIT_CODE)


def _write(s3: Any, settings: Settings) -> Check:
    """A write that must be refused proves the right to write and that conditions are kept, and leaves nothing behind."""
    bucket = settings.s3_bucket
    key = f"{settings.s3_prefix}{layout.probe_key(secrets.token_hex(8))}"
    try:
        put = s3.put_object(Bucket=bucket, Key=key, Body=b"", IfMatch='"0"')
    except ClientError as error:
        if _code(error) in ("PreconditionFailed", "NoSuchKey", "412", "404"):
            return Check("S3 write", True, "writes are allowed, conditions are kept", "", _EXIT_CODE)
        raise
    s3.delete_object(Bucket=bucket, Key=key, VersionId=put.get("VersionId", "null"))
    found = "a PUT with If-Match was accepted though nothing matched"
    return Check("S3 write", False, found, "the store must keep conditions, as S3 does", _EXIT_CODE)


def _region(s3: Any, there: str, settings: Settings) -> Check:
    """S3 redirects requests for another region's bucket, which costs a request each time and fails with some endpoints."""
    here = s3.meta.region_name
    if not there or there == here:
        return Check("S3 region", True, there or here, "", _EXIT_CODE)
    return Check(
        "S3 region", True, _elsewhere(there, here, settings), f"set AWS_DEFAULT_REGION={there}", _EXIT_CODE, warning=True
    )


def _failed(name: str, error: ClientError, s3: Any, settings: Settings) -> Check:
    """What S3 refused, with the repair that its answer points to."""
    code, here = _code(error), s3.meta.region_name
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    there = str(headers.get("x-amz-bucket-region", ""))
    if code == "NoSuchBucket":
        found, hint = f"the bucket {settings.s3_bucket} does not exist", "check S3_BUCKET; Terraform makes the bucket"
    elif there and there != here:
        found, hint = _elsewhere(there, here, settings), f"set AWS_DEFAULT_REGION={there}"
    elif code in ("RequestTimeTooSkewed", "RequestExpired"):
        found, hint = f"S3 refuses this machine's clock: {error}", "let this machine keep time by NTP"
    elif code == "AccessDenied":
        found, hint = str(error), "grant s3:PutObject under the prefix to the task role" if name == "S3 write" else _GRANT
    else:
        found, hint = str(error), hint_of(error) or "check credentials, region and endpoint"
    return Check(name, False, found, hint, _EXIT_CODE)


def _elsewhere(there: str, here: str, settings: Settings) -> str:
    return f"the bucket {settings.s3_bucket} is in {there}, this program's region is {here}"


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
