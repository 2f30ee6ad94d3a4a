"""The API: what each request is answered."""

import http
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.sample_api import library, records
from tests.sample_api.collection import Collection
from tests.sample_api.faults import BODIES, Fault
from tests.sample_api.library_records import as_library
from tests.sample_api.paging import paginate
from tests.sample_api.recorded import recorded as read_recorded
from tests.sample_api.server import CHANGE, JSON, TEXT, Answer, Request, Server

Content = Sequence[Any] | bytes
LIBRARY = "2.3.0"
"""What the paths of Launch Library's endpoints begin with."""


class SampleApi:
    """Both APIs on a loopback port; what they answer may be changed while they run.

    An endpoint is named `rockets`, `v4/launches` or `v5/launches`; `launches` means both versions. Launch Library's are
    `2.3.0/launches` and `2.3.0/api-throttle`; its `budget` may be replaced at any time. A fault may also be
    of `launches/query` and the like, or of `*`: all endpoints that have none of their own, counted together.
    """

    def __init__(
        self,
        launches: Content | None = None,
        lookups: Mapping[str, Content] | None = None,
        *,
        n: int = records.LAUNCHES,
        launch: Callable[[int], Any] = records.launch,
        recorded: Path | None = None,
        snapshot: str | None = None,
        faults: Mapping[str, Fault] | None = None,
        port: int = 0,
    ) -> None:
        self.requests: list[Request] = []
        self.budget = library.Budget(1000)
        self._collections: dict[str, Collection] = {}
        self._faults: dict[str, Fault] = {}
        self._seen: dict[str, int] = {}  # requests since the fault was set
        self._lock = threading.Lock()
        if recorded is None:
            self._set_launches(Collection(n, launch))
            self._collections[f"{LIBRARY}/launches"] = Collection(n, launch).changed(as_library)
        contents: dict[str, Content] = {}
        contents |= records.lookups() if recorded is None else read_recorded(recorded, snapshot)
        if launches is not None:
            contents["launches"] = launches
        for endpoint, content in (contents | dict(lookups or {})).items():
            self.set(endpoint, content)
        for endpoint, fault in (faults or {}).items():
            self.fault(endpoint, fault)
        self._port = port

    def set_launches(self, content: Content) -> None:
        """Serve these v5 launches, as v4 too, or this raw body."""
        self.set("launches", content)

    def set(self, endpoint: str, content: Content) -> None:
        """Serve these records, or this raw body, from the next request on."""
        collection = Collection.of(content)
        if endpoint != "launches":
            self._collections[_full_name(endpoint)] = collection
        elif isinstance(content, bytes):
            self._collections |= {"v5/launches": collection, "v4/launches": collection}
        else:
            self._set_launches(collection)

    def fault(self, endpoint: str, fault: Fault | None) -> None:
        """Misbehave so from the next request on; None ends it."""
        with self._lock:
            self._faults[endpoint], self._seen[endpoint] = fault or Fault(), 0
            if fault is None:
                del self._faults[endpoint]

    def change_launch(self, name: str, fields: Mapping[str, Any]) -> str:
        """Serve the one launch of this name or id with other values, for the frozen source; its id. Raises ValueError."""
        launches = self._collections["v5/launches"]
        ids = [one["id"] for one in map(launches.at, range(launches.size)) if name in (one["id"], one["name"])]
        if len(ids) != 1:
            raise ValueError(f"{len(ids)} launches are called {name!r}")
        self._set_launches(launches.changed(lambda one: {**one, **fields} if one["id"] == ids[0] else one))
        return str(ids[0])

    def body(self, endpoint: str) -> bytes | bytearray:
        """The whole list as it is served, built now if it was not yet."""
        return self._collections[_full_name(endpoint)].body

    def warm_up(self) -> None:
        """Build now what the first request for launches, whole or in pages by id, would wait for."""
        launches = self._collections["v5/launches"]
        launches.order((("_id", False),))
        _list(launches, {})

    def __enter__(self) -> Self:
        """Listen and answer; `url` is set from then on."""
        self._server = Server(self._port, self._answer)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = self._server.url
        return self

    def join(self) -> None:
        """Wait while it answers."""
        self._thread.join()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop answering and break off every connection."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _set_launches(self, collection: Collection) -> None:
        self._collections |= {"v5/launches": collection, "v4/launches": collection.changed(records.as_v4)}

    def _answer(self, request: Request) -> Answer:
        endpoint = urlsplit(request.path).path.strip("/")
        if endpoint == "_ready":
            return _bare(200)
        if endpoint == CHANGE:
            return self._change(request.body)
        self.requests.append(request)
        fault, turn = self._next_fault(endpoint)
        return replace(_wrong(fault) or self._right(request, endpoint, fault, turn), fault=fault)

    def _change(self, body: bytes) -> Answer:
        """What `tests.sample_api.change` asks for."""
        asked = json.loads(body)
        try:
            return Answer(200, self.change_launch(asked["launch"], asked["fields"]).encode(), TEXT)
        except ValueError as error:
            return Answer(400, str(error).encode(), TEXT)

    def _next_fault(self, endpoint: str) -> tuple[Fault, int]:
        """The fault of this request, and which of its turns this is."""
        with self._lock:
            for name in (endpoint, endpoint.partition("/")[2], "*"):
                if name in self._faults:
                    self._seen[name] += 1
                    turn = self._faults[name].turn(self._seen[name] - 1)
                    return (Fault(), 0) if turn is None else (self._faults[name], turn)
        return Fault(), 0

    def _right(self, request: Request, endpoint: str, fault: Fault, turn: int) -> Answer:
        if endpoint.startswith(f"{LIBRARY}/"):
            return self._library(request, endpoint, fault, turn)
        is_query = endpoint.endswith("/query")
        collection = self._collections.get(endpoint.removesuffix("/query"))
        if collection is None or is_query != (request.method == "POST"):
            return _bare(404)
        return self._query(collection, request.body, fault, turn) if is_query else _list(collection, request.headers)

    def _library(self, request: Request, endpoint: str, fault: Fault, turn: int) -> Answer:
        """An answer of Launch Library: how much is left, or a page, which costs."""
        if endpoint == f"{LIBRARY}/api-throttle":
            return Answer(200, self.budget.throttle(request.headers.get("authorization")))
        collection = self._collections.get(endpoint)
        if collection is None:
            return Answer(404, b'{"detail":"Not found."}')
        with self._lock:
            if self.budget.used >= self.budget.limit:
                detail = f"Request was throttled. Expected available in {self.budget.next_s} seconds."
                return Answer(429, json.dumps({"detail": detail}).encode(), headers={"Retry-After": str(self.budget.next_s)})
            self.budget.used += 1
        path = urlsplit(request.path)
        page = library.page(collection, f"{self.url}{path.path}", path.query, stuck=fault.stuck)
        if fault.totals:
            page["count"] = fault.totals[turn % len(fault.totals)]
        instead = fault.pages[turn % len(fault.pages)] if fault.pages else page
        return Answer(200, instead if isinstance(instead, bytes) else records.encode(instead).encode())

    def _query(self, collection: Collection, body: bytes, fault: Fault, turn: int) -> Answer:
        """The page that was asked for, or what the fault makes of it."""
        lookups = {name: self._collections[f"v4/{name}"] for name in records.LOOKUPS}
        try:
            request = json.loads(body or b"{}")
            if fault.stuck:
                request["options"] = request.get("options", {}) | {"page": 1}
                request["options"].pop("offset", None)
            docs, page = paginate(collection, request, lookups)
        except (ValueError, TypeError, AttributeError) as error:
            return Answer(400, str(error).encode(), TEXT)
        if fault.totals:
            page["totalDocs"] = fault.totals[turn % len(fault.totals)]
        if fault.pages:
            instead = fault.pages[turn % len(fault.pages)]
            return Answer(200, instead if isinstance(instead, bytes) else records.encode(instead).encode())
        return Answer(200, b'{"docs":%b,%b' % (docs, records.encode(page).encode()[1:]))


def _full_name(endpoint: str) -> str:
    return endpoint if "/" in endpoint else f"v4/{endpoint}"


def _wrong(fault: Fault) -> Answer | None:
    if fault.status is not None:
        return _bare(fault.status, fault.retry_after)
    if isinstance(fault.body, str):
        return Answer(200, BODIES[fault.body], "text/html" if fault.body == "html" else JSON)
    return None if fault.body is None else Answer(200, fault.body)


def _bare(status: int, retry_after: str | int | None = None) -> Answer:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Answer(status, http.HTTPStatus(status).phrase.encode(), TEXT, headers)


def _list(collection: Collection, headers: Mapping[str, str]) -> Answer:
    """The whole list, or 304 when the client has it."""
    etag = {"ETag": collection.etag}
    known = [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
    is_known = collection.etag in known or "*" in known
    return Answer(304, headers=etag) if is_known else Answer(200, collection.body, headers=etag)
