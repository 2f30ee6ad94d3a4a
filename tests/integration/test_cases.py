"""The failures this kind of job is known for, each tried on the real program and real services.

The cases that are data, in tests/fixtures/cases, are served all at once. Names carry the id of a case.
"""

import gzip
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.core.model import Response
from app.errors import SourceError
from app.sources.http import ATTEMPTS, HttpClient
from app.sources.spacex.api import SpacexSource
from tests import cases
from tests.cases import all_cases, other_case, record
from tests.program import Program
from tests.sample_api import Fault, SampleApi
from tests.services import AwsEndpoint, Login, MysqlServer
from tests.services.certificates import make_certificates
from tests.services.proxy import Proxy, Trouble
from tests.services.server import HOST

LENIENT = {"MAX_REJECTED_RATIO": "1"}


# --- cases that are data ----------------------------------------------------------------------------------------------


class Served:
    """One answer of each case, served together."""

    def __init__(self, program: Program, api: SampleApi, number: int) -> None:
        self.program = program
        self.cases = [(case, case.answers[min(number, len(case.answers) - 1)]) for case in all_cases()]
        api.set("launches", [launch for _, answer in self.cases for launch in answer.launches])
        api.set("payloads", [payload for _, answer in self.cases for payload in answer.payloads])

    def count(self, what: str) -> int:
        """How many launches of all outcomes are accepted, rejected or retained."""
        return sum(len(getattr(answer.outcome, what)) for _, answer in self.cases)

    def check(self, result: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
        """Both stores, the quarantine and the result of a run are what the cases say; the rows of `launches`."""
        self.program.assert_equal(self.count("launches") + self.count("retained"))
        tables = self.program.all_in_mysql()
        found, set_aside, start, warnings = {}, [], 0, []
        notes: Counter[str] = Counter()
        for case, answer in self.cases:
            case.check(answer, tables)
            found |= {(case.name, n): row for row in tables["launches"] if (n := case.number_of(row["launch_id"])) is not None}
            set_aside += [(start + r.index, r.path, r.value) for r in answer.outcome.rejected]
            start += len(answer.launches)
            warnings += answer.outcome.warnings
            notes.update(answer.outcome.notes)
        rejects = [r for r in quarantined(self.program) if r["endpoint"] == "launches"]
        for reject, (index, path, value) in zip(rejects, set_aside, strict=True):
            assert (reject["index"], reject["path"]) == (index, path)
            assert value in (None, reject["value"])
        assert (result["rejected"], result["retained"]) == (self.count("rejected"), self.count("retained"))
        unknown = sorted({name for _, answer in self.cases for name in answer.outcome.unknown_fields})
        warnings += [f"fields that the contract does not know: {', '.join(unknown)}"]
        warnings += [f"{note} ({times} launches)" for note, times in notes.items()]
        for warning in warnings:
            assert len([said for said in result["warnings"] if said.startswith(warning)]) == 1, warning
        return found


def quarantined(program: Program) -> list[dict[str, Any]]:
    key = program.keys("quarantine/")[-1]
    return [json.loads(line) for line in gzip.decompress(program.object(key)).splitlines()]


def test_all_cases_come_to_what_their_files_say(program: Program, api: SampleApi, tmp_path: Path) -> None:
    """In both stores; the same answer once more changes nothing, and the answers that follow change what they must."""
    first = Served(program, api, 0)
    accepted, rejected = first.count("launches"), first.count("rejected")
    refused = program.run(code=4)  # the gate's limit must be raised knowingly
    assert f"{rejected} of {accepted + rejected} launches were rejected" in refused["error"]
    result = program.run(**LENIENT)
    assert result["merged"]["launches"] == {"inserted": accepted, "updated": 0, "deleted": 0}
    before = first.check(result)
    check_files(program, tmp_path)
    result = program.run(**LENIENT)  # L14, P08
    assert (result["merged"], result["rows"]["launches"]) == ({}, accepted)
    then = Served(program, api, 1)
    result = program.run(**LENIENT)
    assert result["merged"]["launches"] == {"inserted": 1, "updated": 3, "deleted": 1}  # in S03, in B01 twice and S01, in B01
    after = then.check(result)
    retained = [(case.name, number) for case, answer in then.cases for number in answer.outcome.retained]
    assert retained
    assert [after[launch] for launch in retained] == [before[launch] for launch in retained]


def check_files(program: Program, folder: Path) -> None:
    """Each file of launches has the one schema and holds the launches of its year, by UTC, and no year lacks its file."""
    schemas, years = set(), set()
    for key in program.keys("launches/"):
        (folder / "file").write_bytes(program.object(key))
        schemas.add(str(pq.read_schema(folder / "file")))
        parquet = pq.ParquetFile(folder / "file")
        kinds = {parquet.schema.column(i).name: parquet.schema.column(i) for i in range(len(parquet.schema))}
        assert kinds["window_s"].physical_type == "INT64"
        time = json.loads(kinds["date_utc"].logical_type.to_json())
        assert (time["isAdjustedToUTC"], time["timeUnit"]) == (True, "microseconds")  # P06
        (year,) = set(parquet.read(["launch_year"])["launch_year"].to_pylist())
        assert key == f"launches/year={year}/launches.parquet"
        years.add(year)
    assert len(schemas) == 1
    assert years == {row["date_utc"].year for row in program.in_mysql("launches")}


# --- the stores -------------------------------------------------------------------------------------------------------


def served(api: SampleApi, name: str) -> list[dict[str, Any]]:
    """The launches of one case, which the API serves from now on."""
    launches = cases.case(name).answers[0].launches
    api.set("launches", launches)
    return launches


def rows(program: Program) -> dict[int, dict[str, Any]]:
    """The launches of one case in MySQL, by number."""
    program.assert_equal()
    return {int(row["launch_id"][-4:], 16): row for row in program.in_mysql("launches")}


def test_l01_local_infile_off_is_said_plainly_and_nothing_is_half_done(
    tmp_path: Path, aws: AwsEndpoint, settings_env: dict[str, str], api: SampleApi
) -> None:
    with MysqlServer(tmp_path / "mysql") as server:
        environment = {**settings_env, **server.login.environment(), "SOURCE_URL": api.url, "PATH": "/usr/bin:/bin"}
        program = Program(environment, aws, server.login)
        program.run()
        launches = json.loads(bytes(api.body("v5/launches")))
        api.set("launches", launches[:-1])
        before = program.in_mysql("launches")
        server.admin.query("SET GLOBAL local_infile = 0")
        failed = program("run", code=6)
        assert "local_infile" in failed.lines[-1]["message"]
        assert program.in_mysql("launches") == before
        server.admin.query("SET GLOBAL local_infile = 1")
        program.run()
        program.assert_equal(39)


def test_l08_m05_any_character_set_and_time_zone_of_server_and_client(
    tmp_path: Path, aws: AwsEndpoint, settings_env: dict[str, str], api: SampleApi
) -> None:
    with MysqlServer(tmp_path / "mysql", "--default-time-zone=-05:00", "--character-set-server=latin1") as server:
        environment = {**settings_env, **server.login.environment(), "SOURCE_URL": api.url, "TZ": "America/New_York"}
        program = Program({**environment, "PATH": "/usr/bin:/bin"}, aws, server.login)
        first = Served(program, api, 0)
        first.check(program.run(**LENIENT))


def test_l11_an_empty_answer_is_refused_and_everything_stays(program: Program, api: SampleApi) -> None:
    program.run()
    before = program.versions("launches/")
    api.set("launches", [])
    failed = program("run", code=4)
    assert "0 launches received" in failed.lines[-1]["message"]
    program("run", "--accept-shrink", code=4)
    assert program.versions("launches/") == before
    program.assert_equal(40)


def test_l13_tls_is_verified_and_never_left_out(
    tmp_path: Path, aws: AwsEndpoint, settings_env: dict[str, str], api: SampleApi
) -> None:
    for name in ("ours", "others"):
        (tmp_path / name).mkdir()
    ca, cert, key = make_certificates(tmp_path / "ours")
    other_ca, _, _ = make_certificates(tmp_path / "others")
    with MysqlServer(tmp_path / "mysql", "--bind-address=127.0.0.1,127.0.0.2", tls=(ca, cert, key)) as server:
        environment = {**settings_env, **server.login.environment(), "SOURCE_URL": api.url, "PATH": "/usr/bin:/bin"}
        program = Program(environment, aws, server.login)
        program.run(MYSQL_SSL_CA=str(ca))
        wrong = program("run", code=6, MYSQL_SSL_CA=str(other_ca)).lines[-1]["message"]
        assert str(other_ca) in wrong
        assert "certificate verify failed" in wrong
        host = program("run", code=6, MYSQL_SSL_CA=str(ca), MYSQL_HOST="127.0.0.2").lines[-1]["message"]
        assert "127.0.0.2" in host
        assert "IP address mismatch" in host
        missing = program("run", code=6, MYSQL_SSL_CA=str(tmp_path / "nowhere.pem")).lines[-1]["message"]
        assert "nowhere.pem, which is no file" in missing
        nonsense = program("run", code=6, MYSQL_SSL_CA=__file__).lines[-1]["message"]
        assert Path(__file__).name in nonsense
    with MysqlServer(tmp_path / "plain", "--skip-ssl") as server:
        program = Program({**environment, **server.login.environment()}, aws, server.login)
        assert "SSL" in program("run", code=6, MYSQL_SSL_CA=str(ca)).lines[-1]["message"]


def test_b01_a_year_that_is_left_empty_has_no_file(program: Program, api: SampleApi) -> None:
    moved = cases.case("b01").answers[1].launches
    api.set("launches", moved)
    program.run()
    assert program.keys("launches/") == [f"launches/year={year}/launches.parquet" for year in (2020, 2021)]
    api.set("launches", [launch for launch in moved if launch["date_utc"].startswith("2020")])
    program.run()
    assert program.keys("launches/") == ["launches/year=2020/launches.parquet"]
    assert set(rows(program)) == {1, 4}


def test_a_launch_that_moves_comes_before_it_goes(program: Program, api: SampleApi) -> None:
    """While S3 is slow to say that the gaining partition is written, the losing one is not: nobody by path misses the launch."""
    program.run()
    records = json.loads(api.body("v5/launches"))
    moving = next(record for record in records if record["date_utc"].startswith("2018"))
    moving["date_utc"] = "2006-06-01T00:00:00.000Z"
    api.set("launches", records)
    gaining, losing = program.versions("launches/year=2006/"), program.versions("launches/year=2018/")
    with Proxy(HOST, int(program.aws.url.rpartition(":")[2])) as proxy:
        proxy.fail(Trouble(b"^PUT /[^/]+/launches/year[^/]+2006/", drip_s=0.02))
        running = program.start("run", AWS_ENDPOINT_URL=proxy.url)
        while program.versions("launches/year=2006/") == gaining:
            assert running.poll() is None
        time.sleep(2)  # in which the other could have been written
        running.kill()
        running.communicate()
    assert program.versions("launches/year=2018/") == losing
    program.run()
    assert program.versions("launches/year=2018/") > losing
    program.assert_equal(40)


def test_m01_a_load_that_fails_midway_leaves_the_table_as_it_was(program: Program, api: SampleApi, mysql: Login) -> None:
    served(api, "b01")
    program.run()
    before = program.in_mysql("launches")
    admin = replace(mysql, database=program.login.database)  # with a binary log only an administrator may make triggers
    admin.query("CREATE TRIGGER stop BEFORE UPDATE ON launch_cores FOR EACH ROW SIGNAL SQLSTATE '45000'")
    api.set("launches", cases.case("b01").answers[1].launches)
    program.run(code=6)
    assert program.in_mysql("launches") == before
    admin.query("DROP TRIGGER stop")
    program.run()
    assert set(rows(program)) == {1, 2, 4}


def test_m03_drift_of_the_tables_has_stated_outcomes(program: Program, api: SampleApi) -> None:
    served(api, "b01")
    program.run()
    program.login.query("ALTER TABLE launches DROP COLUMN details, MODIFY name VARCHAR(40), MODIFY flight_number INT")
    program.login.query("ALTER TABLE launches ADD COLUMN remark TEXT NULL")
    api.set("launches", cases.case("b01").answers[1].launches)
    result = program.run()
    assert len(result["ddl"]) == 1
    assert "columns that the schema does not know are left alone: launches.remark" in result["warnings"]
    program.login.query("ALTER TABLE launches DROP COLUMN remark")
    found = rows(program)
    assert found[1]["details"] == "Corrected text."
    assert found[4]["details"] == "Neutral sample text 4."  # of a row that did not change
    program.login.query("ALTER TABLE launches MODIFY window_s VARCHAR(10)")
    failed = program("run", code=6)
    assert "MODIFY COLUMN `window_s` BIGINT" in failed.lines[-1]["message"]


def test_a_table_of_somebody_else_is_refused(program: Program) -> None:
    program.login.query("CREATE TABLE launches (id INT PRIMARY KEY)")
    program.login.query("INSERT INTO launches VALUES (1)")
    failed = program("run", code=6)
    assert "has no pipeline_runs beside it: another program's" in failed.lines[-1]["message"]
    assert program.login.query("SELECT * FROM launches") == ((1,),)


def test_a_rejected_launch_keeps_its_last_good_rows_until_it_is_well_again(program: Program, api: SampleApi) -> None:
    sent = served(api, "b01")
    program.run()
    before = rows(program), program.in_mysql("launch_cores")
    broken = [{**sent[0], "success": "yes"}, *sent[1:]]
    api.set("launches", broken)
    result = program.run(**LENIENT)
    assert (result["rejected"], result["retained"]) == (1, 1)
    assert (rows(program), program.in_mysql("launch_cores")) == before
    program.login.query("UPDATE launches SET name = 'altered' WHERE launch_id LIKE '%1'")
    api.set("launches", [{**broken[0], "details": 7}, *sent[1:]])
    program.run(**LENIENT)  # altered in MySQL: the lake has the last good rows
    assert (rows(program), program.in_mysql("launch_cores")) == before
    # While a record has no readable id, it may be any of those that are absent: nothing is deleted.
    nameless = [{**sent[0], "id": 5}, *sent[1:3]]
    api.set("launches", nameless)
    assert program.run(**LENIENT)["retained"] == 2
    assert (rows(program), program.in_mysql("launch_cores")) == before
    api.set("launches", sent[1:])
    program.run()
    assert set(rows(program)) == {2, 3, 4}


def test_lookups_that_resolve_much_worse_than_before_are_refused(program: Program, api: SampleApi) -> None:
    program.run()
    api.set("rockets", [])
    failed = program("run", code=4)
    assert "rockets resolves 0 of 40 references, before 40 of 40" in failed.lines[-1]["message"]
    program.assert_equal(40)


def test_a_sharp_fall_is_refused_unless_accepted(program: Program, api: SampleApi) -> None:
    program.run()
    launches = json.loads(bytes(api.body("v5/launches")))
    api.set("launches", launches[:30])
    failed = program("run", code=4)
    assert "launches would shrink from 40 to 30 rows" in failed.lines[-1]["message"]
    program.assert_equal(40)
    program.run("--accept-shrink")
    program.assert_equal(30)


# --- the source over HTTP ------------------------------------------------------------------------------------------


def test_h01_h03_h04_what_passes_is_tried_again(program: Program, api: SampleApi) -> None:
    faults = [
        Fault(cut=True, first=2),
        Fault(chunked=True, cut=True, first=1),
        Fault(reset=True, first=1),
        Fault(body="html", first=1),
        Fault(status=503, retry_after=0, first=3),
        Fault(status=429, retry_after=0, first=1),
    ]
    for fault in faults:
        api.fault("launches", fault)
        assert program.run()["rows"]["launches"] == 40
    program.assert_equal(40)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(cut=True), "connection failed"),
        (Fault(body="html"), "is no JSON list"),
        (Fault(body="empty"), "is no JSON list: 0 bytes"),
        (Fault(body="object"), "is no JSON list"),
        (Fault(status=204), "HTTP 204"),
        (Fault(status=500), "HTTP 500"),
    ],
    ids=str,
)
def test_h03_h04_h07_what_never_passes_ends_with_the_real_cause(
    program: Program, api: SampleApi, fault: Fault, said: str
) -> None:
    api.fault("launches", fault)
    failed = program("run", code=3)
    last = failed.lines[-1]
    assert said in last["message"]
    assert f"{api.url}/v5/launches" in last["message"]
    assert last["stage"] == "extract"
    assert len(api.requests) == ATTEMPTS
    assert program.keys() == []


