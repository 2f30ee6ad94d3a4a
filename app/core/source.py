"""What every source has in common, as the pipeline sees it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from .columns import Counts
from .model import ArchivedResponse, Checked, Rejected, Response, Rows

SetAside = Callable[[Rejected, Any], None]
"""Takes a record that can't be used, and what is wrong with it."""


class RowParser(Protocol):
    """Reads one source's records one by one, given its lookups."""

    def parse(self, raw: Any, checked: Checked) -> Rows:
        """The rows of one launch; counts in `checked` what it met. Raises `pydantic.ValidationError` or `fields.InvalidField`."""


@runtime_checkable
class ColumnParser(Protocol):
    """Reads one source's records many at once, given its lookups: `read` for each, then `tables`.

    Its source gives records as JSON text in bytes.
    """

    def read(self, record: Any) -> tuple[Any, Counter[str]]:
        """One launch as `tables` takes it, and the fields that the contract does not know.

        Takes a record as bytes, or parsed. Raises `pydantic.ValidationError` or `fields.InvalidField`.
        """

    def tables(self, launches: Sequence[Any], counts: Counts) -> dict[str, pa.Table]:
        """The rows of some launches by table, hashed; counts what it met.

        Raises `fields.InvalidField` when a launch has a field that does not fit, `columns.TooMuch` when there are to be fewer.
        """


Parser = RowParser | ColumnParser


class Source(Protocol):
    """An API that knows launches."""

    name: str
    url: str

    def extract(self, previous: Mapping[str, ArchivedResponse], spool: Path) -> Iterator[Response]:
        """Every endpoint's answer, spooled; `previous` makes the requests conditional, or lets changes do."""

    def launches(self, response: Response) -> Iterator[list[tuple[int, Any]]]:
        """The launch records in batches, each with its place in the answer; as bytes, where a ColumnParser reads them."""

    def parser(self, responses: Mapping[str, Response], set_aside: SetAside) -> Parser:
        """A parser that knows the lookups; those that can't be used are set aside."""

    def probe(self, now: datetime, spool: Path) -> str:
        """What one small request shows: version, newest past launch. Raises SourceError."""
