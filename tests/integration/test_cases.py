"""The failures this kind of job is known for, each tried on the real program and real services.

Names carry the case's id; their input files come from the folder that CASES_DATA names.
"""

import gzip
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.core.model import Response
from app.errors import SourceError
from app.sources.http import ATTEMPTS, HttpClient
from app.sources.spacex.api import SpacexSource
from tests.program import Program
from tests.sample_api import Fault, SampleApi
from tests.services import AwsEndpoint, Login, MysqlServer
from tests.services.certificates import make_certificates
from tests.services.proxy import Proxy, Trouble
from tests.services.server import HOST

LENIENT = {"MAX_REJECTED_RATIO": "1"}


@pytest.fixture
def case(cases_data: Path, api: SampleApi) -> "Case":
    return Case(cases_data, api)


class Case:
    """Serves a case's input file."""

    def __init__(self, folder: Path, api: SampleApi) -> None:
        self.folder = folder
        self.api = api

    def read(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_bytes())

    def serve(self, name: str) -> list[dict[str, Any]]:
        records = self.read(name)
        self.api.set("launches", records)
        return records


def rows(program: Program) -> dict[int, dict[str, Any]]:
    """The launches in MySQL by the last digit of their ids."""
    program.assert_equal()
    return {int(row["launch_id"][-1], 16): row for row in program.in_mysql("launches")}


def quarantined(program: Program) -> list[dict[str, Any]]:
    key = program.keys("quarantine/")[-1]
    return [json.loads(line) for line in gzip.decompress(program.object(key)).splitlines()]


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
        program.assert_equal(204)


def test_l02_long_text_is_never_cut(program: Program, case: Case) -> None:
    sent = case.serve("l02_long_text")
    program.run()
    found = rows(program)
    assert found[1]["name"] == sent[0]["name"]
    assert found[2]["details"] == sent[1]["details"]
    launches = [{**sent[0], "name": "x" * 513}, {**sent[1], "details": "x" * 1_000_001}, sent[2]]
    case.api.set("launches", launches)
    result = program.run(**LENIENT)
    assert (result["rejected"], result["retained"]) == (2, 2)
    assert rows(program) == found  # the last good rows stay


def test_l03_s05_three_states_of_success(program: Program, case: Case) -> None:
    case.serve("s05_null_success")
    program.run()
    found = rows(program)
    assert [found[i]["success"] for i in range(1, 6)] == [1, 0, None, None, 0]
    assert [found[i]["status"] for i in range(1, 6)] == ["success", "failure", "upcoming", "unknown", "failure"]
    failures = program.in_mysql("launch_failures")
    assert [(f["time_s"], f["altitude_km"], f["reason"]) for f in failures] == [(139, 40.0, "neutral reason"), (-120, None, None)]


def test_l04_p01_p02_nulls_stay_nulls_and_integers_integers(program: Program, case: Case, tmp_path: Path) -> None:
    sent = case.serve("p01_null_year")
    sent[1]["name"] = ""
    case.api.set("launches", sent)
    program.run()
    found = rows(program)
    assert [found[i]["window_s"] for i in range(1, 5)] == [s["window"] for s in sent]
    assert [found[i]["details"] for i in range(1, 5)] == [s["details"] for s in sent]
    assert [found[i]["static_fire_date_utc"] is None for i in range(1, 5)] == [s["static_fire_date_utc"] is None for s in sent]
    assert found[2]["name"] == ""
    schemas = set()
    for key in program.keys("launches/"):
        (tmp_path / "file").write_bytes(program.object(key))
        schemas.add(str(pq.read_schema(tmp_path / "file")))
        parquet = pq.ParquetFile(tmp_path / "file").schema
        kinds = {parquet.column(i).name: parquet.column(i) for i in range(len(parquet))}
        assert kinds["window_s"].physical_type == "INT64"
        time = json.loads(kinds["date_utc"].logical_type.to_json())
        assert (time["isAdjustedToUTC"], time["timeUnit"]) == (True, "microseconds")  # P06
    assert len(schemas) == 1


