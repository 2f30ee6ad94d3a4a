"""Launch Library 2 end to end: the same facts in the same tables, paging, budget, changes, and every way it may misbehave."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.program import Program
from tests.sample_api import Fault, SampleApi
from tests.sample_api.library import Budget
from tests.sample_api.library_records import as_library, status
from tests.sample_api.records import launch

LAUNCHES = "2.3.0/launches"
TOKEN = "marker-7d1e"


@pytest.fixture
def api() -> Iterator[SampleApi]:
    """The sample API with all launches, which are three pages."""
    with SampleApi() as api:
        yield api


@pytest.fixture
def library(program: Program, api: SampleApi) -> Program:
    """The program, set up for Launch Library."""
    program.environment |= {"SOURCE": "launch_library"}
    return program


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """All launches as Launch Library has them."""
    return [as_library(launch(i)) for i in range(205)]


def asked(api: SampleApi) -> list[str]:
    """What was asked for, without what every request has."""
    common = "lsp__id=121&mode=detailed&ordering=id"
    found = [request.path.removeprefix("/2.3.0/").replace(common, "…") for request in api.requests]
    api.requests.clear()
    return found


WHOLE = ["api-throttle/", *(f"launches/?…&limit=100&offset={offset}" for offset in (0, 100, 200))]


def test_a_first_run_publishes_every_launch_to_both_stores(library: Program, api: SampleApi) -> None:
    result = library.run()
    assert (result["state"], result["source"], result["stores_equal"]) == ("published", "launch_library", True)
    assert result["rows"] == {
        "launches": 205,
        "launch_cores": 215,
        "launch_payloads": 222,
        "launch_failures": 5,
        "launch_crew": 30,
        "launch_changes": 0,
    }
    assert result["warnings"][:-1] == []  # the last one says how old the newest launch is
    assert asked(api) == WHOLE
    library.assert_equal(205)


def test_both_sources_tell_the_same_facts(library: Program) -> None:
    """Column by column, as far as both have it; ids are each source's own."""
    library.run(SOURCE="spacex")
    spacex = {(row["flight_number"], row["name"]): row for row in library.in_mysql("launches")}
    cores = sorted(map(_core, library.in_mysql("launch_cores")), key=repr)
    library.run("--accept-source-change")
    same = {
        *("name", "date_utc", "date_precision", "upcoming", "success", "rocket_name", "launchpad_name", "launchpad_locality"),
        *("launchpad_timezone", "launchpad_latitude", "launchpad_longitude", "payload_count", "payload_mass_kg", "core_count"),
        *(
            "payload_mass_known_count",
            "landing_attempt_count",
            "landing_success_count",
            "crew_count",
            "webcast_url",
            "launch_year",
        ),
        *("article_url", "patch_large_url"),
    }
    rows = library.in_mysql("launches")
    assert len(rows) == len(spacex) == 205
    for row in rows:
        before = spacex[row["flight_number"], row["name"]]
        assert {c: row[c] for c in same} == {c: before[c] for c in same}
        assert row["details"] == (None if before["details"] is None else before["details"].replace("\n", "\r\n"))
        assert (row["wikipedia_url"] is None) == (before["wikipedia_url"] is None)
        assert row["launch_library_id"] == row["launch_id"]
        if before["launch_library_id"]:
            assert row["launch_id"] == before["launch_library_id"]
    assert {row["status"] for row in rows} == {"success", "failure", "upcoming", "in_flight"}
    assert sorted(map(_core, library.in_mysql("launch_cores")), key=repr) == cores


def _core(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[c] for c in ("launch_year", "position", "core_flight_number", "reused", "landing_attempt", "landpad_name"))


