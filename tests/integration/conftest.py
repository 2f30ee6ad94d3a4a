"""A program with little data, whose stores the tests of one file share."""

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.program import QUICK, Program
from tests.sample_api import SampleApi
from tests.services import AwsEndpoint, Login, create_database, drop_database

LAUNCHES = 30


@pytest.fixture(scope="module")
def small_api() -> Iterator[SampleApi]:
    """The sample API with few launches."""
    with SampleApi(n=LAUNCHES) as api:
        yield api


@pytest.fixture(scope="module")
def small(mysql: Login, aws: AwsEndpoint, small_api: SampleApi) -> Iterator[Program]:
    """The program, and stores that nothing was put into yet."""
    name = f"test{secrets.token_hex(6)}"
    login = create_database(mysql, name, name, secrets.token_hex(12))
    aws.create_bucket(f"test-{name}")
    settings = {**aws.environment(), **login.environment(), **QUICK, "S3_BUCKET": f"test-{name}", "SOURCE_URL": small_api.url}
    yield Program({**os.environ, **settings, "SOURCE": "spacex"}, aws, login)
    drop_database(mysql, login)
