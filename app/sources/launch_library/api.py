"""Launch Library 2.3.0: one paged list of launches, read whole or by its changes, within the API's budget of requests."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from ...core.fields import newest_past, parse_utc
from ...core.model import ArchivedResponse, Body, Response, Watermark
from ...core.source import SetAside
from ...errors import SourceError, some
from ...settings import Settings
from ..http import HttpClient, Timeouts
from ..json_reader import Glance, Page, read_page, read_texts
from ..paging import Pages, Shifted, settled
from .columns import LaunchLibraryParser

DEFAULT_URL = "https://ll.thespacedevs.com"
VERSION = "2.3.0"
SPACEX = 121
PAGE_SIZE = 100  # the most that the API gives
BATCH_SIZE = 200
OVERLAP = timedelta(hours=1)
"""How far behind the newest change the next reading of changes begins.

While a list is read, a launch on a page that came already may change, and then another on a page to come: the newest change
received is then later than one that was missed. No reading takes this long.
"""
# The API takes long over a page of detailed launches.
TIMEOUTS = Timeouts(read_s=60.0, total_s=240.0)


def make(settings: Settings, warn: Callable[[str], None]) -> "LaunchLibrarySource":
    """The source by the settings."""
    token = settings.launch_library_token.get_secret_value()
    client = HttpClient(TIMEOUTS, headers={"Authorization": f"Token {token}"} if token else {}, warn=warn)
    return LaunchLibrarySource(
        client,
        settings.source_url or DEFAULT_URL,
        settings.launch_library_provider_id,
        timedelta(days=settings.full_snapshot_days),
        warn=warn,
    )


class LaunchLibrarySource:
    """Launch Library behind `core.source.Source`."""

    def __init__(
        self,
        client: HttpClient,
        url: str,
        provider_id: int,
        full_every: timedelta,
        *,
        warn: Callable[[str], None] = lambda _: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        # Another provider's launches are another source: the gate must not let them replace these unasked.
        self.name = "launch_library" if provider_id == SPACEX else f"launch_library-{provider_id}"
        self.url = url
        self._client = client
        self._provider_id = provider_id
        self._full_every = full_every
        self._warn = warn
        self._clock = clock
        self._launches_url = f"{url}/{VERSION}/launches/"
        self._throttle_url = f"{url}/{VERSION}/api-throttle/"

    def extract(self, previous: Mapping[str, ArchivedResponse], spool: Path) -> Iterator[Response]:
        """The launches: all of them when the budget allows it, else what changed since `previous`. Raises SourceError."""
        before = previous.get("launches")
        yield settled(self._launches_url, lambda ids: self._read(before, spool, ids), self._warn)

    def launches(self, response: Response) -> Iterator[list[tuple[int, bytes]]]:
        """The launch records in batches. Raises SourceError when an answer can't be read."""
        return read_texts(response, BATCH_SIZE)

    def parser(self, responses: Mapping[str, Response], set_aside: SetAside) -> LaunchLibraryParser:  # noqa: ARG002  # no lookups
        """A parser; the records bring their lookups along."""
        return LaunchLibraryParser(self.name, self._provider_id)

    def probe(self, now: datetime, spool: Path) -> str:
        """Version, the newest past launch of the latest ones, and what is left of the budget. Raises SourceError."""
        budget = self._budget(spool)
        query = {"lsp__id": self._provider_id, "mode": "list", "ordering": "-net", "limit": PAGE_SIZE}
        url = f"{self._launches_url}?{urlencode(query)}"
        _, page = self._page(url, spool / "probe", budget)
        dated = ((launch.net, launch.name) for launch in page.records)
        return f"{self._launches_url}: {page.count} launches, {newest_past(dated, now)}; {budget.left} requests left"

    def _read(self, before: ArchivedResponse | None, spool: Path, last_ids: frozenset[str] | None) -> Response:
        """One reading, planned within what the budget leaves at this moment."""
        budget = self._budget(spool)
        watermark = before.watermark if before else None
        if before is None or watermark is None:
            return self._everything(None, budget, spool, last_ids)
        due = self._clock() - watermark.full_at >= self._full_every
        needed = _pages(watermark.total) + (0 if due else 1)  # the list may have grown; when it is due, that is worth a try
        why = f"everything may take {needed} requests"
        if needed <= budget.left:
            try:
                return self._everything(None if due else before, budget, spool, last_ids)
            except _OverBudget as error:
                if budget.left < 1:
                    raise
                why = error.why
        self._warn(f"only what changed since {_text(watermark.changed_at - OVERLAP)} is read: {why} and {budget.remaining}")
        if due:
            setting = f"FULL_SNAPSHOT_DAYS {self._full_every.days}"
            self._warn(f"everything was last read on {watermark.full_at:%Y-%m-%d}, over {setting}: launches that are gone stay")
        return self._changes(before, watermark, budget, spool, last_ids)

    def _everything(
        self, before: ArchivedResponse | None, budget: "_Budget", spool: Path, last_ids: frozenset[str] | None
    ) -> Response:
        started_at = self._clock()
        pages, changes = self._list({}, budget, spool, last_ids)
        watermark = Watermark(full_at=started_at, total=pages.received, changed_at=_EVER, recent={})
        response = Response.answered("launches", None, self._close(pages), before)
        return replace(response, watermark=_advanced(watermark, changes))

    def _changes(
        self,
        before: ArchivedResponse,
        watermark: Watermark,
        budget: "_Budget",
        spool: Path,
        last_ids: frozenset[str] | None,
    ) -> Response:
        filters = {"last_updated__gte": _text(watermark.changed_at - OVERLAP)}
        pages, changes = self._list(filters, budget, spool, last_ids)
        bodies = self._close(pages)
        if len(changes) == pages.received and watermark.recent.items() >= dict(changes).items():  # nothing but the overlap
            return Response("launches", None, (), archived=before)
        return Response("launches", None, bodies, base=before, watermark=_advanced(watermark, changes))

    def _close(self, pages: Pages) -> tuple[Body, ...]:
        bodies = pages.close()
        if pages.twice:
            self._warn(f"{len(pages.twice)} launches came twice, the last counts: {some(sorted(pages.twice))}")
        return bodies

    def _list(
        self, filters: dict[str, str], budget: "_Budget", spool: Path, last_ids: frozenset[str] | None
    ) -> tuple[Pages, list["_Change"]]:
        """All pages of one list, checked, and when each record changed. Raises Shifted and SourceError."""
        pages = Pages(last_ids)
        changes: list[_Change] = []
        while True:
            # Sorted by id: no ties, and a launch that changes shifts no other.
            query = {"lsp__id": self._provider_id, "mode": "detailed", "ordering": "id", **filters}
            url = f"{self._launches_url}?{urlencode({**query, 'limit': PAGE_SIZE, 'offset': pages.received})}"
            body, page = self._page(url, spool / f"launches-{len(pages.bodies) + 1}.json", budget)
            pages.add(body, [launch.id for launch in page.records], page.count)
            changes += [change for launch in page.records if (change := _change(launch))]
            if page.next is None:
                return pages, changes
            if not page.records:
                raise Shifted(f"page {len(pages.bodies)} is empty but more should follow")
            _check_budget(pages, len(page.records), budget)

    def _page(self, url: str, to: Path, budget: "_Budget") -> tuple[Body, Page]:
        answer = self._client.fetch(url, to, opening=b"{", spend=budget.spend)
        assert answer.body  # fetched without limit or ETag
        try:
            return answer.body, read_page(to)
        except ValueError as error:
            raise SourceError(f"{url}: the page can't be read: {error}") from error

    def _budget(self, spool: Path) -> "_Budget":
        """What the API says is left; asking costs nothing. Raises SourceError when nothing is, or the answer can't be read."""
        to = spool / "throttle"
        self._client.fetch(self._throttle_url, to, opening=b"{")
        try:
            budget = _Budget.of(_Throttle.model_validate_json(to.read_bytes()))
        except ValidationError as error:
            # Names alone, and the file goes at once: its `ident` is the token where one is used.
            fields = ", ".join(str(fault["loc"][0]) if fault["loc"] else "the whole" for fault in error.errors())
            raise SourceError(f"{self._throttle_url}: the answer can't be read: {fields}") from None
        finally:
            to.unlink(missing_ok=True)
        if budget.left < 1:
            raise _OverBudget("nothing can be read", budget)
        return budget


