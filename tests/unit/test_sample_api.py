"""The sample API answers as the SpaceX API does, and misbehaves as it is told."""

import email.utils
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sample_api import Fault, SampleApi
from tests.sample_api.change import change
from tests.sample_api.faults import parse_fault
from tests.sample_api.records import LOOKUPS, changed_launch, launch


@pytest.fixture(scope="module")
def shared_api() -> Iterator[SampleApi]:
    """An API that no test changes."""
    with SampleApi() as api:
        yield api


@pytest.fixture
def api() -> Iterator[SampleApi]:
    """An API of the test's own."""
    with SampleApi() as api:
        yield api


@pytest.fixture
def recorded_api(recorded_data: Path) -> Iterator[SampleApi]:
    """An API with the recorded answers."""
    with SampleApi(recorded=recorded_data) as api:
        yield api


@pytest.fixture(scope="module")
def launches(shared_api: SampleApi) -> Any:
    """All launches as v5 has them."""
    return get(shared_api, "v5/launches").json()


@pytest.fixture(scope="module")
def lookups(shared_api: SampleApi) -> dict[str, dict[str, Any]]:
    """The records of each lookup by their ids."""
    return {kind: by_id(shared_api, f"v4/{kind}") for kind in LOOKUPS}


def get(api: SampleApi, path: str, *, timeout_s: float = 10, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{api.url}/{path}", headers=named, timeout=timeout_s)


def by_id(api: SampleApi, path: str) -> dict[str, Any]:
    return {record["id"]: record for record in get(api, path).json()}


def query(api: SampleApi, path: str = "v5/launches", **options: Any) -> Any:
    response = requests.post(f"{api.url}/{path}/query", json={"query": {}, "options": options}, timeout=10)
    response.raise_for_status()
    return response.json()


class TestFacts:
    """What is known of the real data is true of ours."""

    def test_launches(self, launches: Any) -> None:
        """There are 205 with ids of their own, in every year from 2006 to 2022 but 2011, by flight number."""
        assert len({launch["id"] for launch in launches}) == len(launches) == 205
        assert {int(launch["date_utc"][:4]) for launch in launches} == set(range(2006, 2023)) - {2011}
        numbers = [launch["flight_number"] for launch in launches]
        assert numbers == sorted(numbers)

    def test_children(self, launches: Any) -> None:
        """There are 215 cores, 222 payloads, 5 failures and 30 crew."""
        counts = {kind: sum(len(launch[kind]) for launch in launches) for kind in ("cores", "payloads", "failures", "crew")}
        assert counts == {"cores": 215, "payloads": 222, "failures": 5, "crew": 30}

    def test_mass(self, launches: Any, lookups: dict[str, Any]) -> None:
        """The payloads weigh 1,312,988.55 kg where that is known."""
        masses = [lookups["payloads"][key]["mass_kg"] or 0 for launch in launches for key in launch["payloads"]]
        assert sum(masses) == pytest.approx(1_312_988.55, abs=0.001)

    def test_references(self, launches: Any, lookups: dict[str, Any]) -> None:
        """All rockets, pads, payloads and crew are known, and 57 of 78 cores."""
        cores = [core for launch in launches for core in launch["cores"]]
        assert {launch["rocket"] for launch in launches} <= lookups["rockets"].keys()
        assert {launch["launchpad"] for launch in launches} <= lookups["launchpads"].keys()
        assert {core["landpad"] for core in cores if core["landpad"]} <= lookups["landpads"].keys()
        assert {key for launch in launches for key in launch["payloads"]} <= lookups["payloads"].keys()
        assert {member["crew"] for launch in launches for member in launch["crew"]} == lookups["crew"].keys()
        named = {core["core"] for core in cores if core["core"]}
        assert len(named) == 78
        assert len(named & lookups["cores"].keys()) == 57

    def test_three_states(self, launches: Any) -> None:
        """Where the real data has nulls, ours has too; details are also empty and hard to store."""
        assert {launch["success"] for launch in launches} == {True, False, None}
        assert {launch["fairings"] is None for launch in launches} == {True, False}
        assert None in {launch["fairings"]["recovered"] for launch in launches if launch["fairings"]}
        details = {launch["details"] for launch in launches}
        assert {None, ""} <= details
        assert any("\\\n\U0001f680" in (text or "") for text in details)

    def test_versions(self, shared_api: SampleApi, launches: Any) -> None:
        """The v4 launches differ from v5 in the crew only: ids instead of objects."""
        old = get(shared_api, "v4/launches").json()
        assert [launch["crew"] for launch in old] == [[member["crew"] for member in launch["crew"]] for launch in launches]
        assert [launch | {"crew": 0} for launch in old] == [launch | {"crew": 0} for launch in launches]
        assert {tuple(member) for launch in launches for member in launch["crew"]} == {("crew", "role")}


class TestGrowth:
    """-n makes more launches of the same kind."""

    def test_more(self) -> None:
        """The first are the originals; all ids differ and are ids; years stay."""
        with SampleApi(n=2050) as api:
            launches = get(api, "v5/launches").json()
        assert len({launch["id"] for launch in launches}) == 2050
        assert all(re.fullmatch("[0-9a-f]{24}", launch["id"]) for launch in launches)
        for original, copy in zip(launches[:205] * 10, launches, strict=True):
            assert original["date_utc"][:4] == copy["date_utc"][:4]
            assert original["payloads"] == copy["payloads"]
        assert {int(launch["date_utc"][:4]) for launch in launches} == set(range(2006, 2023)) - {2011}
        assert len({launch["date_utc"] for launch in launches}) > 1500

    def test_again(self) -> None:
        """The same set comes every time."""
        assert SampleApi(n=500).body("v5/launches") == SampleApi(n=500).body("v5/launches")

    def test_changed(self) -> None:
        """A share has other details: one of every original, and so of every year, or of the newest year alone; it adds up."""
        n = 20_500
        spread = changed_launch(n, 0.01, "spread")
        both = changed_launch(n, 0.01, "newest", spread)
        first, second = ({i for i in range(n) if new(i) != old(i)} for old, new in ((launch, spread), (spread, both)))
        assert [len(first), len({i % 205 for i in first})] == [205, 205]
        assert [len(second), {launch(i)["date_utc"][:4] for i in second}] == [205, {"2022"}]
        assert all(both(i) == launch(i) | {"details": both(i)["details"]} for i in first | second)

    def test_fewer(self) -> None:
        """Less than 205 are the first of them."""
        with SampleApi(n=3) as few:
            names = [launch["name"] for launch in get(few, "v5/launches").json()]
        assert names == ["FalconSat", "DemoSat", "Trailblazer"]

    def test_fast(self) -> None:
        """20,500 launches take a moment, and their next reader nothing but the sending."""
        start = time.perf_counter()
        with SampleApi(n=20_500) as api:
            assert len(get(api, "v5/launches").content) > 20_000_000
        assert time.perf_counter() - start < 5


class TestHttp:
    """Conditional requests, content types, and what was asked."""

    @pytest.mark.parametrize("path", ["v5/launches", "v4/launches", *(f"v4/{kind}" for kind in LOOKUPS)])
    def test_not_modified(self, shared_api: SampleApi, path: str) -> None:
        """Whoever has the list gets 304 without a body."""
        etag = get(shared_api, path).headers["ETag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = get(shared_api, path, If_None_Match=known)
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert get(shared_api, path, If_None_Match='"other"').status_code == 200

    def test_changed(self, api: SampleApi) -> None:
        """What a test sets is served from then on, with another ETag; raw bytes as they are."""
        before = get(api, "v5/launches").headers["ETag"]
        api.set_launches([{"id": "a", "crew": [{"crew": "b", "role": "c"}]}, "no record"])
        answer = get(api, "v5/launches", If_None_Match=before)
        assert answer.json() == [{"id": "a", "crew": [{"crew": "b", "role": "c"}]}, "no record"]
        assert get(api, "v4/launches").json() == [{"id": "a", "crew": ["b"]}, "no record"]
        api.set("rockets", b'[ {"id":1} ]\n')
        assert get(api, "v4/rockets").content == b'[ {"id":1} ]\n'
        assert query(api, "v4/rockets")["docs"] == [{"id": 1}]

    def test_given(self) -> None:
        """Launches and lookups can be given at the start; the other lookups stay."""
        with SampleApi([], {"cores": [{"id": "a"}]}) as api:
            assert get(api, "v5/launches").json() == []
            assert get(api, "v4/cores").json() == [{"id": "a"}]
            assert len(get(api, "v4/payloads").json()) == 225

    def test_a_launch(self, api: SampleApi) -> None:
        """One launch, by its name or id, is served otherwise in both versions; the others stay, and nobody else is meant."""
        before = get(api, "v5/launches").json()
        swot = change(api.url, "SWOT", ["date_utc=2022-12-20T11:46:00.000Z", "window=60"])
        change(api.url, swot, ["window=null"])
        fresh = {"date_utc": "2022-12-20T11:46:00.000Z", "window": None}
        assert get(api, "v5/launches").json() == [one | fresh if one["id"] == swot else one for one in before]
        assert by_id(api, "v4/launches")[swot].items() >= fresh.items()
        for name, fields, fault in (("SWAT", ["window=1"], "0 launches"), ("SWOT", ["window"], "'window' is not FIELD=VALUE")):
            with pytest.raises(ValueError, match=fault):
                change(api.url, name, fields)
        assert not [seen for seen in api.requests if "change" in seen.path]

    def test_requests(self, api: SampleApi) -> None:
        """Every request is told, but not the question whether it is ready."""
        assert get(api, "_ready").status_code == 200
        get(api, "v4/crew", If_None_Match='"x"')
        query(api, limit=1)
        assert [(seen.method, seen.path) for seen in api.requests] == [
            ("GET", "/v4/crew"),
            ("POST", "/v5/launches/query"),
        ]
        assert api.requests[0].headers["if-none-match"] == '"x"'
        assert json.loads(api.requests[1].body) == {"query": {}, "options": {"limit": 1}}

    def test_unknown(self, shared_api: SampleApi) -> None:
        """What is not there is 404."""
        assert [get(shared_api, path).status_code for path in ("", "v4/ships", "v5/rockets")] == [404] * 3

    def test_closed(self) -> None:
        """A kept-alive connection ends with the API."""
        with requests.Session() as session:
            with SampleApi() as api:
                assert session.get(f"{api.url}/v4/crew", timeout=10).status_code == 200
            with pytest.raises(requests.ConnectionError):
                session.get(f"{api.url}/v4/crew", timeout=10)


class TestQuery:
    """Pages as mongoose-paginate makes them."""

    def test_page(self, shared_api: SampleApi) -> None:
        """A page in the middle knows where it is."""
        page = query(shared_api, page=2, limit=100)
        assert len(page.pop("docs")) == 100
        assert page == {
            "totalDocs": 205,
            "limit": 100,
            "totalPages": 3,
            "page": 2,
            "pagingCounter": 101,
            "hasPrevPage": True,
            "hasNextPage": True,
            "prevPage": 1,
            "nextPage": 3,
        }

    @pytest.mark.parametrize("version", ["v4", "v5"])
    def test_all_pages(self, shared_api: SampleApi, version: str) -> None:
        """All pages together are the list in the order asked for."""
        options: dict[str, Any] = {"limit": 50, "sort": {"_id": 1}}
        pages = [query(shared_api, f"{version}/launches", page=number, **options) for number in range(1, 6)]
        docs = [doc for page in pages for doc in page["docs"]]
        assert docs == sorted(get(shared_api, f"{version}/launches").json(), key=lambda launch: str(launch["id"]))
        assert [page["nextPage"] for page in pages] == [2, 3, 4, 5, None]
        assert query(shared_api, page=6, **options)["docs"] == []

    @pytest.mark.parametrize("version", ["v4", "v5"])
    def test_the_list_may_be_built_or_not(self, version: str) -> None:
        """A page is cut from the whole list where that was built, and holds the same to the byte."""
        with SampleApi() as api:
            options = {"limit": 30, "page": 2, "sort": {"_id": 1}}
            pages = [requests.post(f"{api.url}/{version}/launches/query", json={"options": options}, timeout=10).content]
            api.warm_up()
            api.body(f"{version}/launches")
            pages.append(requests.post(f"{api.url}/{version}/launches/query", json={"options": options}, timeout=10).content)
        assert pages[0] == pages[1]
        assert len(json.loads(pages[0])["docs"]) == 30

    def test_offset(self, shared_api: SampleApi) -> None:
        """Without a page, `offset` leads and is told; ten is the default limit."""
        page = query(shared_api, offset=20)
        assert (page["offset"], page["limit"], page["page"], page["pagingCounter"]) == (20, 10, 3, 21)
        assert query(shared_api)["offset"] == 0

    def test_no_pagination(self, shared_api: SampleApi) -> None:
        """Everything comes at once; a limit of 0 is only the count."""
        assert len(query(shared_api, pagination=False)["docs"]) == 205
        assert query(shared_api, limit=0)["docs"] == []
        assert query(shared_api, limit=0)["totalDocs"] == 205

    @pytest.mark.parametrize("sort", [{"date_utc": "desc", "name": 1}, "-date_utc name"])
    def test_sort(self, shared_api: SampleApi, sort: Any) -> None:
        """Fields sort in either form and way, nulls before values."""
        docs = query(shared_api, pagination=False, sort=sort)["docs"]
        for one, next_one in pairwise(docs):
            assert one["date_utc"] >= next_one["date_utc"]
            assert one["date_utc"] > next_one["date_utc"] or one["name"] <= next_one["name"]
        assert query(shared_api, sort={"window": 1})["docs"][0]["window"] is None

    def test_populate(self, shared_api: SampleApi) -> None:
        """Ids become their records; an unknown one is null, as for the core of the very first launch."""
        names = ["crew", "cores", {"path": "cores.landpad"}, "payloads", "rocket", "launchpad", "ships"]
        docs = query(shared_api, pagination=False, populate=names)["docs"]
        old = query(shared_api, "v4/launches", pagination=False, populate=names)["docs"]
        crewed = next(place for place, launch in enumerate(docs) if launch["crew"])
        assert docs[crewed]["crew"][0]["crew"]["name"] == old[crewed]["crew"][0]["name"] == "Crew member 1"
        assert (docs[0]["rocket"]["name"], docs[0]["payloads"][0]["name"]) == ("Falcon 1", "FalconSAT-2")
        assert docs[0]["launchpad"]["region"] == "Marshall Islands"
        landed = [core for launch in docs for core in launch["cores"] if core["landpad"]]
        assert {core["landpad"]["type"] for core in landed} == {"ASDS", "RTLS"}
        assert {type(core["core"]) for launch in docs for core in launch["cores"]} == {dict, type(None)}
        assert all(isinstance(ship, str) for launch in docs for ship in launch["ships"])

    @pytest.mark.parametrize("body", ["[]", "{", '{"query": {"upcoming": true}}', '{"options": {"select": "name"}}'])
    def test_not_understood(self, shared_api: SampleApi, body: str) -> None:
        """What it can't do is refused, not ignored."""
        assert requests.post(f"{shared_api.url}/v5/launches/query", data=body, timeout=10).status_code == 400


class TestFaults:
    """Each fault does what it says."""

    def test_hang(self, api: SampleApi) -> None:
        """The answer is late."""
        api.fault("v5/launches", Fault(hang_s=0.3))
        with pytest.raises(requests.ReadTimeout):
            get(api, "v5/launches", timeout_s=0.05)
        start = time.perf_counter()
        assert get(api, "v5/launches").status_code == 200
        assert time.perf_counter() - start >= 0.3
        assert get(api, "v4/launches", timeout_s=0.25).status_code == 200

    def test_close_while_hanging(self) -> None:
        """A hanging answer does not keep the API from closing."""
        start = time.perf_counter()
        with SampleApi(faults={"*": Fault(hang_s=60)}) as api, pytest.raises(requests.ReadTimeout):
            get(api, "v4/crew", timeout_s=0.05)
        assert time.perf_counter() - start < 5

    def test_drip(self, api: SampleApi) -> None:
        """The body comes in pieces with pauses."""
        api.set("crew", [{"id": "a"}])
        api.fault("crew", Fault(drip_s=0.02))
        start = time.perf_counter()
        assert get(api, "v4/crew").json() == [{"id": "a"}]
        assert time.perf_counter() - start >= 0.02 * len('[{"id":"a"}]') * 0.9

    def test_cut(self, api: SampleApi) -> None:
        """The body ends before its stated length."""
        api.fault("launches", Fault(cut=True))
        with requests.get(f"{api.url}/v5/launches", stream=True, timeout=10) as response:
            stated = int(response.headers["Content-Length"])
            with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
                assert len(response.content) < stated
        assert stated == len(api.body("v5/launches"))

    def test_chunks(self, api: SampleApi) -> None:
        """Chunked transfer is whole, or ends without its last chunk."""
        api.fault("launches", Fault(chunked=True))
        answer = get(api, "v5/launches")
        assert (len(answer.json()), answer.headers.get("Content-Length")) == (205, None)
        api.fault("launches", Fault(chunked=True, cut=True))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            get(api, "v5/launches")

    def test_gzip(self, api: SampleApi) -> None:
        """The body is compressed for those who take it."""
        api.fault("launches", Fault(gzip=True))
        zipped, plain = get(api, "v5/launches"), get(api, "v5/launches", Accept_Encoding="identity")
        assert zipped.content == plain.content
        assert int(zipped.headers["Content-Length"]) < int(plain.headers["Content-Length"])
        assert (zipped.headers["Content-Encoding"], "Content-Encoding" in plain.headers) == ("gzip", False)

    def test_reset(self, api: SampleApi) -> None:
        """The connection is reset."""
        api.fault("launches", Fault(reset=True))
        with pytest.raises(requests.ConnectionError, match="ConnectionResetError"):
            get(api, "v5/launches")

    def test_status(self, api: SampleApi) -> None:
        """Any status comes, with Retry-After in either form, so often as asked for."""
        date = email.utils.formatdate(time.time() + 5, usegmt=True)
        for retry_after in (2, date):
            api.fault("launches", Fault(status=503, retry_after=retry_after, first=2))
            answers = [get(api, "v5/launches") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [503, 503, 200]
            assert [answer.headers.get("Retry-After") for answer in answers] == [str(retry_after)] * 2 + [None]

    def test_no_content(self, api: SampleApi) -> None:
        """204 has no body."""
        api.fault("launches", Fault(status=204))
        assert (get(api, "v5/launches").status_code, get(api, "v5/launches").content) == (204, b"")

    def test_bodies(self, api: SampleApi) -> None:
        """A page, nothing, an object, an empty list, or text in another encoding comes with status 200."""
        answers = {}
        for name in ("html", "empty", "object", "empty_list", "not_utf8"):
            api.fault("launches", Fault(body=name))
            answers[name] = get(api, "v5/launches")
        assert {answer.status_code for answer in answers.values()} == {200}
        assert answers["html"].headers["Content-Type"] == "text/html"
        assert answers["html"].content.startswith(b"<!DOCTYPE html>")
        assert answers["empty"].content == b""
        assert answers["object"].json() == {"error": "Internal Server Error"}
        assert answers["empty_list"].json() == []
        with pytest.raises(UnicodeDecodeError):
            answers["not_utf8"].content.decode()
        api.fault("launches", Fault(body=b"[1"))
        assert get(api, "v5/launches").content == b"[1"

    def test_when(self, api: SampleApi) -> None:
        """A fault begins after so many requests, lasts for so many, and can be taken back."""
        api.fault("rockets", Fault(status=500))
        api.fault("*", Fault(status=429, after=1, first=1))
        assert [get(api, "v4/crew").status_code for _ in range(3)] == [200, 429, 200]
        assert get(api, "v4/rockets").status_code == 500
        api.fault("rockets", None)
        assert get(api, "v4/rockets").status_code == 200

    def test_stuck(self, api: SampleApi) -> None:
        """Every page is the first."""
        api.fault("launches/query", Fault(stuck=True))
        assert query(api, page=1, limit=10) == query(api, page=2, limit=10)
        assert query(api, page=3, limit=10)["page"] == 1

    def test_shifting(self, api: SampleApi) -> None:
        """Prepared pages come in turn, then the right ones."""
        pages = ({"docs": [1], "page": 1}, b'{"docs": [2], "page": 2}')
        api.fault("v5/launches/query", Fault(pages=pages, first=3))
        assert [query(api)["docs"] for _ in range(3)] == [[1], [2], [1]]
        assert len(query(api)["docs"]) == 10

    def test_totals(self, api: SampleApi) -> None:
        """The stated total is wrong, or changes from page to page."""
        api.fault("launches/query", Fault(totals=[206]))
        assert [query(api, page=number)["totalDocs"] for number in (1, 2)] == [206, 206]
        api.fault("launches/query", Fault(totals=[205, 204]))
        assert [query(api, page=number)["totalDocs"] for number in (1, 2, 3)] == [205, 204, 205]


class TestProgram:
    """The command line."""

    def test_specs(self) -> None:
        """Endpoint and fields, flags without a value, an HTTP date with its comma."""
        assert parse_fault("launches:status=503,retry_after=2,first=2") == (
            "launches",
            Fault(status=503, retry_after="2", first=2),
        )
        assert parse_fault("v4/cores:chunked,cut,after=1") == ("v4/cores", Fault(chunked=True, cut=True, after=1))
        date = "Wed, 21 Oct 2015 07:28:00 GMT"
        assert parse_fault(f"*:status=429,retry_after={date},first=1")[1].retry_after == date
        assert parse_fault("launches/query:totals=205+204")[1].totals == (205, 204)

    @pytest.mark.parametrize("spec", ["launches", "launches:", "launches:cut=1", "launches:hang", "launches:body=pdf"])
    def test_wrong_specs(self, spec: str) -> None:
        """A fault that is none is refused."""
        with pytest.raises(ValueError, match=r"is none of|must be one of"):
            parse_fault(spec)

    def test_serves(self) -> None:
        """It says where it listens, and answers there."""
        command = [sys.executable, "-m", "tests.sample_api", "-n", "7", "--fault", "crew:status=503,first=1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                url = process.stdout.readline().split()[-1]
                assert len(requests.get(f"{url}/v5/launches", timeout=10).json()) == 7
                assert [requests.get(f"{url}/v4/crew", timeout=10).status_code for _ in range(2)] == [503, 200]
            finally:
                process.terminate()


class TestRecorded:
    """Recorded answers, where they are."""

    def test_files(self, recorded_api: SampleApi, recorded_data: Path) -> None:
        """The files are served byte for byte; the list in the wrapped one is taken out; nobody recorded the crew."""
        files = {
            "v5/launches": "spacex_v5/launches.json",
            "v4/launches": "spacex_v4/launches.json",
            "v4/payloads": "spacex_v4/payloads.json",
            "v4/rockets": "spacex_v4/rockets.json",
            "v4/launchpads": "spacex_v4/launchpads.json",
            "v4/cores": "spacex_v4/cores.reduced.json",
        }
        for path, file in files.items():
            assert get(recorded_api, path).content == (recorded_data / file).read_bytes()
        assert len(get(recorded_api, "v4/landpads").json()) == 7
        assert get(recorded_api, "v4/crew").json() == []
        assert query(recorded_api)["totalDocs"] == 205

    def test_snapshot(self, recorded_data: Path) -> None:
        """An earlier state has 193 launches, in v4 only."""
        with SampleApi(recorded=recorded_data, snapshot="2022-09") as api:
            assert len(get(api, "v4/launches").json()) == 193
            assert len(get(api, "v4/launchpads").json()) == 6
            assert len(get(api, "v4/payloads").json()) == 225
            assert get(api, "v5/launches").status_code == 404

    @pytest.mark.parametrize("path", ["v5/launches", "v4/launches", *(f"v4/{kind}" for kind in LOOKUPS[:4])])
    def test_shapes(self, recorded_api: SampleApi, shared_api: SampleApi, path: str) -> None:
        """Our records have the real fields and types at every depth; what only a rocket's engineers need is null."""
        real, ours = shape(get(recorded_api, path).json()), shape(get(shared_api, path).json())
        assert ours.keys() <= real.keys()
        assert {place for place in real.keys() - ours.keys() if not place.endswith("[]")} <= _IN_EMPTY_LISTS
        spare = {"null"} if path == "v4/rockets" else set()
        assert {place: types - real[place] - spare for place, types in ours.items() if types - real[place] - spare} == {}

    @pytest.mark.parametrize("path", ["v5/launches", *(f"v4/{kind}" for kind in LOOKUPS[:5])])
    def test_facts(self, recorded_api: SampleApi, shared_api: SampleApi, path: str) -> None:
        """What our records say is what the real ones say, but for what the facts do not hold."""
        real, ours = by_id(recorded_api, path), by_id(shared_api, path)
        assert real.keys() == ours.keys()
        differing = {name for key, record in real.items() for name, value in record.items() if value != ours[key][name]}
        assert differing <= set(_OWN[path].split())


def shape(value: Any, place: str = "") -> dict[str, set[str]]:
    """The JSON types at every place in `value`."""
    name = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    found = {place: {name.get(type(value), "null")}}
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for where, types in shape(part, f"{place}[]" if isinstance(value, list) else f"{place}.{key}").items():
            found.setdefault(where, set()).update(types)
    return found


_IN_EMPTY_LISTS = {f"[].payload_weights[].{name}" for name in ("id", "name", "kg", "lb")}
_OWN = {
    # The real failures have reasons, fairings name ships, and some launches and times were edited by hand.
    "v5/launches": "details links failures fairings auto_update date_unix static_fire_date_unix",
    # Feet and pounds are rounded otherwise.
    "v4/rockets": "height diameter mass first_stage second_stage engines landing_legs payload_weights flickr_images"
    " wikipedia description",
    "v4/launchpads": "images details rockets launches",
    "v4/landpads": "images details wikipedia launches",
    "v4/payloads": "dragon norad_ids semi_major_axis_km eccentricity epoch mean_motion raan arg_of_pericenter mean_anomaly",
    "v4/cores": "",
}