def test_l06_backslashes_quotes_and_sql_come_through_unaltered(program: Program, case: Case) -> None:
    sent = case.serve("l06_backslash_quotes")
    sent += [
        {**sent[0], "id": f"ab000000000000000000000{i}", "details": text} for i, text in ((8, "\\N"), (9, "a\tb\nc\rd\0e\x1a"))
    ]
    case.api.set("launches", sent)
    program.run()
    found = rows(program)
    assert [found[i]["details"] for i in range(1, 10)] == [s["details"] for s in sent]
    assert found[4]["name"] == "O'Sample; DROP TABLE x; --"


def test_l08_m05_any_character_set_and_time_zone_of_server_and_client(
    tmp_path: Path, aws: AwsEndpoint, settings_env: dict[str, str], case: Case
) -> None:
    sent = case.serve("l08_four_byte")
    moments = ["2021-03-14T02:30:00.000Z", "2040-01-01T00:00:00.000Z"]
    sent += [{**sent[0], "id": f"ab000000000000000000000{i}", "date_utc": moment} for i, moment in enumerate(moments, 5)]
    case.api.set("launches", sent)
    with MysqlServer(tmp_path / "mysql", "--default-time-zone=-05:00", "--character-set-server=latin1") as server:
        environment = {**settings_env, **server.login.environment(), "SOURCE_URL": case.api.url, "TZ": "America/New_York"}
        program = Program({**environment, "PATH": "/usr/bin:/bin"}, aws, server.login)
        program.run()
        found = rows(program)
        assert [(found[i]["name"], found[i]["details"]) for i in range(1, 5)] == [(s["name"], s["details"]) for s in sent[:4]]
        stored = [found[i]["date_utc"].isoformat(timespec="milliseconds").replace("+00:00", "Z") for i in (5, 6)]
        assert stored == moments


def test_l11_an_empty_answer_is_refused_and_everything_stays(program: Program, api: SampleApi) -> None:
    program.run()
    before = program.versions("launches/")
    api.set("launches", [])
    failed = program("run", code=4)
    assert "0 launches received" in failed.lines[-1]["message"]
    program("run", "--accept-shrink", code=4)
    assert program.versions("launches/") == before
    program.assert_equal(205)


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


def test_l14_p08_the_same_input_twice_counts_once(program: Program, case: Case) -> None:
    sent = case.serve("l06_backslash_quotes")
    assert program.run()["merged"]["launches"] == {"inserted": 7, "updated": 0, "deleted": 0}
    assert program.run()["merged"] == {}
    sent[3]["details"] = "changed"
    case.api.set("launches", sent)
    result = program.run()
    assert result["merged"]["launches"] == {"inserted": 0, "updated": 1, "deleted": 0}
    assert result["rows"]["launches"] == 7
    assert len(rows(program)) == 7


def test_l15_the_last_of_two_records_with_one_id_counts(program: Program, case: Case) -> None:
    case.serve("l15_same_id_twice")
    result = program.run()
    found = rows(program)
    assert len(found) == 2
    assert found[1]["details"] == "newer copy"
    assert any("came twice" in warning for warning in result["warnings"])


def test_b01_a_launch_that_moves_or_vanishes_is_nowhere_twice(program: Program, case: Case) -> None:
    case.serve("b01_run1")
    program.run()
    case.serve("b01_run2")
    program.run()
    found = rows(program)
    assert {i: row["launch_year"] for i, row in found.items()} == {1: 2020, 2: 2021, 4: 2020}
    assert found[1]["details"] == "Corrected text."
    case.api.set("launches", [r for r in case.read("b01_run2") if r["date_utc"].startswith("2020")])
    program.run()
    assert program.keys("launches/") == ["launches/year=2020/launches.parquet"]  # no stale file of a year left empty
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
    program.assert_equal(205)


