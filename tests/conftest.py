"""The services that tests use, and an environment in which nothing leads to a real account or database."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import QUICK, Program
from tests.sample_api import SampleApi
from tests.sample_api.records import FEW, few
from tests.services import AwsEndpoint, Login, MotoServer, MysqlServer, create_database, drop_database
from tests.services.aws import without_settings


def pytest_configure() -> None:
    """Clean the environment for every test, and stop the services on SIGTERM as on Ctrl-C."""
    clean = without_settings(os.environ)
    clean.pop("PYTHONDONTWRITEBYTECODE", None)  # what is started a thousand times is compiled once
    os.environ.clear()
    os.environ.update({**clean, **QUICK})
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: some tests wait for what is silent or held."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """The administrator of a server: the one that TEST_MYSQL_HOST, _PORT, _USER and _PASSWORD name, or our own."""
    if host := os.environ.get("TEST_MYSQL_HOST"):
        port, user = int(os.environ.get("TEST_MYSQL_PORT", "3306")), os.environ.get("TEST_MYSQL_USER", "root")
        yield Login(host, port, user, os.environ.get("TEST_MYSQL_PASSWORD", ""))
        return
    with MysqlServer(tmp_path_factory.mktemp("mysql")) as server:
        yield server.admin


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    """S3 and CloudWatch Logs: what TEST_AWS_ENDPOINT_URL names, or a moto server of our own."""
    if url := os.environ.get("TEST_AWS_ENDPOINT_URL"):
        yield AwsEndpoint(url)
        return
    with MotoServer(tmp_path_factory.mktemp("moto")) as server:
        yield server.endpoint


@pytest.fixture
def database(mysql: Login) -> Iterator[Login]:
    """A new database and a user who has all rights there and none elsewhere."""
    name = f"test{secrets.token_hex(6)}"
    login = create_database(mysql, name, name, secrets.token_hex(12))
    yield login
    drop_database(mysql, login)


@pytest.fixture
def bucket(aws: AwsEndpoint) -> str:
    """The name of a new, versioned bucket."""
    name = f"test-{secrets.token_hex(8)}"
    aws.create_bucket(name)
    return name


@pytest.fixture
def settings_env(aws: AwsEndpoint, bucket: str, database: Login) -> dict[str, str]:
    """The program's settings for these services; a test that needs a source sets SOURCE_URL."""
    nobody = "http://127.0.0.1:9"  # without it a forgetful test would go to the public API
    return {
        **aws.environment(),
        **database.environment(),
        **QUICK,
        "SOURCE": "spacex",
        "SOURCE_URL": nobody,
        "S3_BUCKET": bucket,
    }


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded answers, which are not ours to publish."""
    if folder := os.environ.get("RECORDED_DATA"):
        return Path(folder)
    pytest.skip("RECORDED_DATA names no folder")


@pytest.fixture
def api() -> Iterator[SampleApi]:
    """The sample API with 40 launches of six years; what it serves may be changed."""
    with SampleApi(n=FEW, launch=few) as api:
        yield api


@pytest.fixture
def program(settings_env: dict[str, str], aws: AwsEndpoint, database: Login, api: SampleApi) -> Program:
    """The program, set up for the services and the sample API."""
    return Program({**os.environ, **settings_env, "SOURCE_URL": api.url}, aws, database)
