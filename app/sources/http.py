"""The HTTP client of all sources: deadlines, retries of what is transient, bodies spooled to disk.

Only named transient faults are tried again: timeouts, resets, cut bodies, 408, 425, 429 and 5xx, and a 200 that is not the
JSON asked for (a maintenance page, an empty body). Everything else ends the run at once with its real cause.
"""

import hashlib
import re
import time
from collections.abc import Callable
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
from ..errors import SourceError, waiting_for

ATTEMPTS = 4
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0
TOTAL_TIMEOUT_S = 120.0  # one answer, all its attempts and waits
MAX_WAIT_S = 30.0  # a longer Retry-After is cut to this; with 429 it ends the run: asking earlier would be refused again
_TRANSIENT_STATUS = frozenset({408, 425, 429})
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


class _TransientError(Exception):
    """Worth another attempt; `wait_s` is what the server asked for."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class HttpClient:
    """Fetches JSON with deadlines and retries. `sleep` is given, so that tests need not wait; `warn` is told of each retry."""

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        *,
        headers: dict[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": f"spacex-pipeline/{__version__}", "Accept": "application/json"})
        self._session.headers.update(headers or {})
        self._sleep = sleep
        self._warn = warn

    def fetch(
        self,
        url: str,
        to: Path,
        *,
        opening: bytes = b"[",
        etag: str | None = None,
        limit: int | None = None,
        post: dict[str, Any] | None = None,
    ) -> Answer:
        """The answer of `url`, its body in the file `to`.

        `opening` is the byte that the JSON must begin with, `etag` makes the request conditional, `limit` is the most bytes
        that the caller takes, `post` is sent as JSON. Raises SourceError with the cause of the last attempt.
        """
        deadline = time.monotonic() + self._timeouts.total_s

        def attempt() -> Answer:
            return self._attempt(url, to, deadline, opening=opening, etag=etag, limit=limit, post=post)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_before_delay(self._timeouts.total_s),
            wait=_wait,
            sleep=self._sleep,
            before_sleep=self._announce,
            reraise=True,
        )
        try:
            with waiting_for(SourceError):
                return retrying(attempt)
        except _TransientError as error:
            tried = retrying.statistics.get("attempt_number", ATTEMPTS)
            raise SourceError(f"{url}: {error}", hint=f"gave up after {tried} attempts") from error

    def _announce(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait_s = state.next_action.sleep if state.next_action else 0.0
        self._warn(f"attempt {state.attempt_number} failed, next in {wait_s:.1f} s: {error}")

    def _attempt(
        self,
        url: str,
        to: Path,
        deadline: float,
        *,
        opening: bytes,
        etag: str | None,
        limit: int | None,
        post: dict[str, Any] | None,
    ) -> Answer:
        headers = {"If-None-Match": etag} if etag else {}
        try:
            with self._session.request(
                "GET" if post is None else "POST",
                url,
                json=post,
                headers=headers,
                stream=True,
                timeout=(self._timeouts.connect_s, self._timeouts.read_s),
            ) as response:
                if response.status_code == requests.codes.not_modified and etag:
                    return Answer(etag, None, not_modified=True)
                _check_status(response)
                return self._receive(response, to, opening, limit, deadline)
        except requests.exceptions.SSLError as error:
            raise SourceError(f"{url}: TLS failed: {_innermost(error)}") from error
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ) as error:
            raise SourceError(f"{url}: {error}", hint="check SOURCE_URL") from error
        except requests.exceptions.TooManyRedirects as error:
            raise SourceError(f"{url}: {error}", hint="check SOURCE_URL") from error
        except requests.exceptions.Timeout as error:
            raise _TransientError(f"timed out: {_innermost(error)}") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _TransientError(f"connection failed: {_innermost(error)}") from error

    def _receive(self, response: requests.Response, to: Path, opening: bytes, limit: int | None, deadline: float) -> Answer:
        etag = response.headers.get("ETag")
        stated = response.headers.get("Content-Length", "")
        if limit is not None and stated.isdigit() and int(stated) > limit:
            return Answer(etag, None)
        digest, size, first, last = hashlib.sha256(), 0, b"", b""
        with to.open("wb") as file:
            # read1 gives what has arrived, so that a dripping server can't outlast the deadline inside one read.
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                if time.monotonic() > deadline:
                    raise _TransientError(f"timed out: the body took over {self._timeouts.total_s:.0f} s")
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                first = first if len(first) >= _SHOWN_BYTES else first + chunk[:_SHOWN_BYTES]
                last = (last + chunk)[-_SHOWN_BYTES:]
                if limit is not None and size > limit:
                    return Answer(etag, None)
        # A body that does not end as it began was cut where no length was stated.
        closing = {b"[": b"]", b"{": b"}"}[opening]
        if not first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(opening) or not last.rstrip().endswith(closing):
            kind = response.headers.get("Content-Type", "no content type")
            wanted = "list" if opening == b"[" else "object"
            shown = first[:_SHOWN_BYTES].decode("utf-8", "replace")
            raise _TransientError(f"HTTP {response.status_code} ({kind}) is no JSON {wanted}: {size} bytes, {shown!r}")
        return Answer(etag, Body(to, digest.hexdigest(), size))


_SHOWN_BYTES = 80
_jitter = tenacity.wait_exponential_jitter(multiplier=0.5, max=8.0, jitter=0.5)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_s if isinstance(error, _TransientError) else None
    return _jitter(state) if asked is None else min(asked, MAX_WAIT_S)


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status in _TRANSIENT_STATUS or status >= requests.codes.internal_server_error:
        wait_s = _retry_after(response.headers.get("Retry-After"))
        if status == requests.codes.too_many_requests and wait_s is not None and wait_s > MAX_WAIT_S:
            message = f"{response.url}: HTTP {status} {response.reason}: no request is taken for {wait_s:.0f} s"
            raise SourceError(message, hint="not waited for, and not tried again: run it again then")
        raise _TransientError(f"HTTP {status} {response.reason}", wait_s)
    if status == requests.codes.no_content:
        raise _TransientError("HTTP 204: no content where a list was asked for")
    if status != requests.codes.ok:
        raise SourceError(f"{response.url}: HTTP {status} {response.reason}", hint="not tried again: the answer is final")


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait from either form of Retry-After; None when there is none that can be read."""
    if not value:
        return None
    if re.fullmatch(r"\s*\d{1,9}\s*", value, re.ASCII):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _innermost(error: BaseException) -> str:
    """The text of the first cause, which says more than the layers that wrapped it."""
    seen: BaseException = error
    while True:
        below = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(below, BaseException):
            return str(seen) or type(seen).__name__
        seen = below
