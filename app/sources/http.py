"""The HTTP client of all sources: deadlines, limits, redirects, retries of what is transient, bodies spooled to disk.

Only named transient faults are tried again: timeouts, resets, cut bodies, 408, 425, 429 and 5xx, and a 200 that is not the
JSON asked for (a maintenance page, an empty body). Everything else ends the run at once with its real cause.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests
import tenacity
import urllib3

from .. import __version__
from ..core.model import Body
from ..core.validate import shortened
from ..errors import SourceError, some, waiting_for
from .decoding import ACCEPTED, decoded
from .redirects import MAX_REDIRECTS, target

ATTEMPTS = 4
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0
TOTAL_TIMEOUT_S = 120.0  # one answer, all its attempts and waits
MAX_WAIT_S = 30.0  # a longer Retry-After is cut to this; with 429 it ends the run: asking earlier would be refused again
MAX_BODY_BYTES = 32 << 20  # of one answer, decoded: a page is parsed as a whole, and the largest known ones have 6 MB
MAX_RUN_BYTES = 2 << 30  # of all answers of a run, decoded: they are spooled to disk; 20,000 launches are 0.1 GB
_TRANSIENT_STATUS = frozenset({408, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Timeouts:
    """How long one answer may take, seconds."""

    connect_s: float = CONNECT_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S
    total_s: float = TOTAL_TIMEOUT_S


@dataclass(frozen=True)
class Answer:
    """One answer. `body` is None when it was not modified (304) or larger than the caller would take."""

    etag: str | None
    body: Body | None
    not_modified: bool = False


@dataclass(frozen=True)
class _Request:
    """What is asked for, and what the caller takes as an answer."""

    url: str
    to: Path
    opening: bytes
    etag: str | None
    limit: int | None
    post: dict[str, Any] | None
    spend: Callable[[], None]


class _TransientError(Exception):
    """Worth another attempt; `wait_s` is what the server asked for."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class HttpClient:
    """Fetches JSON with deadlines and retries. `sleep` is given, so that tests need not wait.

    `warn` receives a line for an answer that took several attempts. The environment's proxies and certificate authorities count;
    its credentials (`~/.netrc`) never do. `headers` go to the hosts of the addresses that are asked for, and nowhere else: a
    redirect to another host is an error.
    """

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        *,
        headers: dict[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._session = _Session()
        self._session.auth = _as_it_is
        self._session.headers.update({"User-Agent": f"spacex-pipeline/{__version__}", "Accept": "application/json"})
        self._session.headers["Accept-Encoding"] = ACCEPTED
        self._session.headers.update(headers or {})
        self._sleep = sleep
        self._warn = warn
        self._received_bytes = 0

    def fetch(
        self,
        url: str,
        to: Path,
        *,
        opening: bytes = b"[",
        etag: str | None = None,
        limit: int | None = None,
        post: dict[str, Any] | None = None,
        spend: Callable[[], None] = lambda: None,
    ) -> Answer:
        """The answer of `url`, its body in the file `to`.

        `opening` is the byte that the JSON must begin with, `etag` makes the request conditional, `limit` is the most bytes
        that the caller takes, `post` is sent as JSON, `spend` is called before each request, retries included. Raises
        SourceError with the cause of the last attempt.
        """
        deadline = time.monotonic() + self._timeouts.total_s
        faults: list[str] = []
        request = _Request(url, to, opening, etag, limit, post, spend)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_before_delay(self._timeouts.total_s),
            wait=_wait,
            sleep=self._sleep,
            before_sleep=lambda state: faults.append(_fault_of(state)),
            reraise=True,
        )
        try:
            with waiting_for(SourceError):
                answer = retrying(lambda: self._attempt(request, deadline))
        except _TransientError as error:
            raise SourceError(f"{url}: {error}", hint=f"gave up after {len(faults) + 1} attempts") from error
        if faults:
            self._warn(f"{url}: answered at attempt {len(faults) + 1}; before it: {some(dict.fromkeys(faults))}")
        return answer

    def _attempt(self, request: _Request, deadline: float) -> Answer:
        url, method = request.url, "GET" if request.post is None else "POST"
        try:
            for _ in range(MAX_REDIRECTS + 1):
                request.spend()
                with self._session.request(
                    method,
                    url,
                    json=request.post if method == "POST" else None,
                    headers={"If-None-Match": request.etag} if request.etag else {},
                    stream=True,
                    timeout=(self._timeouts.connect_s, self._timeouts.read_s),
                    allow_redirects=False,
                ) as response:
                    if response.status_code not in _REDIRECTS:
                        return self._received(response, request, deadline)
                    # A POST is a query: repeating it elsewhere changes nothing, so it stays one but where the answer says GET.
                    method = "GET" if response.status_code == requests.codes.see_other else method
                    url = target(url, response.headers.get("Location"))
        except requests.exceptions.SSLError as error:
            raise SourceError(f"{url}: TLS failed: {_innermost(error)}") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema) as error:
            raise SourceError(f"{url}: {error}", hint="check SOURCE_URL") from error
        except requests.exceptions.Timeout as error:
            raise _TransientError(f"timed out: {_innermost(error)}") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _TransientError(f"connection failed: {_innermost(error)}") from error
        raise SourceError(f"{request.url}: more than {MAX_REDIRECTS} redirects, the last to {url}", hint="check SOURCE_URL")

    def _received(self, response: requests.Response, request: _Request, deadline: float) -> Answer:
        etag, limit = response.headers.get("ETag"), request.limit
        if response.status_code == requests.codes.not_modified and request.etag:
            return Answer(request.etag, None, not_modified=True)
        _check_status(response)
        stated = response.headers.get("Content-Length", "")
        if limit is not None and re.fullmatch("[0-9]{1,18}", stated) and int(stated) > limit:
            return Answer(etag, None)
        digest, size, first, last = hashlib.sha256(), 0, b"", b""
        with request.to.open("wb") as file:
            packed, encoding = self._chunks(response, deadline), response.headers.get("Content-Encoding", "")
            for chunk in decoded(packed, encoding, request.url):
                size += len(chunk)
                if limit is not None and size > limit:
                    return Answer(etag, None)
                self._check_size(request.url, size)
                file.write(chunk)
                digest.update(chunk)
                first = first if len(first) >= _SHOWN_BYTES else first + chunk[:_SHOWN_BYTES]
                last = (last + chunk)[-_SHOWN_BYTES:]
        # A body that does not end as it began was cut where no length was stated.
        closing = {b"[": b"]", b"{": b"}"}[request.opening]
        if not first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(request.opening) or not last.rstrip().endswith(closing):
            kind = shortened(response.headers.get("Content-Type", "no content type"))
            wanted = "list" if request.opening == b"[" else "object"
            shown = first[:_SHOWN_BYTES].decode("utf-8", "replace")
            raise _TransientError(f"HTTP {response.status_code} ({kind}) is no JSON {wanted}: {size} bytes, {shown!r}")
        self._received_bytes += size
        return Answer(etag, Body(request.to, digest.hexdigest(), size))

    def _chunks(self, response: requests.Response, deadline: float) -> Iterator[bytes]:
        """The body as it is sent. Raises _TransientError when the deadline passes."""
        # read1 gives what has arrived, so that a dripping server can't outlast the deadline inside one read.
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            if time.monotonic() > deadline:
                raise _TransientError(f"timed out: the body took over {self._timeouts.total_s:.0f} s")
            yield chunk

    def _check_size(self, url: str, size: int) -> None:
        """Raise SourceError when an answer, or all of a run, are larger than any sound one."""
        for what, found, limit in (("it has", size, MAX_BODY_BYTES), ("the run has", size + self._received_bytes, MAX_RUN_BYTES)):
            if found > limit:
                raise SourceError(f"{url}: {what} more than {limit >> 20} MiB, unpacked", hint="no more of it is read")