def test_another_source_or_provider_is_refused_unless_accepted(library: Program, api: SampleApi) -> None:
    library.run(SOURCE="spacex")
    before = library.in_mysql("launches")
    refused = library.run(code=4)
    assert "the tables hold launches of source spacex, this is launch_library (--accept-source-change" in refused["error"]
    assert library.in_mysql("launches") == before
    api.set(LAUNCHES, [as_library(launch(i)) for i in range(20)])  # fewer than before: with another source that is no shrink
    library.run("--accept-source-change")
    library.assert_equal(20)
    assert library.in_mysql("launch_changes") == []  # another source's launches are no news
    others = [as_library(launch(i)) | {"launch_service_provider": {"id": 115, "name": "Another"}} for i in range(30, 60)]
    api.set(LAUNCHES, others)
    other = {"LAUNCH_LIBRARY_PROVIDER_ID": "115"}
    assert "this is launch_library-115" in library.run(code=4, **other)["error"]
    library.run("--accept-source-change", **other)
    assert {row["source"] for row in library.in_mysql("launches")} == {"launch_library-115"}


def test_nothing_of_another_source_is_retained(library: Program, api: SampleApi, records: list[dict[str, Any]]) -> None:
    """A record without a readable id keeps all last good rows, but none of another source."""
    library.run(SOURCE="spacex")
    records[3]["id"] = None
    api.set(LAUNCHES, records)
    result = library.run("--accept-source-change")
    assert (result["rejected"], result["retained"]) == (1, 0)
    library.assert_equal(204)


def test_an_unchanged_list_writes_no_partition_and_no_row(library: Program, api: SampleApi) -> None:
    library.run()
    before = library.versions()
    assert library.run()["state"] == "unchanged"
    assert library.versions() == before


def test_what_the_api_sent_is_archived_byte_for_byte_but_never_the_throttle(library: Program) -> None:
    library.run()
    keys = library.keys("raw/source=launch_library/")
    assert [key.rpartition("/")[2] for key in keys] == [f"launches-{n}.json.gz" for n in (1, 2, 3)]
    pages = [json.loads(gzip.decompress(library.object(key))) for key in keys]
    assert [(page["count"], len(page["results"])) for page in pages] == [(205, 100), (205, 100), (205, 5)]


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_small_budget_reads_changes_on_top_of_the_last_snapshot(
    library: Program, api: SampleApi, records: list[dict[str, Any]]
) -> None:
    api.set(LAUNCHES, records)
    library.run()
    asked(api)
    api.budget = Budget(15, used=12)
    same = library.run()
    assert same["state"] == "unchanged"
    since = "last_updated__gte=2022-11-01T02%3A23%3A00Z"
    assert asked(api) == ["api-throttle/", f"launches/?…&{since}&limit=100&offset=0"]
    assert any("only what changed since 2022-11-01T02:23:00Z is read: everything may take 4" in w for w in same["warnings"])

    records[7] |= {"last_updated": "2022-11-02T00:00:00Z", "net": "2011-01-01T00:00:00Z"}  # to a year that had none
    gone, new = records.pop(11), as_library(launch(300)) | {"last_updated": "2022-11-02T00:00:00Z"}
    records.append(new)
    api.set(LAUNCHES, records)
    changed = library.run()
    assert (changed["state"], changed["rows"]["launches"]) == ("published", 206)
    assert changed["merged"]["launches"] == {"inserted": 1, "updated": 1, "deleted": 0}  # absence is not believed
    assert not any("twice" in warning for warning in changed["warnings"])
    library.assert_equal(206)
    assert len(library.manifest()["endpoints"]["launches"]["objects"]) == 4

    api.budget = Budget(15, used=12)
    asked(api)
    assert library.run()["state"] == "unchanged"
    assert asked(api)[1] == "launches/?…&last_updated__gte=2022-11-01T23%3A00%3A00Z&limit=100&offset=0"

    api.budget = Budget(15)
    whole = library.run()
    assert whole["merged"]["launches"] == {"inserted": 0, "updated": 0, "deleted": 1}
    assert gone["id"] not in {row["launch_id"] for row in library.in_mysql("launches")}
    library.assert_equal(205)


