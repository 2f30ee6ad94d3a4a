"""The r-spacex API: its endpoints, fetched once a run, whole or in pages."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from ...core.fields import newest_past
from ...core.model import ArchivedResponse, Body, Response
from ...core.source import SetAside
from ...errors import SourceError, some
from ...settings import Settings
from ..http import HttpClient
from ..json_reader import read_page, read_records, read_texts
from ..paging import Pages, Shifted, settled
from .columns import SpacexParser
from .models import LOOKUPS

DEFAULT_URL = "https://api.spacexdata.com"

_PROBED = 100  # more than there ever were planned ones
BATCH_SIZE = 2000
PAGE_SIZE = 1000
# A larger list is read page by page, so that a cut costs a page and not the whole.
LIST_LIMIT_BYTES = 16 << 20


def make(settings: Settings, warn: Callable[[str], None]) -> "SpacexSource":
    """The source by the settings."""
    return SpacexSource(HttpClient(warn=warn), settings.source_url or DEFAULT_URL, settings.spacex_api_version, warn=warn)


class SpacexSource:
    """The r-spacex API behind `core.source.Source`."""

    name = "spacex"

    def __init__(
        self,
        client: HttpClient,
        url: str,
        version: str,
        *,
        list_limit_bytes: int = LIST_LIMIT_BYTES,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.url = url
        self._warn = warn
        self._client = client
        self._limit = list_limit_bytes
        self._urls = {"launches": f"{url}/{version}/launches"} | {kind: f"{url}/v4/{kind}" for kind in LOOKUPS}

    def extract(self, previous: Mapping[str, ArchivedResponse], spool: Path) -> Iterator[Response]:
        """Every endpoint once. Raises SourceError; a list over the size limit is read in pages."""
        for name, url in self._urls.items():
            before = previous.get(name)
            etag = before.etag if before else None
            answer = self._client.fetch(url, spool / f"{name}-1.json", etag=etag, limit=self._limit)
            if answer.not_modified:
                yield Response(name, etag, (), before)
            elif answer.body:
                yield Response.answered(name, answer.etag, (answer.body,), before)
            else:
                bodies = self._pages(name, url, spool)
                # The ETag was seen before the pages were read: it is theirs only if it still holds after them.
                same = answer.etag and self._client.fetch(url, spool / "again", etag=answer.etag, limit=0).not_modified
                yield Response.answered(name, answer.etag if same else None, bodies, before)

    def launches(self, response: Response) -> Iterator[list[tuple[int, bytes]]]:
        """The launch records in batches. Raises SourceError when an answer can't be read."""
        return read_texts(response, BATCH_SIZE)

    def parser(self, responses: Mapping[str, Response], set_aside: SetAside) -> SpacexParser:
        """A parser that knows the lookups. Raises SourceError when they can't be read, or are too many."""
        parser = SpacexParser(set_aside)
        for kind in LOOKUPS:
            for batch in read_records(responses[kind], BATCH_SIZE):
                for index, raw in batch:
                    parser.learn(kind, index, raw)
        return parser

    def probe(self, now: datetime, spool: Path) -> str:
        """Version, and the newest past launch of the latest ones. Raises SourceError."""
        url = self._urls["launches"]
        query = {"query": {}, "options": {"limit": _PROBED, "sort": {"date_utc": -1}}}
        self._client.fetch(f"{url}/query", spool / "probe", opening=b"{", post=query)
        try:
            page = read_page(spool / "probe")
        except ValueError as error:
            raise SourceError(f"{url}/query: the answer can't be read: {error}") from error
        dated = ((doc.date_utc, doc.name) for doc in page.records if not doc.upcoming)
        return f"{url}: {page.total_docs} launches, {newest_past(dated, now)}"

    def _pages(self, name: str, url: str, spool: Path) -> tuple[Body, ...]:
        """All pages of one state of the list. Raises SourceError when it would not hold still."""
        return settled(f"{url}/query", lambda ids: self._read_pages(name, f"{url}/query", spool, ids), self._warn)

    def _read_pages(self, name: str, url: str, spool: Path, last_ids: frozenset[str] | None) -> tuple[Body, ...]:
        pages = Pages(last_ids)
        while True:
            number = len(pages.bodies) + 1
            # Sorted by id: no ties, and a launch that is added or moved in time shifts no other.
            options = {"page": number, "limit": PAGE_SIZE, "sort": {"_id": 1}}
            query = {"query": {}, "options": options}
            answer = self._client.fetch(url, spool / f"{name}-{number}.json", opening=b"{", post=query)
            assert answer.body  # fetched without limit or ETag
            try:
                page = read_page(answer.body.path)
            except ValueError as error:
                raise SourceError(f"{url}: page {number} can't be read: {error}") from error
            if page.page != number:
                raise Shifted(f"page {number} was asked for, page {page.page!r:.40} came")
            pages.add(answer.body, [record.id for record in page.records], page.total_docs)
            if page.has_next_page is not True:
                bodies = pages.close()
                if pages.twice and name != "launches":  # those are named when they are validated
                    self._warn(f"{name}: {len(pages.twice)} records came twice, the last counts: {some(sorted(pages.twice))}")
                return bodies
            if not page.records:
                raise Shifted(f"page {number} is empty but more should follow")