@pytest.mark.parametrize("status", [400, 401, 404])
def test_h05_other_faults_of_ours_are_not_tried_again(program: Program, api: SampleApi, status: int) -> None:
    api.fault("launches", Fault(status=status))
    failed = program("run", code=3)
    assert f"HTTP {status}" in failed.lines[-1]["message"]
    assert len(api.requests) == 1


def pages_of(api: SampleApi, spool: Path, warn: Callable[[str], None] = lambda _: None) -> Response:
    """The launches as the source reads them page by page."""
    source = SpacexSource(HttpClient(), api.url, "v5", list_limit_bytes=10, warn=warn)
    return next(iter(source.extract({}, spool)))


@pytest.mark.parametrize("name", ["h08-pages-that-miss-a-launch", "h08-pages-that-repeat-a-launch"])
def test_h08_pages_that_shift_are_read_again_or_refused(api: SampleApi, tmp_path: Path, name: str) -> None:
    with other_case(name) as keys:
        assert keys.pop("story")
        pages = tuple(page | {"docs": [record("launch", {"number": n}) for n in page["docs"]]} for page in keys.pop("pages"))
        refused = keys.pop("outcome")["refused"]
    api.fault("launches/query", Fault(pages=pages))
    with pytest.raises(SourceError, match=refused):
        pages_of(api, tmp_path)
    api.fault("launches/query", Fault(pages=pages, first=len(pages)))
    lines: list[str] = []
    endpoint = pages_of(api, tmp_path, lines.append)
    (line,) = lines
    assert re.search(r"/query: read [23] times; before: ", line)
    assert sum(len(json.loads(body.path.read_bytes())["docs"]) for body in endpoint.bodies) == 40


def test_a_stuck_page_and_a_wrong_total_are_refused(api: SampleApi, tmp_path: Path) -> None:
    api.fault("launches/query", Fault(totals=(41,)))
    with pytest.raises(SourceError, match="40 records came where the API states 41"):
        pages_of(api, tmp_path)


def test_the_list_s_etag_is_not_that_of_pages_read_from_a_later_list(api: SampleApi, tmp_path: Path) -> None:
    assert pages_of(api, tmp_path).etag is not None
    api.requests.clear()
    api.fault("launches/query", Fault(hang_s=1, reset=True, first=1))

    def change() -> None:
        while not any(request.path.endswith("/query") for request in api.requests):
            time.sleep(0.01)
        api.set("launches", [record | {"details": "New."} for record in json.loads(api.body("v5/launches"))])

    changing = threading.Thread(target=change)
    changing.start()
    endpoint = pages_of(api, tmp_path)
    changing.join()
    assert all(record["details"] == "New." for body in endpoint.bodies for record in json.loads(body.path.read_bytes())["docs"])
    assert endpoint.etag is None