def test_a_change_that_was_missed_while_the_list_was_read_is_not_lost(
    library: Program, api: SampleApi, records: list[dict[str, Any]]
) -> None:
    """It is older than the newest change received, and comes with the next changes all the same."""
    api.set(LAUNCHES, records)
    library.run()
    newest = max(record["last_updated"] for record in records)
    missed = records[3]
    missed |= {"last_updated": newest.replace(":23:", ":05:"), "agency_launch_attempt_count": 7777}
    api.set(LAUNCHES, records)
    api.budget = Budget(15, used=13)
    assert library.run()["merged"]["launches"] == {"inserted": 0, "updated": 1, "deleted": 0}
    assert library.run()["state"] == "unchanged"
    rows = {row["launch_id"]: row for row in library.in_mysql("launches")}
    assert rows[missed["id"]]["flight_number"] == 7777
    library.assert_equal(205)


def test_a_changed_record_that_does_not_fit_keeps_its_last_good_row(
    library: Program, api: SampleApi, records: list[dict[str, Any]]
) -> None:
    api.set(LAUNCHES, records)
    library.run()
    good = library.in_mysql("launches")
    records[7] |= {"last_updated": "2022-11-02T00:00:00Z", "net": "soon"}
    api.set(LAUNCHES, records)
    api.budget = Budget(15, used=13)
    result = library.run()
    assert (result["rejected"], result["retained"]) == (1, 1)
    assert library.in_mysql("launches") == good
    library.assert_equal(205)


def test_everything_is_read_again_after_full_snapshot_days_or_the_run_says_why_not(
    library: Program, api: SampleApi, records: list[dict[str, Any]]
) -> None:
    api.set(LAUNCHES, records)
    library.run()
    old = library.manifest()
    old["endpoints"]["launches"]["progress"]["full_at"] = "2026-01-01T00:00:00Z"
    library.put_manifest(old)
    api.budget = Budget(15, used=13)
    late = library.run()
    assert late["state"] == "unchanged"
    said = "everything was last read on 2026-01-01, over FULL_SNAPSHOT_DAYS 7: launches that are gone stay"
    assert said in late["warnings"]
    assert any("everything may take 3 requests and 2 of 15 in 3600 s are left" in w for w in late["warnings"])
    api.budget = Budget(15)
    asked(api)
    result = library.run()
    assert asked(api) == WHOLE
    assert result["files_written"] == 0
    assert library.manifest()["endpoints"]["launches"]["progress"]["full_at"] > "2026-01-02"
    library.assert_equal(205)


# --- budget and token -------------------------------------------------------------------------------------------------


def test_a_budget_that_is_used_up_ends_the_run_at_once(library: Program, api: SampleApi) -> None:
    api.budget = Budget(15, used=15, next_s=2400)
    result = library.run(code=3)
    assert "nothing can be read and 0 of 15 in 3600 s are left (the next is free in 2400 s" in result["error"]
    assert asked(api) == ["api-throttle/"]
    api.budget = Budget(15, used=13)
    assert "205 launches take 3 requests and 1 of 15 in 3600 s are left" in library.run(code=3)["error"]
    assert asked(api) == WHOLE[:2]
    assert library.in_mysql("launches") == []


def test_a_throttled_page_is_not_waited_for(library: Program, api: SampleApi) -> None:
    """Somebody else on this address was faster."""
    api.fault(LAUNCHES, Fault(status=429, retry_after=2400, after=1))
    result = library.run(code=3)
    assert "HTTP 429 Too Many Requests: no request is taken for 2400 s" in result["error"]
    assert result["stage_seconds"]["extract"] < 20
    assert len(asked(api)) == 3
    api.fault(LAUNCHES, Fault(status=429, retry_after=1, first=1))
    library.run()
    library.assert_equal(205)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(body=b"{}"),
        Fault(
            body=b'{"your_request_limit":"many","limit_frequency_secs":1,"current_use":0,"next_use_secs":0,"ident":"marker-7d1e"}'
        ),
        Fault(body="html"),
        Fault(status=401),
    ],
)
def test_a_throttle_that_can_not_be_read_is_said_plainly(library: Program, api: SampleApi, fault: Fault) -> None:
    api.fault("2.3.0/api-throttle", fault)
    result = library.run(code=3, LAUNCH_LIBRARY_TOKEN=TOKEN)
    assert "/2.3.0/api-throttle/" in result["error"]
    assert TOKEN not in json.dumps(result)