class _Throttle(BaseModel):
    your_request_limit: int
    limit_frequency_secs: int
    current_use: int
    next_use_secs: float


class _OverBudget(SourceError):
    """What is to be read takes more requests than are left."""

    def __init__(self, why: str, budget: "_Budget") -> None:
        free = f"the next is free in {budget.next_s:.0f} s, " if budget.left <= 0 else ""
        when = f"{free}all are in {budget.period_s} s at the latest"
        super().__init__(f"{why} and {budget.remaining}", hint=f"{when}; a token raises the limit (LAUNCH_LIBRARY_TOKEN)")
        self.why = why


@dataclass
class _Budget:
    """How many requests may still be made; each one that is made is taken off, retries too."""

    left: int
    limit: int
    period_s: int
    next_s: float

    @classmethod
    def of(cls, answer: _Throttle) -> "_Budget":
        left = max(0, answer.your_request_limit - answer.current_use)
        return cls(left, answer.your_request_limit, answer.limit_frequency_secs, answer.next_use_secs)

    @property
    def remaining(self) -> str:
        return f"{self.left} of {self.limit} in {self.period_s} s are left"

    def spend(self) -> None:
        """Take off a request that is about to be made. Raises _OverBudget: the next may be free in an hour."""
        if self.left < 1:
            raise _OverBudget("another request is needed", self)
        self.left -= 1


def _check_budget(pages: Pages, length: int, budget: _Budget) -> None:
    """Whether the rest of a list can be read, by the length of its last page: it may be shorter than was asked for."""
    if isinstance(pages.total, int):
        rest = -(-(pages.total - pages.received) // length)
        if rest > budget.left:
            raise _OverBudget(f"{pages.total} launches take {len(pages.bodies) + rest} requests", budget)


_Change = tuple[str, datetime]
"""A record's id, and when it changed."""

_EVER = datetime(1001, 1, 1, tzinfo=UTC)


def _change(launch: Glance) -> _Change | None:
    try:
        return (launch.id, parse_utc(launch.last_updated)) if isinstance(launch.id, str) else None
    except ValueError:
        return None


def _advanced(watermark: Watermark, changes: list[_Change]) -> Watermark:
    """The watermark after these records."""
    known = {**watermark.recent, **dict(changes)}
    newest = max(known.values(), default=watermark.changed_at)
    recent = {key: at for key, at in sorted(known.items()) if at >= newest - OVERLAP}
    return watermark.model_copy(update={"changed_at": newest, "recent": recent})


def _pages(records: int) -> int:
    return max(1, -(-records // PAGE_SIZE))


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
