"""What an earlier run received, from the raw archive, in the place of the API."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.records import ArchivedEndpoint, Endpoint, Lake, Parser, Source


class ArchivedSource:
    """A source that answers with archived bodies; `copied`: they go into another archive, and count as new there."""

    def __init__(self, source: Source, lake: Lake, endpoints: Mapping[str, ArchivedEndpoint], *, copied: bool) -> None:
        self.name = source.name
        self.url = source.url
        self._source = source
        self._lake = lake
        self._endpoints = endpoints
        self._copied = copied

    def extract(self, previous: Mapping[str, ArchivedEndpoint], spool: Path) -> Iterator[Endpoint]:  # noqa: ARG002
        """Every endpoint's archived answer. Raises LakeError."""
        for name, archived in self._endpoints.items():
            whole = self._lake.restore(Endpoint(name, archived.etag, (), archived, progress=archived.progress), spool)
            yield replace(whole, archived=None) if self._copied else whole

    def launches(self, endpoint: Endpoint) -> Iterator[list[tuple[int, Any]]]:
        """The launch records in batches."""
        return self._source.launches(endpoint)

    def parser(self, endpoints: Mapping[str, Endpoint]) -> Parser:
        """A parser that knows the look-ups."""
        return self._source.parser(endpoints)