def test_m01_a_load_that_fails_midway_leaves_the_table_as_it_was(program: Program, case: Case, mysql: Login) -> None:
    case.serve("b01_run1")
    program.run()
    before = program.in_mysql("launches")
    admin = replace(mysql, database=program.login.database)  # with a binary log only an administrator may make triggers
    admin.query("CREATE TRIGGER stop BEFORE UPDATE ON launch_cores FOR EACH ROW SIGNAL SQLSTATE '45000'")
    case.serve("b01_run2")
    program.run(code=6)
    assert program.in_mysql("launches") == before
    admin.query("DROP TRIGGER stop")
    program.run()
    assert set(rows(program)) == {1, 2, 4}


def test_m03_drift_of_the_tables_has_stated_outcomes(program: Program, case: Case) -> None:
    case.serve("b01_run1")
    program.run()
    program.login.query("ALTER TABLE launches DROP COLUMN details, MODIFY name VARCHAR(40), MODIFY flight_number INT")
    program.login.query("ALTER TABLE launches ADD COLUMN remark TEXT NULL")
    case.serve("b01_run2")
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
    assert "it is not this pipeline's" in failed.lines[-1]["message"]
    assert program.login.query("SELECT * FROM launches") == ((1,),)


def test_p03_numbers_in_words_are_set_aside_with_field_value_and_reason(program: Program, case: Case) -> None:
    case.serve("p03_mixed_types")
    refused = program.run(code=4)  # over half of the records: the gate's limit must be raised knowingly
    assert "4 of 7 launches were rejected" in refused["error"]
    result = program.run(**LENIENT)
    assert {i: row["window_s"] for i, row in rows(program).items()} == {1: 0, 3: 7200, 4: None}
    assert result["rejected"] == 4
    assert {(r["id"][-1], r["path"], r["value"]) for r in quarantined(program)} == {
        ("2", "window", "7200"),
        ("5", "window", "~2 h"),
        ("6", "flight_number", "6"),
        ("7", "flight_number", "7.5"),
    }


def test_p03_a_payload_that_does_not_fit_sets_its_launch_aside(program: Program, case: Case) -> None:
    case.serve("l06_backslash_quotes")
    case.api.set("payloads", case.read("p03_payloads_mixed_mass"))
    program.run(**LENIENT)
    masses = {int(r["launch_id"][-1]): r["mass_kg"] for r in program.in_mysql("launch_payloads")}
    assert masses == {1: 5300.0, 4: None, 5: 0.0, 6: 4990.5}
    paths = {(r["endpoint"], r["path"], r["value"]) for r in quarantined(program) if r["endpoint"] == "launches"}
    assert ("launches", "payloads[0] -> payloads[1].mass_kg", "~9600") in paths
    assert len(paths) == 3
    program.assert_equal(4)


def test_p05_s07_local_time_is_kept_as_text_and_years_are_utc(program: Program, case: Case) -> None:
    sent = case.serve("p05_local_offsets")
    program.run()
    found = rows(program)
    assert [found[i]["date_local"] for i in range(1, 5)] == [s["date_local"] for s in sent]
    case.serve("s07_year_boundary")
    program.run()
    assert [row["launch_year"] for _, row in sorted(rows(program).items())] == [2019, 2018, 2019]
    assert program.keys("launches/") == [f"launches/year={year}/launches.parquet" for year in (2018, 2019)]


def test_p11_s01_s02_null_objects_precisions_and_numbers(program: Program, case: Case) -> None:
    case.serve("p11_null_objects")
    program.run()
    found = rows(program)
    assert len(found) == 5
    assert [found[1]["has_fairings"], found[1]["fairings_reused"], found[2]["has_fairings"]] == [0, None, 1]
    case.serve("s01_date_precision")
    program.run("--accept-shrink")  # these launches have no boosters
    words = ["year", "half", "quarter", "month", "day", "hour"]
    assert [row["date_precision"] for _, row in sorted(rows(program).items())] == words
    odd = case.read("s01_date_precision")
    odd[0]["date_precision"] = "decade"
    case.api.set("launches", odd)
    assert any("'decade'" in warning for warning in program.run()["warnings"])
    assert rows(program)[1]["date_precision"] is None
    case.serve("s02_flight_numbers")
    program.run()
    assert sorted(row["flight_number"] for row in rows(program).values()) == [0, 95, 95, 99, 99]


