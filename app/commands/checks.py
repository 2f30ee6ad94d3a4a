"""What a run needs, looked at one by one; nothing is changed that lasts. Each store has its own checks."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..core.health import Check
from ..core.source import Source
from ..errors import LakeError, PipelineError, SettingsError, SourceError, WarehouseError
from ..lake import checks as lake
from ..lake.store import S3Lake
from ..mysql import checks as mysql
from ..settings import Settings

_CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 2})


def examine(settings: Settings, source: Source) -> list[Check]:
    """Every check, in the order in which a run needs them; one that fails stops none of the others."""
    return [
        Check("settings", True, "every setting can be read", "", SettingsError.exit_code),
        *_of("source", SourceError.exit_code, lambda: _source(source)),
        *_of("S3", LakeError.exit_code, lambda: lake.checks(settings)),
        *_of("Iceberg", LakeError.exit_code, lambda: _iceberg(settings)),
        *_of("MySQL", WarehouseError.exit_code, lambda: mysql.checks(settings)),
        *_of("MySQL tables", WarehouseError.exit_code, lambda: mysql.tables(settings)),
        *_of("CloudWatch", 1, lambda: _cloudwatch(settings)),
    ]


def _of(system: str, exit_code: int, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks of one system; an error of the system's own is a check that failed."""
    try:
        yield from checks()
    except PipelineError as error:
        yield Check(system, False, error.message, error.hint, exit_code)
    except (ClientError, BotoCoreError) as error:
        yield Check(system, False, str(error), "check credentials, region, endpoint and the task role's policy", exit_code)


def _source(source: Source) -> Iterator[Check]:
    with tempfile.TemporaryDirectory(prefix="spacex-pipeline-") as spool:
        yield Check("source answers", True, source.probe(datetime.now(UTC), Path(spool)), "", SourceError.exit_code)


def _iceberg(settings: Settings) -> Iterator[Check]:
    if tables := S3Lake(settings).iceberg:
        yield Check("Iceberg", True, tables.check(), "", LakeError.exit_code)


def _cloudwatch(settings: Settings) -> Iterator[Check]:
    group = settings.log_group
    if not group:
        yield Check("CloudWatch", True, "LOG_GROUP is not set: logs stay on stdout", "", 1)
        return
    logs: Any = boto3.client("logs", region_name=settings.aws_region, config=_CONFIG)
    now = int(datetime.now(UTC).timestamp() * 1000)
    try:  # to a stream that does not exist: refused for want of the stream, not of the right
        logs.put_log_events(
            logGroupName=group,
            logStreamName=f"doctor-{secrets.token_hex(8)}",
            logEvents=[{"timestamp": now, "message": "never written"}],
        )
    except logs.exceptions.ResourceNotFoundException as error:
        has_group = "stream" in str(error)
        found = f"{group} {'can be written' if has_group else 'is missing'}"
        yield Check("CloudWatch", has_group, found, "Terraform makes the group", 1)
