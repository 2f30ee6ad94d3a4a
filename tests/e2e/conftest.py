"""The built image against the stores of docker-compose.test.yml, all of which `tests/e2e/with-stack` brings."""

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.e2e.container import Image, sample_api
from tests.services import AwsEndpoint, Login, drop_database


@pytest.fixture(scope="session")
def network() -> str:
    """The stack's network. Without one nothing is tested, and that is no success."""
    return os.environ.get("E2E_NETWORK") or pytest.fail("needs the built image and its stack: make test-e2e")


@pytest.fixture
def database(network: str, mysql: Login) -> Iterator[Login]:
    """A new database and a user who has all rights there, from any address, and none elsewhere."""
    name, password = f"e2e{secrets.token_hex(6)}", secrets.token_hex(12)
    mysql.query(f"CREATE DATABASE `{name}`")
    mysql.query("CREATE USER %s@'%%' IDENTIFIED BY %s", name, password)
    mysql.query(f"GRANT ALL ON `{name}`.* TO %s@'%%'", name)
    login = Login(mysql.host, mysql.port, name, password, name)
    login.connect().close()  # from now on MySQL knows the user by a proof, and asks nobody for the password itself
    yield login
    drop_database(mysql, login)


@pytest.fixture(scope="session")
def sample(network: str) -> Iterator[str]:
    """The sample API as it is when nothing is wrong."""
    with sample_api(network) as name:
        yield name


@pytest.fixture
def image(network: str, settings_env: dict[str, str], aws: AwsEndpoint, database: Login, sample: str) -> Image:
    """The image, set up for the stores and the sample API, with a log group of its own."""
    group = f"/e2e/{settings_env['S3_BUCKET']}"
    aws.create_log_group(group)
    return Image({**settings_env, "LOG_GROUP": group}, aws, database, sample)