_SHOWN_BYTES = 80
_jitter = tenacity.wait_exponential_jitter(multiplier=0.5, max=8.0, jitter=0.5)


class _Session(requests.Session):
    """Leaves redirects alone: requests reads their whole body and takes their address apart even where it is not to follow."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None that requests should know of."""


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from looking for credentials in the user's .netrc, which would replace the token that was set."""
    return request


def _fault_of(state: tenacity.RetryCallState) -> str:
    return str(state.outcome.exception()) if state.outcome else ""


def _wait(state: tenacity.RetryCallState) -> float:
    """What the server asks for, but never less than the backoff: an answer of 0 or of the past is no leave to hammer."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_s if isinstance(error, _TransientError) else None
    return max(_jitter(state), min(asked or 0.0, MAX_WAIT_S))


def _check_status(response: requests.Response) -> None:
    status, reason = response.status_code, shortened(response.reason or "")
    if status in _TRANSIENT_STATUS or status >= requests.codes.internal_server_error:
        wait_s = _retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
        if status == requests.codes.too_many_requests and wait_s is not None and wait_s > MAX_WAIT_S:
            message = f"{response.url}: HTTP {status} {reason}: no request is taken for {wait_s:.0f} s"
            raise SourceError(message, hint="not waited for, and not tried again: run it again then")
        raise _TransientError(f"HTTP {status} {reason}", wait_s)
    if status == requests.codes.no_content:
        raise _TransientError("HTTP 204: no content where a list was asked for")
    if status != requests.codes.ok:
        raise SourceError(f"{response.url}: HTTP {status} {reason}", hint="not tried again: the answer is final")


def _retry_after(value: str | None, sent: str | None) -> float | None:
    """Seconds to wait from either form of Retry-After; None when there is none that can be read.

    A date is compared with the time at which the server says it sent the answer, where it does: both are of one clock.
    """
    if value and re.fullmatch(r"\s*\d{1,9}\s*", value, re.ASCII):
        return float(value)
    until = _http_date(value)
    return max(0.0, (until - (_http_date(sent) or datetime.now(UTC))).total_seconds()) if until else None


def _http_date(value: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(value) if value else None
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _innermost(error: BaseException) -> str:
    """The text of the first cause, which says more than the layers that wrapped it."""
    seen: BaseException = error
    while True:
        below = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(below, BaseException):
            return str(seen) or type(seen).__name__
        seen = below
