"""What the tests of Prefect and of Airflow have in common: a world each, and the check that nothing leaves this machine."""

import contextlib
import json
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.ecs import EcsServer
from tests.integrations.network import only_loopback, refused
from tests.program import Program
from tests.sample_api import Fault, SampleApi
from tests.services import AwsEndpoint, Login, create_database, drop_database

HANG_S = 100


class World(Program):
    """The program with its API, database and bucket, and the states in which a run may find them."""

    def __init__(self, settings: dict[str, str], aws: AwsEndpoint, login: Login, api: SampleApi) -> None:
        super().__init__({**os.environ, **settings}, aws, login)
        program = Path(sys.executable).with_name("spacex-pipeline")
        self.settings = {**settings, "PIPELINE_COMMAND": str(program)}  # what Prefect and Airflow hand on, or use
        self.api = api
        self._launches = json.loads(api.body("v5/launches"))

    def has_news(self) -> None:
        """All is well, and one launch has changed."""
        self._launches[0]["details"] = secrets.token_hex(4)
        self.api.set_launches(self._launches)
        self.api.fault("v5/launches", Fault())

    def has_no_news(self) -> None:
        """All is well and published."""
        self.has_news()
        self.run()

    def has_no_source(self, times: int | None = None) -> None:
        """The source is away, for ever or for so many requests."""
        self.has_news()
        self.api.fault("v5/launches", Fault(status=404, first=times))

    def has_nothing_credible(self) -> None:
        """The source answers with no launch at all, which the gate refuses."""
        self.has_no_news()
        self.api.set_launches([])

    @contextlib.contextmanager
    def is_busy(self) -> Iterator[None]:
        """Another run holds the lock, however long it takes until somebody looks."""
        self.has_news()
        self.api.fault("v5/launches", Fault(hang_s=HANG_S, first=1))
        other = self.start("run")
        assert other.stdout
        try:
            next(line for line in other.stdout if json.loads(line).get("stage") == "lock")
            other.send_signal(signal.SIGSTOP)
            yield
        finally:
            other.kill()
            other.communicate()

    def last_run(self) -> dict[str, Any]:
        """What the program tells of its last run."""
        return dict(json.loads(self("runs", "--limit", "1", "--json").stdout)[0])


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    """S3, CloudWatch Logs, and an ECS whose tasks run."""
    with EcsServer(tmp_path_factory.mktemp("aws")) as server:
        yield server.endpoint


@pytest.fixture(scope="session")
def world(mysql: Login, aws: AwsEndpoint) -> Iterator[World]:
    """A world that the tests of a file share: a scheduler's process keeps its settings."""
    name = f"test{secrets.token_hex(6)}"
    login = create_database(mysql, name, name, secrets.token_hex(12))
    bucket = f"test-{secrets.token_hex(8)}"
    aws.create_bucket(bucket)
    with SampleApi() as api:
        settings = {**aws.environment(), **login.environment(), "SOURCE": "spacex", "SOURCE_URL": api.url, "S3_BUCKET": bucket}
        yield World(settings, aws, login, api)
    drop_database(mysql, login)


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine() -> Iterator[None]:
    """Not one packet of a server, worker or run of before or now; `on-loopback` makes the network in which that shows."""
    yield
    assert not only_loopback() or refused() == 0, "something wanted to leave this machine"
