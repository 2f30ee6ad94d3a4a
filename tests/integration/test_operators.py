"""The commands of the person who runs it: doctor, plan, verify --heal, replay, runs."""

import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.program import Ended, Program
from tests.sample_api import Fault, SampleApi
from tests.services import Login, create_database
from tests.services.proxy import Proxy, Trouble


def records(api: SampleApi) -> list[dict[str, Any]]:
    return list(json.loads(api.body("v5/launches")))


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_doctor_passes_where_all_is_well_and_leaves_nothing(program: Program) -> None:
    group = f"/test/{program.bucket}"
    program.aws.create_log_group(group)
    checks = json.loads(program("doctor", "--json", LOG_GROUP=group).stdout)
    assert [check["name"] for check in checks if not check["passed"]] == []
    assert any("40 launches" in check["found"] and "2022-10-05" in check["found"] for check in checks)
    assert program.versions() == set()
    assert program.login.query("SHOW TABLES") == ()
    assert program.aws.client("logs").describe_log_streams(logGroupName=group)["logStreams"] == []


@pytest.mark.parametrize(
    ("setting", "value", "check", "code"),
    [
        ("SOURCE_URL", "http://127.0.0.1:9", "source", 3),
        ("S3_BUCKET", "nobody-made-this-one", "S3", 5),
        ("MYSQL_PASSWORD", "wrong-password", "MySQL", 6),
        ("LOG_GROUP", "/nobody/made/it", "CloudWatch", 1),
    ],
)
def test_doctor_names_what_is_wrong_and_goes_on(program: Program, setting: str, value: str, check: str, code: int) -> None:
    ended = program("doctor", "--json", code=code, **{setting: value})
    failed = [found for found in json.loads(ended.stdout) if not found["passed"]]
    assert {found["name"].split()[0] for found in failed} == {check}
    assert all(found["hint"] for found in failed if check != "S3")
    assert "wrong-password" not in ended.stdout + ended.stderr


def test_doctor_sees_rights_that_are_missing(program: Program, mysql: Login) -> None:
    admin = replace(mysql, database=program.login.database)
    for (host,) in admin.query("SELECT host FROM mysql.user WHERE user = %s", program.login.user):
        admin.query(f"REVOKE CREATE TEMPORARY TABLES, ALTER ON `{program.login.database}`.* FROM %s@%s", program.login.user, host)
    checks = json.loads(program("doctor", "--json", code=6).stdout)
    failed = {check["name"]: check["found"] for check in checks if not check["passed"]}
    assert failed.keys() == {"MySQL rights", "MySQL local_infile"}
    assert failed["MySQL rights"] == "missing: ALTER, CREATE TEMPORARY TABLES"


def test_doctor_sees_a_bucket_without_versions(program: Program) -> None:
    s3 = program.aws.client("s3")
    s3.put_bucket_versioning(Bucket=program.bucket, VersioningConfiguration={"Status": "Suspended"})
    checks = json.loads(program("doctor", "--json", code=5).stdout)
    assert [check["name"] for check in checks if not check["passed"]] == ["S3 versioning"]


# --- plan -------------------------------------------------------------------------------------------------------------


def test_plan_shows_rows_and_columns_that_would_change(program: Program, api: SampleApi) -> None:
    program.run()
    before = program.versions()
    changed = records(api)
    gone = changed.pop(7)
    changed[3]["name"] = "Renamed"
    changed[4]["date_utc"] = "nonsense"
    api.set("launches", [*changed, {"id": "new", "date_utc": "2031-01-01T00:00:00Z"}])
    plan = program("plan", "--json").result["plan"]
    assert plan["rows"]["launches"] == {"add": 1, "change": 1, "remove": 1}
    assert plan["rows"]["launch_payloads"]["remove"] == len(gone["payloads"])
    assert {"table": "launches", "key": [changed[3]["id"]], "column": "name"} == {
        key: value for change in plan["changes"] for key, value in change.items() if key in ("table", "key", "column")
    }
    assert [change["new"] for change in plan["changes"]] == ["Renamed"]
    assert [(reject["id"], reject["path"]) for reject in plan["quarantine"]] == [(changed[4]["id"], "date_utc")]
    assert (plan["refused"], plan["ddl"]) == ([], [])
    assert program.versions() == before
    program.run()
    assert program("plan", "--json").result["plan"]["put"] == []


