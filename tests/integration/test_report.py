"""The report, against an independent reading of the stores, and as a page that nobody else has a hand in."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.sources import never_filled
from tests.page import page_of
from tests.program import Program
from tests.sample_api import SampleApi
from tests.sample_api.library_records import as_library
from tests.sample_api.records import launch

HOSTILE = """<script>alert(1)</script><img src="http://example.invalid/x" onerror='x'>&amp;\u202e"""
STATES = {"success": "success", "failure": "failure", "upcoming": "upcoming", "unknown": "no outcome known"}


@pytest.fixture
def api() -> Iterator[SampleApi]:
    """The sample API with all launches."""
    with SampleApi() as api:
        yield api


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def number(text: str) -> float:
    return float(text.replace(",", "").removesuffix(" %").replace("\u2013", "nan"))


def test_its_numbers_are_those_of_the_stores(program: Program, out: Path) -> None:
    program.run()
    page = page_of(program, out)
    launches = {row["launch_id"]: row for row in program.in_mysql("launches")}

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in launches.values():
        counts[str(row["launch_year"])][STATES[row["status"]]] += 1
    shown = page.rows("launches-per-year")
    assert {row["year"]: {k: int(v) for k, v in row.items() if k in STATES.values() and v != "0"} for row in shown} == counts
    assert {row["year"]: int(row["all"]) for row in shown} == {year: count.total() for year, count in counts.items()}

    tries: dict[str, Counter[bool | None]] = defaultdict(Counter)
    for row in program.in_s3("launch_cores"):
        if row["landing_attempt"] and launches[row["launch_id"]]["status"] != "upcoming":
            tries[str(row["launch_year"])][row["landing_success"]] += 1
    assert len(tries) > 5
    for row in page.rows("landings-per-year"):
        tried = tries.pop(row["year"])
        assert [int(row[name]) for name in ("landed", "lost", "not known")] == [tried[True], tried[False], tried[None]]
        assert number(row["landed of known"]) == pytest.approx(100 * tried[True] / (tried[True] + tried[False]), abs=0.06)
    assert not tries

    masses: dict[tuple[str, str], float] = defaultdict(float)
    for row in program.in_s3("launch_payloads"):
        if launches[row["launch_id"]]["status"] == "success":
            masses[str(row["launch_year"]), row["orbit"]] += (row["mass_kg"] or 0) / 1000
            masses[str(row["launch_year"]), "all, t"] += (row["mass_kg"] or 0) / 1000
    cells = {(row["year"], name): number(text) for row in page.rows("mass-per-year") for name, text in row.items()}
    assert sum(value for (_, name), value in cells.items() if name == "all, t") > 500
    for key, value in cells.items():
        if key[1] not in ("year", "payloads without mass", "other or unknown"):
            assert value == pytest.approx(masses[key], abs=0.06), key

    for table in ("launches", "launch_cores", "launch_payloads", "launch_failures"):
        missing = Counter(column for row in program.in_mysql(table) for column, value in row.items() if value is None)
        assert {row["column"]: int(row["nulls"].replace(",", "")) for row in page.rows(f"nulls-{table}")} == missing


def test_moved_dates_are_slips_unless_only_the_precision_changed(program: Program, api: SampleApi, out: Path) -> None:
    program.run()
    assert "No launch date has moved" in page_of(program, out).text
    records: list[dict[str, Any]] = json.loads(api.body("v5/launches"))
    later, earlier, vague = records[200], records[201], records[202]
    dates = ("2022-12-01T10:00:00.000Z", "2022-12-31T10:00:00.000Z")
    for record, date in ((later, dates[0]), (earlier, dates[1]), (vague, dates[0])):
        record.update(date_utc=date, date_precision="hour")
    api.set("launches", records)
    program.run()
    later["date_utc"], earlier["date_utc"], vague["date_utc"] = dates[1], dates[0], "2023-01-01T00:00:00.000Z"
    vague["date_precision"] = "quarter"
    api.set("launches", records)
    program.run()
    page = page_of(program, out)
    last = {row["launch"]: row for row in page.rows("slips")[:3]}
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert [list(last[record["name"]].values())[1:] for record in (later, earlier, vague)] == [
        [today, "2022-12-01 10:00", "2022-12-31 10:00", "+30 d"],
        [today, "2022-12-31 10:00", "2022-12-01 10:00", "\u221230 d"],
        [today, "2022-12-01 10:00", "2023 Q1", "precision"],
    ]
    written = [row for row in program.in_s3("launch_changes") if row["column_name"] == "date_utc"]
    assert [int(row["all"]) for row in page.rows("slips-per-month")] == [len(written)]


def test_runs_and_rejects_are_told(program: Program, api: SampleApi, out: Path) -> None:
    records = json.loads(api.body("v5/launches"))
    records[3]["date_utc"] = "nonsense"
    api.set("launches", records)
    program.run()
    api.set("launches", [])
    program.run(code=4)
    page = page_of(program, out)
    listed = json.loads(program("runs", "--json").stdout)
    shown = page.rows("runs")
    assert [row["state"] for row in shown] == [run["state"] for run in listed] == ["failed", "published"]
    assert shown[0]["run"] == listed[0]["run_id"] + listed[0]["error"]
    assert (shown[1]["launches"], shown[1]["rejected"]) == ("204", "1")
    quality = {row["measure"]: (row["found"], row["verdict"]) for row in page.rows("quality")}
    assert quality["Rejected launches"] == ("1", "some")
    assert quality["Newest past launch"] == ("2022-10-05 16:00 UTC", "stale")


def test_the_page_needs_nothing_and_runs_nothing_whatever_the_data_holds(program: Program, api: SampleApi, out: Path) -> None:
    program.run()
    records = json.loads(api.body("v5/launches"))
    newest = max((r for r in records if not r["upcoming"]), key=lambda r: r["date_utc"])
    newest["name"] = HOSTILE
    newest["date_utc"] = "2022-10-06T16:00:00.000Z"
    api.set("launches", records)
    payloads = json.loads(api.body("payloads"))
    for payload in payloads:
        payload["orbit"] = HOSTILE if payload["orbit"] == "GTO" else payload["orbit"]
    api.set("payloads", payloads)
    program.run()
    page = page_of(program, out)
    assert page.rows("slips")[0]["launch"] == HOSTILE
    assert HOSTILE in page.tables["mass-per-year"][0]
    assert page.text.count(HOSTILE) > 4  # in the legend and in what the bars tell, too
    text = out.read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "").replace("http://example.invalid", "")
    assert "@import" not in text
    assert "url(" not in text
    for tag, attributes in page.tags:
        assert tag not in ("script", "img", "link", "iframe", "object", "embed", "image", "use", "base", "form", "a"), tag
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "xlink:href", "srcset")}
    policy = next(attributes for _, attributes in page.tags if "http-equiv" in attributes)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_it_is_of_the_published_versions_and_published_only_when_asked(program: Program, out: Path) -> None:
    program.run()
    program.aws.client("s3").put_object(Bucket=program.bucket, Key="launches/year=2018/launches.parquet", Body=b"half done")
    before = program.versions()
    result = program("report", "--out", str(out), "--json").result
    assert (result["object"], result["file"]) == (None, str(out))
    assert program.versions() == before
    result = program("report", "--out", str(out), "--publish", "--json", S3_PREFIX="").result
    key = "report/report.html"
    assert result["object"] == f"s3://{program.bucket}/{key}"
    assert {version[0] for version in program.versions() - before} == {key}
    assert program.object(key) == out.read_bytes()
    head = program.aws.client("s3").head_object(Bucket=program.bucket, Key=key)
    assert head["ContentType"] == "text/html; charset=utf-8"


def test_launches_to_come_boosters_customers_and_failures_are_those_of_the_stores(program: Program, out: Path) -> None:
    program.run()
    page = page_of(program, out)
    launches = {row["launch_id"]: row for row in program.in_mysql("launches")}
    coming = sorted((row for row in launches.values() if row["status"] == "upcoming"), key=lambda row: row["date_utc"])
    assert sorted(row["launch"] for row in page.rows("next-launches")) == sorted(row["name"] for row in coming[:20])
    assert {row["remarks"].strip() for row in page.rows("next-launches")} == {"date has passed"}  # as in the recorded answer
    newest = max((row for row in launches.values() if row["status"] != "upcoming"), key=lambda row: row["date_utc"])
    assert page.rows("last-launches")[0]["launch"] == newest["name"]

    flights: Counter[str] = Counter()
    for row in program.in_s3("launch_cores"):
        if row["core_id"] and launches[row["launch_id"]]["status"] != "upcoming":
            flights[row["core_id"]] += 1
    assert [int(row["flights"]) for row in page.rows("boosters")] == sorted(flights.values(), reverse=True)[:20]

    served: dict[str, set[str]] = defaultdict(set)
    for row in program.in_s3("launch_payloads"):
        if launches[row["launch_id"]]["status"] != "upcoming":
            for customer in json.loads(row["customers"] or "[]"):
                served[customer].add(row["launch_id"])
    shown = {row["customer"]: int(row["launches"]) for row in page.rows("customers")}
    assert shown == {customer: len(served[customer]) for customer in shown}
    assert sorted(shown.values(), reverse=True) == sorted(map(len, served.values()), reverse=True)[:20]

    reasons = Counter(row["reason"] for row in program.in_mysql("launch_failures"))
    assert Counter(row["reason"] for row in page.rows("failures")) == reasons


def test_with_another_provider_too_columns_that_are_never_filled_are_no_gaps(program: Program, api: SampleApi, out: Path) -> None:
    other = {"launch_service_provider": {"id": 88, "name": "Another"}}
    api.set("2.3.0/launches", [as_library(launch(i)) | other for i in range(30, 60)])
    program.environment |= {"SOURCE": "launch_library", "LAUNCH_LIBRARY_PROVIDER_ID": "88"}
    assert program.run()["source"] == "launch_library-88"
    rows = page_of(program, out).rows("nulls-launches")
    untold = {row["column"] for row in rows if row["share"] == "never filled by this source"}
    assert untold == set(never_filled("launch_library")["launches"])


def test_without_what_it_needs_it_says_so(program: Program, out: Path) -> None:
    ended = program("report", "--out", str(out), code=5)
    assert "nothing is published yet" in ended.stdout
    assert not out.exists()
    program.run()
    ended = program("report", "--out", str(out.parent / "missing" / "page.html"), "--publish", code=2)
    assert "--out: [Errno 2] No such file or directory" in ended.stdout
    assert "report/report.html" not in set(program.keys())
    program("report", "--out", str(out), code=6, MYSQL_PASSWORD="wrong-password")


def test_little_and_odd_data_make_a_page_too(program: Program, api: SampleApi, out: Path) -> None:
    api.set("launches", [{"id": "old", "date_utc": "1900-01-01T00:00:00Z", "name": None}])
    program.run()
    page = page_of(program, out)
    assert [row["all"] for row in page.rows("launches-per-year")] == ["1"]
    assert page.text.count("No data.") == 2  # neither a landing nor a payload
    api.set("launches", [{"id": f"{year}", "date_utc": f"{year}-01-01T00:00:00Z"} for year in range(1900, 2200, 3)])
    program.run()
    page = page_of(program, out)
    assert len(page.rows("launches-per-year")) == 100
    assert {"1900", "1915", "2185"} <= set(page.axis)  # as many years as there is room for, and none cut
    assert len(page.axis) < 40