def test_the_token_is_sent_and_told_nowhere(library: Program, api: SampleApi) -> None:
    secret = {"LAUNCH_LIBRARY_TOKEN": TOKEN, "LOG_LEVEL": "DEBUG"}
    ended = [library("run", **secret), library("run", "--json", **secret)]
    assert {request.headers["authorization"] for request in api.requests} == {f"Token {TOKEN}"}
    for fault in (Fault(status=500), Fault(status=401), Fault(body=TOKEN.encode()), Fault(status=429, retry_after=99)):
        api.fault(LAUNCHES, fault)
        ended.append(library("run", code=3, **secret))
    assert not [text for e in ended for text in (e.stdout, e.stderr) if TOKEN in text]
    stored = [library.object(key) for key in library.keys("")]
    assert not [body for body in stored if TOKEN.encode() in (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)]
    assert TOKEN not in str(library.login.query("SELECT * FROM pipeline_runs"))


Edit = Callable[[dict[str, Any]], object]


# --- pages and records ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(totals=(205, 206)), "the total changed from 205 to 206 at page 2"),
        (Fault(totals=(204,)), "205 records came where the API states 204"),
        (Fault(stuck=True), "300 records came where the API states 205"),
    ],
)
def test_pages_that_shift_are_read_again_and_given_up_on(library: Program, api: SampleApi, fault: Fault, message: str) -> None:
    api.fault(LAUNCHES, fault)
    assert message in library.run(code=3)["error"]
    assert asked(api).count("api-throttle/") == 3
    api.fault(LAUNCHES, Fault(totals=fault.totals, stuck=fault.stuck, first=3))
    library.run()
    library.assert_equal(205)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, retry_after=0, first=3),
        Fault(cut=True, first=2),
        Fault(reset=True, first=2),
        Fault(body="html", first=1),
    ],
)
def test_what_passes_is_tried_again(library: Program, api: SampleApi, fault: Fault) -> None:
    api.fault(LAUNCHES, fault)
    assert library.run()["state"] == "published"


def pages(records: list[dict[str, Any]], length: int, total: int | None = None) -> list[dict[str, Any]]:
    """Pages of so many records each, whatever was asked for."""
    parts = [records[i : i + length] for i in range(0, len(records), length)]
    last = len(parts) - 1
    return [
        {"count": total or len(records), "next": None if i == last else "more", "previous": None, "results": part}
        for i, part in enumerate(parts)
    ]


def test_a_record_that_is_always_on_two_pages_counts_as_it_is_on_the_last(
    library: Program, api: SampleApi, records: list[dict[str, Any]]
) -> None:
    """A second reading finds the same ids, so the list holds still."""
    records = records[:9]
    twice = records[0] | {"agency_launch_attempt_count": 7777}
    api.fault(LAUNCHES, Fault(pages=pages([*records, twice], 5)))
    result = library.run()
    assert asked(api).count("api-throttle/") == 2
    assert f"1 launches came twice, the last counts: {twice['id']}" in result["warnings"]
    rows = {row["launch_id"]: row["flight_number"] for row in library.in_mysql("launches")}
    assert rows[twice["id"]] == 7777
    library.assert_equal(9)


def test_pages_shorter_than_asked_for_do_not_run_past_the_budget(
    library: Program, api: SampleApi, records: list[dict[str, Any]]
) -> None:
    api.set(LAUNCHES, records)
    library.run()
    asked(api)
    api.budget = Budget(15, used=9)  # six: enough for pages of a hundred, not for pages of ten
    api.fault(LAUNCHES, Fault(pages=pages(records, 10), first=1))
    result = library.run()
    assert result["state"] == "unchanged"
    assert any("205 launches take 21 requests and 5 of 15 in 3600 s are left" in w for w in result["warnings"])
    assert len(asked(api)) == 3  # the budget, a page of everything, the changes


def test_retries_are_taken_off_the_budget(library: Program, api: SampleApi) -> None:
    api.budget = Budget(15, used=12)
    api.fault(LAUNCHES, Fault(status=503, first=1))
    assert "205 launches take 3 requests and 1 of 15" in library.run(code=3)["error"]
    assert len(asked(api)) == 3


