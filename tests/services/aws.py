"""AWS as the tests and local runs see it: one loopback endpoint, fixed keys, and nothing of a real account."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.utils import parse_timestamp

from tests.services.server import HOST, Server, http_status

REGION = "us-east-1"


@dataclass(frozen=True)
class AwsEndpoint:
    """Something that speaks AWS's protocols on a URL: moto's server or LocalStack."""

    url: str

    def environment(self) -> dict[str, str]:
        """Every variable that boto3 and the aws command need to talk to this endpoint, and to nothing else."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def client(self, service: str) -> Any:
        """A boto3 client; the environment must be clean of `AWS_PROFILE` and the like (`without_settings`)."""
        return _client(self.url, service)

    def create_bucket(self, name: str) -> None:
        """Make a versioned bucket, unless it is there."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name)  # in us-east-1 no error if it is ours already
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def create_log_group(self, name: str) -> None:
        """Make a log group, unless it is there."""
        try:
            self.client("logs").create_log_group(logGroupName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise


class MotoServer(Server):
    """moto's server: S3 and CloudWatch Logs in memory, gone when it stops."""

    name = "moto"

    @property
    def endpoint(self) -> AwsEndpoint:
        """Where it serves."""
        return AwsEndpoint(f"http://{HOST}:{self.port}")

    def command(self) -> list[str]:
        """moto's server in a process of its own."""
        return [sys.executable, "-m", "tests.services.moto", "-H", HOST, "-p", str(self.port)]

    def answers(self) -> bool:
        """Whether moto's own page is served."""
        return http_status(self.port, "/moto-api/") == 200


@cache  # to make one takes longer than most of its calls
def _client(url: str, service: str) -> Any:
    session = boto3.session.Session("test", "test", region_name=REGION)
    parsers = session._session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=lru_cache(1 << 12)(parse_timestamp))  # else half the time of a listing
    return session.client(service, endpoint_url=url)  # type: ignore[call-overload]  # any service's name


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment with nothing in it that could lead to a real account, database or bucket."""
    ours = ("AWS_", "MYSQL_", "S3_", "BOTO_", "LAUNCH_LIBRARY_")
    image = "MYSQL_IMAGE"  # of docker-compose.test.yml; leads nowhere
    kept = {key: value for key, value in environment.items() if key == image or not key.startswith(ours)}
    for key in ("SOURCE", "SOURCE_URL", "LOG_GROUP"):
        kept.pop(key, None)
    kept["NO_PROXY"] = kept["no_proxy"] = ",".join(
        filter(None, [environment.get("no_proxy") or environment.get("NO_PROXY"), HOST, "localhost"])
    )
    return kept
