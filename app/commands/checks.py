"""What a run needs, looked at one by one; nothing is changed that lasts."""

import ipaddress
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..core.source import Source
from ..errors import LakeError, PipelineError, SettingsError, SourceError, WarehouseError
from ..lake import layout
from ..mysql.init_db import RIGHTS
from ..mysql.session import Session
from ..mysql.warehouse import MysqlWarehouse
from ..settings import Settings

_TIMEOUT_S = 15
_MOST_SKEW_S = 60
_LEAST_PACKET_BYTES = 16 << 20  # the longest text that the tables take is 4 MB
_CONFIG = Config(connect_timeout=5, read_timeout=_TIMEOUT_S, retries={"mode": "standard", "total_max_attempts": 2})


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and how to repair it. The exit code is that of the system it belongs to."""

    name: str
    passed: bool
    found: str
    hint: str
    exit_code: int


def examine(settings: Settings, source: Source) -> list[Check]:
    """Every check, in the order in which a run needs them; one that fails stops none of the others."""
    s3, mysql = LakeError.exit_code, WarehouseError.exit_code
    return [
        Check("settings", True, "every setting can be read", "", SettingsError.exit_code),
        *_of("source", SourceError.exit_code, lambda: _source(source)),
        *_of("S3", s3, lambda: _s3_read(settings)),
        *_of("S3 versioning", s3, lambda: _s3_versioning(settings)),
        *_of("S3 write", s3, lambda: _s3_write(settings)),
        *_of("MySQL", mysql, lambda: _mysql(settings)),
        *_of("MySQL tables", mysql, lambda: _tables(settings)),
        *_of("CloudWatch", 1, lambda: _cloudwatch(settings)),
    ]


def _of(system: str, exit_code: int, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks of one system; an error of the system's own is a check that failed."""
    try:
        yield from checks()
    except PipelineError as error:
        yield Check(system, False, error.message, error.hint, exit_code)
    except (ClientError, BotoCoreError) as error:
        yield Check(system, False, str(error), "credentials, region, endpoint and the task role's policy", exit_code)


def _source(source: Source) -> Iterator[Check]:
    with tempfile.TemporaryDirectory(prefix="spacex-pipeline-") as spool:
        yield Check("source answers", True, source.probe(datetime.now(UTC), Path(spool)), "", 3)


def _s3(settings: Settings) -> Any:
    return boto3.client("s3", region_name=settings.aws_region, config=_CONFIG)


def _s3_read(settings: Settings) -> Iterator[Check]:
    s3, bucket, prefix = _s3(settings), settings.s3_bucket, settings.s3_prefix
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}{layout.MANIFESTS}", MaxKeys=1)
    yield _skew("S3", parsedate_to_datetime(listed["ResponseMetadata"]["HTTPHeaders"]["date"]), 5)
    try:
        s3.get_object(Bucket=bucket, Key=f"{prefix}{layout.LATEST}")
        found = "the published manifest can be read"
    except s3.exceptions.NoSuchKey:
        found = "nothing is published yet"
    yield Check("S3 read", True, found, "", 5)


def _s3_versioning(settings: Settings) -> Iterator[Check]:
    status = _s3(settings).get_bucket_versioning(Bucket=settings.s3_bucket).get("Status")
    hint = "manifests name versions: turn versioning on"
    yield Check("S3 versioning", status == "Enabled", f"{settings.s3_bucket}: {status or 'never enabled'}", hint, 5)


def _s3_write(settings: Settings) -> Iterator[Check]:
    """A write that must be refused proves the right to write and that conditions are kept, and leaves nothing behind."""
    s3, bucket = _s3(settings), settings.s3_bucket
    key = f"{settings.s3_prefix}{layout.probe_key(secrets.token_hex(8))}"
    try:
        put = s3.put_object(Bucket=bucket, Key=key, Body=b"", IfMatch='"0"')
    except ClientError as error:
        code = error.response["Error"]["Code"]
        kept = code in ("PreconditionFailed", "NoSuchKey", "412", "404")
        found = "writes are allowed, conditions are kept" if kept else str(error)
        yield Check("S3 write", kept, found, "grant s3:PutObject under the prefix to the task role", 5)
    else:
        s3.delete_object(Bucket=bucket, Key=key, VersionId=put.get("VersionId", "null"))
        yield Check("S3 write", False, "a PUT with If-Match was taken though nothing matched", "S3 itself keeps conditions", 5)


