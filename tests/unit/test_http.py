"""What the client tries again, how long it waits, and what it says in the end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from app.errors import SourceError
from app.sources.http import ATTEMPTS, MAX_WAIT_S, HttpClient, Timeouts
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


def test_both_forms_of_retry_after_are_kept_to_and_capped(fetch: Fetch) -> None:
    assert fetch(Fault(status=503, retry_after=1, first=2)) == [1, 1]
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    assert all(0 <= wait <= 2 for wait in fetch(Fault(status=429, retry_after=soon, first=1)))
    with pytest.raises(SourceError, match="HTTP 503"):  # asked to wait past the total deadline: not waited for
        fetch(Fault(status=503, retry_after=3600))
    assert MAX_WAIT_S < 3600


def test_a_429_that_asks_for_a_long_wait_is_final(fetch: Fetch, api: SampleApi) -> None:
    with pytest.raises(SourceError, match=r"/v4/rockets: HTTP 429 Too Many Requests: no request is taken for 2400 s"):
        fetch(Fault(status=429, retry_after=2400))
    assert len(api.requests) == 1


@pytest.mark.parametrize("value", ["²", "soon", "-1", "1e3", "", "9" * 400, "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_a_retry_after_that_says_nothing_is_passed_over(fetch: Fetch, value: str) -> None:
    assert all(0 < wait <= 10 for wait in fetch(Fault(status=503, retry_after=value, first=1)))


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
