"""What every source has in common, as the pipeline sees it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from .model import ArchivedResponse, Checked, Rejected, Response, Rows

SetAside = Callable[[Rejected, Any], None]
"""Takes a record that can't be used, and what is wrong with it."""


class Parser(Protocol):
    """Reads one source's records, given its lookups."""

    def parse(self, raw: Any, checked: Checked) -> Rows:
        """The rows of one launch; counts in `checked` what it met. Raises `pydantic.ValidationError` or `fields.InvalidField`."""


class Source(Protocol):
    """An API that knows launches."""

    name: str
    url: str

    def extract(self, previous: Mapping[str, ArchivedResponse], spool: Path) -> Iterator[Response]:
        """Every endpoint's answer, spooled; `previous` makes the requests conditional, or lets changes do."""

    def launches(self, response: Response) -> Iterator[list[tuple[int, Any]]]:
        """The launch records in batches, each with its place in the answer."""

    def parser(self, responses: Mapping[str, Response], set_aside: SetAside) -> Parser:
        """A parser that knows the lookups; those that can't be used are set aside."""

    def probe(self, now: datetime, spool: Path) -> str:
        """What one small request shows: version, newest past launch. Raises SourceError."""
