"""The sample API as a service of its own process."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.services.server import HOST, Server, http_status


class SampleApi(Server):
    """A loopback server that answers as the SpaceX API does."""

    name = "sample API"

    def __init__(self, directory: Path, *, launches: int | None = None, changed: Sequence[str] = (), long: bool = False) -> None:
        """`changed` as the sample API takes it: a share and where, such as `0.01:spread`; `long`: texts as long as real ones."""
        super().__init__(directory)
        self._launches = launches
        self._options = [f"--changed={one}" for one in changed] + ["--long"] * long

    @property
    def url(self) -> str:
        """What `SOURCE_URL` must be."""
        return f"http://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """The sample API of this checkout."""
        size = [] if self._launches is None else ["-n", str(self._launches)]
        return [sys.executable, "-m", "tests.sample_api", "--port", str(self.port), *size, *self._options]

    def answers(self) -> bool:
        """Whether it says that it is ready."""
        return http_status(self.port, "/_ready") == 200