def test_plan_says_what_the_gate_would_refuse_and_still_shows_all(program: Program, api: SampleApi) -> None:
    program.run()
    api.set("launches", records(api)[:25])
    result = program("plan", "--json", code=4).result
    assert "launches would shrink from 40 to 25 rows" in result["plan"]["refused"][0]
    assert result["plan"]["rows"]["launches"] == {"add": 0, "change": 0, "remove": 15}
    program.assert_equal(40)


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify_names_the_rows_and_heals_them_from_the_archive(program: Program, api: SampleApi) -> None:
    program.run()
    good = program.all_in_mysql()
    launch = next(row for row in good["launches"] if row["launch_year"] == 2012)
    program.login.query("UPDATE launches SET name = 'altered' WHERE launch_id = %s", launch["launch_id"])
    program.login.query("DELETE FROM launch_payloads WHERE launch_year = 2013 LIMIT 1")
    api.set("launches", [])  # the source is no help
    found = program("verify", "--json", code=8).result["differences"]
    assert {
        "table": "launches",
        "year": 2012,
        "key": [launch["launch_id"]],
        "column": "name",
        "published": launch["name"],
        "in_mysql": "altered",
    } in found
    assert [one["difference"] for one in found if one["table"] == "launch_payloads"] == ["missing in MySQL"]
    s3 = program.aws.client("s3")
    s3.put_object(Bucket=program.bucket, Key="launches/year=2018/launches.parquet", Body=b"something else")
    healed = program("verify", "--heal", "--json").result
    assert (healed["state"], healed["stores_equal"]) == ("healed", True)
    assert program.all_in_mysql() == good
    program.assert_equal(40)


def test_heal_does_not_undo_a_run_that_was_cut_after_its_commit(program: Program, api: SampleApi) -> None:
    """The next run completes that one; to go back would write the same news twice."""
    program.run()
    changed = records(api)
    changed[3]["name"] = "Renamed"
    api.set("launches", changed)
    published = program.object("manifests/latest.json")
    cut = program.run()
    program.aws.client("s3").put_object(Bucket=program.bucket, Key="manifests/latest.json", Body=published)
    program.login.query("UPDATE pipeline_runs SET state = 'merged' WHERE run_id = %s", cut["run_id"])
    refused = program("verify", "--heal", "--json", code=8).result
    assert f"run {cut['run_id']} committed and ended before it published (a run completes it)" in refused["error"]
    program.run()
    assert [row["new_value"] for row in program.in_mysql("launch_changes")] == ["Renamed"]
    program.assert_equal(40)


def test_heal_and_replay_with_another_source_s_settings_are_refused(program: Program) -> None:
    run = program.run()
    program.login.query("DELETE FROM launches WHERE launch_year = 2013")
    other = {"SOURCE": "launch_library"}
    assert "of source spacex" in program("verify", "--heal", "--json", code=2, **other).result["error"]
    assert "of source spacex" in program("replay", run["run_id"], "--json", code=5, **other).result["error"]
    assert program("verify", "--heal", "--json").result["state"] == "healed"


# --- replay -----------------------------------------------------------------------------------------------------------


def test_replay_goes_back_and_the_next_run_forward(program: Program, api: SampleApi) -> None:
    first = program.run()
    then = program.in_mysql("launches")
    changed = records(api)
    changed_name, changed[3]["name"] = changed[3]["name"], "Renamed"
    api.set("launches", changed)
    program.run()
    now = program.in_mysql("launches")
    result = program("replay", first["run_id"], "--json").result
    assert [run["replayed_run_id"] for run in result["replayed"]] == [first["run_id"]]
    assert program.in_mysql("launches") == then
    program.assert_equal(40)
    program.run()
    assert program.in_mysql("launches") == now
    program.assert_equal(40)
    # The tables went back and forth, and that is told in the order in which it happened.
    told = sorted(program.in_mysql("launch_changes"), key=lambda row: row["changed_at"])
    assert [row["new_value"] for row in told] == ["Renamed", changed_name, "Renamed"]


def test_a_replay_tries_again_what_was_rejected_though_nothing_else_has_changed(program: Program, api: SampleApi) -> None:
    sent = records(api)
    sent[3] |= {"flight_number": "three", "details": "News"}
    api.set("launches", sent)
    program.run()
    ended = program("replay", "latest")
    assert {"validate", "quarantine"} <= {line.get("stage") for line in ended.lines}
    assert ended.lines[-1]["rejected"] == 1
    assert program.run()["state"] == "unchanged"