def test_s03_fields_that_come_and_go(program: Program, case: Case) -> None:
    case.serve("s03_extra_missing_fields")
    result = program.run(**LENIENT)
    found = rows(program)
    assert sorted(found) == [1, 2, 3, 4]
    assert {row["tbd"] for row in found.values()} == {0}
    assert (found[3]["window_s"], found[3]["core_count"], found[3]["has_fairings"]) == (None, None, None)
    assert [w for w in result["warnings"] if "new_scalar" in w] == [
        "fields that the contract does not know: new_object, new_scalar"
    ]
    assert [(r["index"], r["id"], r["path"]) for r in quarantined(program)] == [(4, None, "id")]


def test_a_rejected_launch_keeps_its_last_good_rows_until_it_is_well_again(program: Program, case: Case) -> None:
    sent = case.serve("b01_run1")
    program.run()
    before = rows(program), program.in_mysql("launch_cores")
    broken = [{**sent[0], "success": "yes"}, *sent[1:]]
    case.api.set("launches", broken)
    result = program.run(**LENIENT)
    assert (result["rejected"], result["retained"]) == (1, 1)
    assert (rows(program), program.in_mysql("launch_cores")) == before
    program.login.query("UPDATE launches SET name = 'altered' WHERE launch_id LIKE '%1'")
    case.api.set("launches", [{**broken[0], "details": 7}, *sent[1:]])
    program.run(**LENIENT)  # altered in MySQL: the lake has the last good rows
    assert (rows(program), program.in_mysql("launch_cores")) == before
    # While a record has no readable id, it may be any of those that are absent: nothing is deleted.
    nameless = [{**sent[0], "id": 5}, *sent[1:3]]
    case.api.set("launches", nameless)
    assert program.run(**LENIENT)["retained"] == 2
    assert (rows(program), program.in_mysql("launch_cores")) == before
    case.api.set("launches", sent[1:])
    program.run()
    assert set(rows(program)) == {2, 3, 4}


def test_look_ups_that_resolve_much_worse_than_before_are_refused(program: Program, api: SampleApi) -> None:
    program.run()
    api.set("rockets", [])
    failed = program("run", code=4)
    assert "rockets resolves 0 of 205 references, before 205 of 205" in failed.lines[-1]["message"]
    program.assert_equal(205)


def test_a_sharp_fall_is_refused_unless_accepted(program: Program, api: SampleApi) -> None:
    program.run()
    launches = json.loads(bytes(api.body("v5/launches")))
    api.set("launches", launches[:180])
    failed = program("run", code=4)
    assert "launches would shrink from 205 to 180 rows" in failed.lines[-1]["message"]
    program.assert_equal(205)
    program.run("--accept-shrink")
    program.assert_equal(180)


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
        assert program.run()["rows"]["launches"] == 205
    program.assert_equal(205)


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


def pages_of(api: SampleApi, spool: Path) -> Response:
    """The launches as the source reads them page by page."""
    source = SpacexSource(HttpClient(), api.url, "v5", list_limit_bytes=10)
    return next(iter(source.extract({}, spool)))


@pytest.mark.parametrize(
    "names", [["missing_p1", "missing_p2"], ["double_p1", "double_p2", "double_p3"]], ids=["missing", "double"]
)
def test_h08_pages_that_shift_are_read_again_or_refused(case: Case, tmp_path: Path, names: list[str]) -> None:
    pages = tuple(case.read(f"h08_shift_{name}") for name in names)
    case.api.fault("launches/query", Fault(pages=pages))
    with pytest.raises(SourceError, match="read 3 times"):
        pages_of(case.api, tmp_path)
    case.api.fault("launches/query", Fault(pages=pages, first=len(pages)))
    endpoint = pages_of(case.api, tmp_path)
    assert sum(len(json.loads(body.path.read_bytes())["docs"]) for body in endpoint.bodies) == 205


def test_a_stuck_page_and_a_wrong_total_are_refused(api: SampleApi, tmp_path: Path) -> None:
    api.fault("launches/query", Fault(totals=(206,)))
    with pytest.raises(SourceError, match="205 records came where the API states 206"):
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
