"""Private, throw-away services on loopback: a MySQL or MariaDB server, and moto's server as S3 and CloudWatch Logs."""

from tests.services.aws import AwsEndpoint, MotoServer
from tests.services.mysql import Login, MysqlServer, create_database, drop_database
from tests.services.sample import SampleApi
from tests.services.server import Server, ServerFailed

__all__ = [
    "AwsEndpoint",
    "Login",
    "MotoServer",
    "MysqlServer",
    "SampleApi",
    "Server",
    "ServerFailed",
    "create_database",
    "drop_database",
]