def test_replay_of_a_range_elsewhere_repeats_history_in_order(program: Program, api: SampleApi, mysql: Login) -> None:
    for number in range(3):
        changed = records(api)
        changed[3]["name"] = f"Name {number}"
        api.set("launches", changed)
        program.run()
    facts = ("launch_id", "changed_at", "column_name", "old_value", "new_value")
    kept = [tuple(row[name] for name in facts) for row in program.in_mysql("launch_changes")]
    versions = program.versions()
    elsewhere = f"{program.login.database}b"
    there = create_database(mysql, elsewhere, program.login.user, program.login.password)
    day = first_day(program)
    arguments = ["--from", day, "--to", "2999-01-01", "--to-prefix", "again", "--to-database", elsewhere]
    result = program("replay", *arguments, "--json").result
    assert len(result["replayed"]) == 3
    other = Program({**program.environment, "S3_PREFIX": "again", "MYSQL_DATABASE": elsewhere}, program.aws, there)
    again = [tuple(row[name] for name in facts) for row in other.in_mysql("launch_changes")]  # as if each had run then
    assert sorted(again) == sorted(kept)
    assert {v for v in program.versions() if not v[0].startswith("again/")} == versions
    assert other("verify", "--json").result["state"] == "verified"
    assert other.run()["state"] == "unchanged"
    mysql.query(f"DROP DATABASE `{elsewhere}`")


def first_day(program: Program) -> str:
    return str(program.login.query("SELECT DATE(MIN(started_at)) FROM pipeline_runs")[0][0])


def test_replay_of_a_run_that_the_gate_refused(program: Program, api: SampleApi) -> None:
    program.run()
    whole = records(api)
    api.set("launches", whole[:30])
    refused = program.run(code=4)
    assert refused["rows"]["launches"] == 40  # those that are there
    assert "from 40 to 30 rows" in program("replay", refused["run_id"], "--json", code=4).result["error"]
    program("replay", refused["run_id"], "--json", "--accept-shrink")
    program.assert_equal(30)


def test_replay_of_a_run_that_was_killed_while_it_archived_is_refused(program: Program, api: SampleApi) -> None:
    program.run()
    api.set("launches", [])
    refused = program.run(code=4)
    program.login.query("UPDATE pipeline_runs SET stage_seconds = NULL WHERE run_id = %s", refused["run_id"])
    api.set("launches", records(api))
    error = program("replay", refused["run_id"], "--json", code=5).result["error"]
    assert "ended before it had archived all" in error


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("20200101T000000Z-00000000", "--from", "2020-01-01"), 2),
        (("20200101T000000Z-00000000", "--to-prefix", "x"), 2),
        (("20200101T000000Z-00000000",), 5),
        (("--from", "2020-01-01", "--to", "2020-01-02"), 5),
        (("nonsense/../..",), 5),
        (("20200101T000000Z-00000000", "--to-prefix", "", "--to-database", "another"), 2),
    ],
)
def test_replay_of_what_is_not_there_says_so(program: Program, arguments: tuple[str, ...], code: int) -> None:
    program("replay", *arguments, code=code)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_runs_lists_what_happened_newest_first(program: Program, api: SampleApi) -> None:
    assert json.loads(program("runs", "--json").stdout) == []
    first = program.run()
    program.run()
    api.set("launches", [])
    program.run(code=4)
    listed = json.loads(program("runs", "--json").stdout)
    assert [run["state"] for run in listed] == ["failed", "unchanged", "published"]
    assert listed[2]["rows_by_table"]["launches"] == {"total": 40, "inserted": 40, "updated": 0, "deleted": 0}
    assert [run["state"] for run in json.loads(program("runs", "--json", "--limit", "1").stdout)] == ["failed"]
    shown = json.loads(program("runs", "show", first["run_id"], "--json").stdout)
    assert shown == [listed[2]]
    assert "merge" in shown[0]["stage_seconds"]
    program("runs", "show", "nobody", code=2)


# --- what a run says of itself ------------------------------------------------------------------------------------------


def test_a_server_that_alters_values_is_found_and_told_as_a_metric(program: Program, mysql: Login) -> None:
    """The stores are proven by values: what MySQL holds is not what was sent, and the merge is rolled back."""
    program.run()
    before = program.in_mysql("launches")
    admin = replace(mysql, database=program.login.database)
    admin.query("CREATE TRIGGER alters BEFORE INSERT ON launches FOR EACH ROW SET NEW.details = 'altered'")
    program.login.query("DELETE FROM launches WHERE launch_year = 2012")
    ended = program("run", code=8)
    assert metrics(ended)["StoresEqual"] == metrics(ended)["Success"] == 0
    assert "launches 2012" in ended.lines[-1]["message"]
    assert program.in_mysql("launches") == [row for row in before if row["launch_year"] != 2012]
    admin.query("DROP TRIGGER alters")
    assert metrics(program("run"))["StoresEqual"] == 1
    assert program.in_mysql("launches") == before
    program.assert_equal(40)


