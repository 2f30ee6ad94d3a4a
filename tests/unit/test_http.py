"""What the client tries again, how long it waits, and what it says in the end."""

import gzip
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import urllib3

from app.errors import SourceError
from app.sources.decoding import decoded
from app.sources.http import ATTEMPTS, MAX_WAIT_S, HttpClient, Timeouts, _retry_after
from app.sources.redirects import target
from tests.sample_api import Fault, SampleApi

Fetch = Callable[[Fault], list[float]]


@pytest.fixture
def fetch(api: SampleApi, tmp_path: Path) -> Fetch:
    """Fetches the rockets from an API with a fault; the waits between attempts."""

    def fetch(fault: Fault) -> list[float]:
        waits: list[float] = []
        client = HttpClient(Timeouts(connect_s=1, read_s=1, total_s=3), sleep=waits.append)
        api.fault("rockets", fault)
        answer = client.fetch(f"{api.url}/v4/rockets", tmp_path / "body")
        assert answer.body
        assert (tmp_path / "body").read_bytes() == api.body("rockets")
        return waits

    return fetch


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_transient_status_is_tried_again(fetch: Fetch, api: SampleApi, status: int) -> None:
    waits = fetch(Fault(status=status, first=ATTEMPTS - 1))
    assert len(api.requests) == ATTEMPTS
    assert len(waits) == ATTEMPTS - 1
    assert all(0 < wait <= 10 for wait in waits)


def test_an_answer_that_took_several_attempts_leaves_one_line_with_their_number(api: SampleApi, tmp_path: Path) -> None:
    lines: list[str] = []
    client = HttpClient(sleep=lambda _: None, warn=lines.append)
    url = f"{api.url}/v4/rockets"
    api.fault("rockets", Fault(status=503, first=2))
    client.fetch(url, tmp_path / "body")
    assert lines == [f"{url}: answered at attempt 3; before it: HTTP 503 Service Unavailable"]
    client.fetch(url, tmp_path / "body")
    assert len(lines) == 1


def test_both_forms_of_retry_after_are_kept_to_and_capped(fetch: Fetch) -> None:
    assert fetch(Fault(status=503, retry_after=2, first=2)) == [2, 2]
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    assert all(0.5 <= wait <= 2 for wait in fetch(Fault(status=429, retry_after=soon, first=1)))
    with pytest.raises(SourceError, match="HTTP 503"):  # asked to wait past the total deadline: not waited for
        fetch(Fault(status=503, retry_after=3600))
    assert MAX_WAIT_S < 3600


@pytest.mark.parametrize("value", [0, "0", "Mon, 01 Jan 2001 00:00:00 GMT"])
def test_a_retry_after_of_nothing_or_of_the_past_does_not_shorten_the_backoff(fetch: Fetch, value: str | int) -> None:
    first, second = fetch(Fault(status=503, retry_after=value, first=2))
    assert first >= 0.5
    assert second >= 1


def test_a_date_to_retry_at_is_measured_by_the_server_s_own_clock() -> None:
    sent, until = "Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:07 GMT"
    assert _retry_after(until, sent) == 7
    assert _retry_after(until, None) == 0
    assert _retry_after(sent, until) == 0


@pytest.mark.parametrize("value", ["²", "soon", "-1", "1e3", "", "9" * 400, "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_a_retry_after_that_says_nothing_is_passed_over(fetch: Fetch, value: str) -> None:
    assert all(0 < wait <= 10 for wait in fetch(Fault(status=503, retry_after=value, first=1)))


def test_a_429_that_asks_for_a_long_wait_is_final(fetch: Fetch, api: SampleApi) -> None:
    with pytest.raises(SourceError, match=r"/v4/rockets: HTTP 429 Too Many Requests: no request is taken for 2400 s"):
        fetch(Fault(status=429, retry_after=2400))
    assert len(api.requests) == 1


def test_a_server_that_hangs_or_drips_is_given_up_on(fetch: Fetch) -> None:
    with pytest.raises(SourceError, match=r"/v4/rockets: timed out.*gave up after \d attempts"):
        fetch(Fault(hang_s=30))
    with pytest.raises(SourceError, match="the body took over 3 s"):
        fetch(Fault(drip_s=0.2))


def test_a_refused_connection_names_address_and_cause(tmp_path: Path) -> None:
    client = HttpClient(sleep=lambda _: None)
    with pytest.raises(SourceError, match=r"http://127.0.0.1:9/x: connection failed: .*refused"):
        client.fetch("http://127.0.0.1:9/x", tmp_path / "body")


def test_an_unchanged_answer_and_a_large_one_have_no_body(api: SampleApi, tmp_path: Path) -> None:
    client = HttpClient()
    url = f"{api.url}/v4/rockets"
    first = client.fetch(url, tmp_path / "body")
    again = client.fetch(url, tmp_path / "body", etag=first.etag)
    assert again.not_modified
    assert client.fetch(url, tmp_path / "body", limit=10).body is None


@pytest.mark.parametrize(
    ("url", "location", "followed"),
    [
        ("http://a.test/x", "/y", "http://a.test/y"),
        ("http://a.test/x", "https://a.test/x", "https://a.test/x"),
        ("http://a.test:8080/x", "https://a.test:8080/x", "https://a.test:8080/x"),
        ("http://a.test:8080/x", "https://A.test./x", "https://A.test./x"),
        ("https://a.test/x", "https://a.test:443/y", "https://a.test:443/y"),
        ("https://a.test/x", "http://a.test/x", None),
        ("http://a.test/x", "http://a.test:8080/x", None),
        ("http://a.test/x", "https://a.test:8443/x", None),
        ("http://a.test/x", "http://b.test/x", None),
        ("http://a.test/x", "http://a.test@b.test/x", None),
        ("http://a.test/x", "http://b@a.test/x", None),
        ("http://a.test/x", "file:///etc/passwd", None),
        ("http://a.test/x", "http://169.254.169.254/x", None),
        ("http://a.test/x", "http://a.test:99999/x", None),
        ("http://a.test/x", "/" + "y" * 5000, None),
        ("http://a.test/x", None, None),
    ],
)
def test_a_redirect_leads_to_the_same_host_or_nowhere(url: str, location: str | None, followed: str | None) -> None:
    if followed:
        assert target(url, location) == followed
        return
    with pytest.raises(SourceError, match=r"http[s]?://a\.test/x: redirected"):
        target(url, location)


def test_a_packed_body_is_unpacked_in_small_steps() -> None:
    plain = bytes(50 << 20) + b"end"
    raw = zlib.compressobj(wbits=-15)
    forms = {
        "gzip": gzip.compress(plain) + gzip.compress(b"more"),
        "deflate": zlib.compress(plain),
        " DEFLATE": raw.compress(plain) + raw.flush(),
        "identity": plain,
    }
    for encoding, packed in forms.items():
        chunks = [packed[i : i + 1000] for i in range(0, len(packed), 1000)]
        steps = list(decoded(chunks, encoding, "here"))
        assert max(map(len, steps)) <= 1 << 18
        assert b"".join(steps) == plain + b"more" * (encoding == "gzip")
        if encoding != "identity":
            with pytest.raises(urllib3.exceptions.DecodeError):
                list(decoded([packed[:-20]], encoding, "here"))
            with pytest.raises(urllib3.exceptions.DecodeError):
                list(decoded([b"no such thing"], encoding, "here"))
    with pytest.raises(SourceError, match="here: the answer is packed as 'br'"):
        list(decoded([b""], "br", "here"))