@pytest.mark.parametrize(
    "edit",
    [
        lambda r: r.update(launch_service_provider={}, status={}, net_precision={}, mission={}, pad={}, rocket={}),
        lambda r: r.update(launch_service_provider=None, status={"id": None}, mission={"orbit": {}}, pad={"location": {}}),
        lambda r: r["rocket"].update(configuration={}, launcher_stage=[{}, None, {"launcher": {}, "landing": {}}]),
        lambda r: r["rocket"]["launcher_stage"][0].update(landing={"landing_location": {}, "type": {}}),
        lambda r: r["rocket"].update(payloads=[{}, None, {"payload": {"operator": {}, "manufacturer": {}, "type": {}}}]),
        lambda r: r["rocket"].update(spacecraft_stage=[{"spacecraft": {}, "launch_crew": [{"astronaut": {}, "role": {}}, None]}]),
        lambda r: r.update(vid_urls=[None, {}], info_urls=[{}], mission_patches=[None, {}]),
        lambda r: r["pad"].update(id=None, location=None),
    ],
)
def test_a_missing_piece_is_null_and_the_launch_stays(
    library: Program, api: SampleApi, records: list[dict[str, Any]], edit: Edit
) -> None:
    records = records[:3]
    edit(records[1])
    api.fault(LAUNCHES, Fault(pages=pages(records, 100)))
    result = library.run()
    assert (result["rejected"], result["rows"]["launches"]) == (0, 3), result["warnings"]


def test_what_is_no_page_ends_the_run(library: Program, api: SampleApi) -> None:
    for body in (b'{"detail":"gone"}', b'{"count":1,"results":[{"id":"\xff"}]}', b'{"count":1,"next":null,"results":[{]}'):
        api.fault(LAUNCHES, Fault(body=body))
        assert "the page can't be read" in library.run(code=3)["error"]
    api.fault(LAUNCHES, Fault(body=b'{"count":0,"next":null,"previous":null,"results":[]}'))
    assert "0 launches received" in library.run(code=4)["error"]


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (lambda r: r.update(launch_service_provider={"id": 115}), "launch_service_provider.id"),
        (lambda r: r.update(net=None), "net"),
        (lambda r: r.update(status="Go"), "status"),
        (lambda r: r["pad"].update(latitude="28.5"), "pad.latitude"),  # as in 2.2.0
        (lambda r: r["pad"].update(id="80"), "pad.id"),
        (lambda r: r["rocket"].update(spacecraft_stage={"id": 1}), "rocket.spacecraft_stage"),  # as in 2.2.0
        (lambda r: r["rocket"]["payloads"][0].update(amount=10**9), "rocket.payloads[0].amount"),
    ],
)
def test_a_record_that_does_not_fit_is_set_aside_with_its_reason(
    library: Program, api: SampleApi, records: list[dict[str, Any]], edit: Edit, path: str
) -> None:
    records = records[150:180]  # of one year
    edit(records[5])
    # Served as it stands, as by an API that passes over the filter.
    api.fault(LAUNCHES, Fault(pages=[{"count": 30, "next": None, "previous": None, "results": records}]))
    result = library.run()
    assert result["rejected"] == 1
    line = json.loads(gzip.decompress(library.object(library.keys("quarantine/")[-1])))
    assert (line["path"], line["raw"]) == (path, records[5])
    library.assert_equal(29)