def test_a_bucket_that_alters_values_is_found_by_the_values(program: Program) -> None:
    """What is read back has another name in one row, and beside it the hash that was sent: the merge is rolled back."""
    program.run()
    key = "launches/year=2006/launches.parquet"
    rows = pq.ParquetFile(io.BytesIO(program.object(key))).read()
    column = rows.schema.get_field_index("name")
    altered = io.BytesIO()
    pq.write_table(rows.set_column(column, rows.schema.field(column), pa.array(["Altered"] * rows.num_rows)), altered)
    program.aws.client("s3").delete_object(Bucket=program.bucket, Key=key)
    program.login.query("DELETE FROM launches WHERE launch_year = 2006")
    with Proxy("127.0.0.1", int(program.aws.url.rpartition(":")[2])) as proxy:
        proxy.fail(Trouble(b"^GET /[^/]+/launches/year[^/]+2006/", answer=s3_answer(altered.getvalue())))
        ended = program("run", code=8, AWS_ENDPOINT_URL=proxy.url)
    assert "S3 launches 2006" in ended.lines[-1]["message"]
    assert len(program.in_mysql("launches")) == 39
    program.run()
    program.assert_equal(40)


def test_an_archive_that_gives_back_something_else_is_never_used(program: Program, api: SampleApi) -> None:
    program.run()
    before = program.versions("launches/")
    api.set("rockets", [record | {"name": "New"} for record in json.loads(api.body("rockets"))])
    other = gzip.compress(json.dumps(records(api)[1:]).encode())
    with Proxy("127.0.0.1", int(program.aws.url.rpartition(":")[2])) as proxy:
        proxy.answer(b"^GET /[^/]+/raw/[^ ]*launches-1", s3_answer(other), times=1)
        warnings = program.run(AWS_ENDPOINT_URL=proxy.url)["warnings"]
    assert any("launches-1.json.gz" in warning and "fetched again" in warning for warning in warnings)
    assert {row["rocket_name"] for row in program.in_mysql("launches")} == {"New"}
    assert program.versions("launches/") > before
    program.assert_equal(40)


def s3_answer(body: bytes) -> bytes:
    """What S3 answers to a GET, as far as a client looks."""
    head = f'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n'
    return head.encode() + body


def test_only_a_run_is_a_success(program: Program) -> None:
    """The alarm that waits for one must not be quieted by anything else."""
    ended = program("run")
    assert metrics(ended)["Success"] == 1
    for command in (("verify",), ("replay", ended.lines[-1]["run_id"])):
        assert "Success" not in metrics(program(*command))


def test_only_a_verification_is_verified(program: Program) -> None:
    """The alarm that waits for one must not be quieted by anything else, nor by one that failed."""
    assert "Verified" not in metrics(program("run"))
    assert metrics(program("verify"))["Verified"] == 1
    program.aws.client("s3").delete_object(Bucket=program.bucket, Key=program.keys("launches/")[0])
    assert metrics(program("verify", code=8))["Verified"] == 0
    assert metrics(program("verify", "--heal"))["Verified"] == 1


def test_the_cost_table_counts_what_a_run_and_a_verification_send(program: Program, api: SampleApi) -> None:
    """Each name is a metric that is paid for."""
    launches = records(api)
    launches[-1]["date_utc"] = "some day"  # set aside
    api.set("launches", launches)
    sent: set[str] = set()
    for command in ("run", "run", "verify"):
        (directive,) = metrics(program(command))["_aws"]["CloudWatchMetrics"]
        sent |= {metric["Name"] for metric in directive["Metrics"]}
    counted = re.findall(r"(\d+) metrics", (Path(__file__).parents[2] / "docs/deploy.md").read_text())
    assert {int(n) for n in counted} == {len(sent), 10}, sorted(sent)  # ten of them are free


def test_a_verification_waits_for_a_run_to_end(program: Program, api: SampleApi) -> None:
    program.run()
    api.fault("launches", Fault(hang_s=3, first=1))
    api.requests.clear()
    slow = program.start("run")
    while not api.requests:
        assert slow.poll() is None
    program("verify")
    slow.communicate()
    assert slow.returncode == 0


def metrics(ended: Ended) -> dict[str, Any]:
    """The line of metrics."""
    (line,) = [found for text in ended.stdout.splitlines() if "_aws" in (found := json.loads(text))]
    return dict(line)