def _mysql(settings: Settings) -> Iterator[Check]:
    session = Session(settings, timeout_s=_TIMEOUT_S)
    try:
        server, user, zone, packet, here = session.query(
            "SELECT VERSION(), CURRENT_USER(), @@session.time_zone, @@max_allowed_packet, UTC_TIMESTAMP(6)"
        )[0]
        yield Check("MySQL answers", True, f"version {server}, as {user}", "", 6)
        yield _skew("MySQL", here.replace(tzinfo=UTC), 6)
        yield Check("MySQL time zone", zone == "+00:00", f"the session's is {zone}", "sessions must be able to set +00:00", 6)
        enough = packet >= _LEAST_PACKET_BYTES
        yield Check("MySQL max_allowed_packet", enough, f"{packet:,} bytes", f"at least {_LEAST_PACKET_BYTES:,} bytes", 6)
        yield _tls(settings, session)
        yield _rights(session)
        yield _local_infile(session)
    finally:
        session.close()


def _tables(settings: Settings) -> Iterator[Check]:
    with MysqlWarehouse(settings) as warehouse:
        pending = len(warehouse.pending_ddl())
        found = f"a run begins with {pending} statements of DDL" if pending else "as the schema says"
        yield Check("MySQL tables", True, found, "", 6)


def _tls(settings: Settings, session: Session) -> Check:
    cipher = session.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1]
    if settings.mysql_ssl_ca:
        return Check("MySQL TLS", bool(cipher), f"{cipher}, verified by {settings.mysql_ssl_ca}", "", 6)
    local = _is_loopback(settings.mysql_host)
    found = f"{cipher or 'none'}, not verified{': the server is on this machine' if local else ''}"
    return Check("MySQL TLS", local, found, "set MYSQL_SSL_CA to the file of the server's certificate authority", 6)


def _rights(session: Session) -> Check:
    granted = session.query(
        "SELECT `PRIVILEGE_TYPE` FROM (SELECT `GRANTEE`, `PRIVILEGE_TYPE`, DATABASE() AS `there` "
        "FROM information_schema.USER_PRIVILEGES UNION SELECT `GRANTEE`, `PRIVILEGE_TYPE`, `TABLE_SCHEMA` "
        "FROM information_schema.SCHEMA_PRIVILEGES) AS granted WHERE DATABASE() LIKE `there` AND `GRANTEE` = CONCAT('\\'', "
        "SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '\\'@\\'', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '\\'')"
    )
    missing = sorted(set(RIGHTS.split(", ")) - {row[0] for row in granted})
    found = f"missing: {', '.join(missing)}" if missing else "all that a run needs"
    return Check("MySQL rights", not missing, found, "init-db grants them, to the user itself and not through a role", 6)


def _local_infile(session: Session) -> Check:
    try:
        session.execute("CREATE TEMPORARY TABLE `doctor` (`n` INT)")
        session.load("LOAD DATA LOCAL INFILE 'doctor' INTO TABLE `doctor`", iter([b"1\n"]), lambda: 1)
    except WarehouseError as error:
        return Check("MySQL local_infile", False, error.message, error.hint, 6)
    return Check("MySQL local_infile", True, "a row was loaded into a temporary table", "", 6)


def _cloudwatch(settings: Settings) -> Iterator[Check]:
    group = settings.log_group
    if not group:
        yield Check("CloudWatch", True, "LOG_GROUP is not set: logs stay on stdout", "", 1)
        return
    logs: Any = boto3.client("logs", region_name=settings.aws_region, config=_CONFIG)
    now = int(datetime.now(UTC).timestamp() * 1000)
    try:  # to a stream that is not there: refused, but for want of the stream and not of the right
        logs.put_log_events(
            logGroupName=group,
            logStreamName=f"doctor-{secrets.token_hex(8)}",
            logEvents=[{"timestamp": now, "message": "never written"}],
        )
    except logs.exceptions.ResourceNotFoundException as error:
        has_group = "stream" in str(error)
        found = f"{group} {'can be written' if has_group else 'is missing'}"
        yield Check("CloudWatch", has_group, found, "Terraform makes the group", 1)


def _skew(system: str, there: datetime, exit_code: int) -> Check:
    skew_s = abs((datetime.now(UTC) - there).total_seconds())
    found = f"{skew_s:.0f} s apart from this machine's"
    return Check(f"{system} clock", skew_s <= _MOST_SKEW_S, found, "let both keep time by NTP", exit_code)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