def test_odd_but_sound_records(library: Program, api: SampleApi, records: list[dict[str, Any]]) -> None:
    """Every status and precision, an unknown id of each, no mission, no stages, several payloads alike, fields of tomorrow."""
    records = records[:30]
    for number in range(10):
        records[number] |= {"status": status(number + 1), "net_precision": {"id": 99} if number == 9 else None}
    for number in range(16):
        records[10 + number]["net_precision"] = {"id": number}
    records[26] |= {"mission": None, "failreason": None, "status": None, "rocket": None, "pad": None, "window_end": None}
    records[27]["rocket"] |= {"launcher_stage": [], "spacecraft_stage": None, "payloads": None}
    records[28]["rocket"]["payloads"][0] |= {"amount": 4}
    records[28]["rocket"]["payloads"][0]["payload"]["mass"] = 300.5
    records[29] |= {"tomorrow": 1, "holdreason": ""}
    records[29]["rocket"]["launcher_stage"][0]["landing"] = {"attempt": True, "novel": True}
    api.set(LAUNCHES, records)
    result = library.run()
    rows = {row["launch_id"]: row for row in library.in_mysql("launches")}
    found = [rows[record["id"]] for record in records]
    assert [row["status"] for row in found[:10]] == [
        *("upcoming", "upcoming", "success", "failure", "upcoming", "in_flight", "partial_failure", "upcoming", "in_flight"),
        "unknown",
    ]
    assert [row["success"] for row in found[:10]] == [None, None, 1, 0, None, None, 0, None, None, None]
    assert [row["upcoming"] for row in found[:10]] == [1, 1, 0, 0, 1, 0, 0, 1, 0, None]
    assert [row["tbd"] for row in found[:10]] == [0, 1, 0, 0, 0, 0, 0, 0, 0, None]
    assert [row["date_precision"] for row in found[:10]] == [None] * 10
    assert [row["date_precision"] for row in found[10:26]] == [
        *("second", "minute", "hour", "day", "day", "day", "week", "month", "quarter", "quarter", "quarter", "quarter"),
        *("half", "half", "year", "year"),
    ]
    bare = found[26]
    assert (bare["name"], bare["status"], bare["success"]) == (records[26]["name"], "unknown", None)
    assert {bare[c] for c in ("details", "rocket_id", "launchpad_id", "core_count", "payload_count", "window_s", "orbits")} == {
        None
    }
    assert [found[27][c] for c in ("core_count", "payload_count", "crew_count", "capsule_ids")] == [0, None, None, None]
    alike = [p for p in library.in_mysql("launch_payloads") if p["launch_id"] == records[28]["id"]]
    assert [(p["position"], p["mass_kg"]) for p in alike[:4]] == [(i, 300.5) for i in range(4)]
    assert found[28]["payload_count"] == len(alike) == 3 + len(records[28]["rocket"]["payloads"])
    assert found[28]["payload_mass_kg"] == sum(p["mass_kg"] or 0 for p in alike)
    assert (
        "fields that the contract does not know: holdreason, rocket.launcher_stage.landing.novel, tomorrow" in result["warnings"]
    )
    assert "status id 10 is not known and left unknown (1 launches)" in result["warnings"]
    assert "net_precision id 99 is not known and left null (1 launches)" in result["warnings"]
    library.assert_equal(30)


def test_recorded_answers_come_out_whole(library: Program, recorded_data: Path) -> None:
    """A page of the mode `normal`: SpaceX's 51 of its 100 launches, without boosters and payloads."""
    with SampleApi(recorded=recorded_data) as recorded:
        result = library.run(SOURCE_URL=recorded.url)
        again = library.run(SOURCE_URL=recorded.url)
    assert result["rows"] == {
        "launches": 51,
        **dict.fromkeys(("launch_cores", "launch_payloads", "launch_failures", "launch_crew", "launch_changes"), 0),
    }
    assert again["state"] == "unchanged"
    assert not [w for w in result["warnings"] if "does not know" in w or "not known" in w]
    page = json.loads((recorded_data / "launch_library_2/v2.3.0_launches_page1.json").read_bytes())
    sent = {r["id"]: r for r in page["results"]}
    for row in library.in_mysql("launches"):
        record = sent[row["launch_id"]]
        assert row["name"] == record["mission"]["name"]
        assert row["details"] == record["mission"]["description"]  # with its carriage returns
        assert row["date_utc"].strftime("%Y-%m-%dT%H:%M:%SZ") == record["net"]
        assert row["launchpad_id"] == str(record["pad"]["id"])
        assert row["status"] == "success"
        assert row["core_count"] is None
    library.assert_equal(51)
