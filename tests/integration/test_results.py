"""What `--json` prints has the form that docs/schemas promises, and options are honoured or refused."""

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.program import Program
from tests.sample_api import Fault, SampleApi
from tests.services.proxy import Proxy

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
FORMATS = FormatChecker([])


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or (datetime.fromisoformat(value).tzinfo is not None and value[10] == "T")


def result(program: Program, *arguments: str, code: int = 0, **settings: str) -> Any:
    """What a command prints with --json, once it was held to its schema: nothing is missing, and nothing is there beside it."""
    found = json.loads(program(*arguments, "--json", code=code, **settings).stdout)
    schema = _closed(json.loads((SCHEMAS / f"{arguments[0]}.json").read_text()))
    Draft202012Validator(schema, format_checker=FORMATS).validate(found)
    return found


def _closed(part: Any) -> Any:
    """A schema that takes no other properties than those that it names."""
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {name: _closed(each) for name, each in part.items()} | (
        {"additionalProperties": False} if "properties" in part else {}
    )


def test_every_command_prints_what_its_schema_says(small: Program, small_api: SampleApi, tmp_path: Path) -> None:
    assert result(small, "runs") == []
    first = result(small, "run")
    assert first["exit_code"] == 0
    launches = json.loads(small_api.body("launches"))
    news = [launches[0] | {"name": "New"}, launches[1] | {"date_utc": "some day"}, *launches[2:]]
    small_api.set("launches", news)
    plan = result(small, "plan")["plan"]
    assert (plan["rows"]["launches"]["change"], len(plan["changes"]), len(plan["quarantine"])) == (1, 1, 1)
    assert result(small, "replay", first["run_id"])["replayed"][0]["replayed_run_id"] == first["run_id"]
    assert result(small, "replay", "latest")["replayed"]
    assert len(result(small, "runs")) == 3
    assert [run["run_id"] for run in result(small, "runs", "show", first["run_id"])] == [first["run_id"]]
    assert [one["run_id"] for one in result(small, "snapshot")] == [first["run_id"]]
    assert result(small, "snapshot", "show", "latest")["files"]
    assert result(small, "snapshot", "urls", "latest")
    assert result(small, "maintain") == {"iceberg": {}}
    assert all(check["passed"] for check in result(small, "doctor"))
    assert result(small, "report", "--out", str(tmp_path / "report.html"))["file"] == str(tmp_path / "report.html")
    small_api.set("launches", launches)


def test_every_command_that_fails_prints_what_its_schema_says(small: Program, small_api: SampleApi) -> None:
    small_api.fault("launches", Fault(body="html"))
    assert "extract" in result(small, "run", code=3)["stage_seconds"]
    small_api.fault("launches", None)
    nowhere = {"MYSQL_PORT": "9"}
    for command in ("plan", "verify", "replay", "runs", "report"):
        arguments = [command, "latest"] if command == "replay" else [command]
        failed = result(small, *arguments, code=6, **nowhere)
        assert (failed["exit_code"], failed["state"], failed["command"]) == (6, "failed", command)
    assert [check["exit_code"] for check in result(small, "doctor", code=6, **nowhere) if not check["passed"]] == [6, 6]
    as_admin = {"MYSQL_ADMIN_USER": "root", "MYSQL_ADMIN_PASSWORD": "secret"}
    assert result(small, "init-db", code=6, **nowhere, **as_admin)["state"] == "failed"


def test_verify_says_of_each_store_what_it_holds_otherwise(small: Program) -> None:
    """Values, whole rows, hashes and years, in either store."""
    small.run()
    good = small.in_mysql("launches")
    first, second, third, fourth = [row["launch_id"] for row in good if row["launch_year"] > 2012][:4]
    change = small.login.query
    change("UPDATE launches SET name = 'Wrong' WHERE launch_id = %s", first)
    change("UPDATE launches SET row_hash = REVERSE(row_hash) WHERE launch_id = %s", second)
    change("UPDATE launches SET launch_year = 2030 WHERE launch_id = %s", third)
    change("DELETE FROM launches WHERE launch_id = %s", fourth)
    change("INSERT INTO launch_crew (launch_id, position, launch_year, row_hash) VALUES ('nobody', 0, 1999, 'x')")
    s3 = small.aws.client("s3")
    s3.put_object(Bucket=small.bucket, Key="launches/year=2006/launches.parquet", Body=b"no table")
    s3.delete_object(Bucket=small.bucket, Key="launch_payloads/year=2008/launch_payloads.parquet")
    key = "launch_cores/year=2010/launch_cores.parquet"
    rows = pq.ParquetFile(io.BytesIO(small.object(key))).read()
    other = io.BytesIO()
    column = rows.schema.get_field_index("core_serial")
    pq.write_table(rows.set_column(column, rows.schema.field(column), pa.array(["Wrong"] * rows.num_rows)), other)
    s3.put_object(Bucket=small.bucket, Key=key, Body=other.getvalue())
    found = result(small, "verify", code=8)["differences"]
    by_launch = {one["key"][0]: one for one in found if one["key"]}
    names = {row["launch_id"]: row for row in good}
    told = ("column", "published", "in_mysql", "difference")
    assert [by_launch[first].get(name) for name in told] == ["name", names[first]["name"], "Wrong", None]
    hashed = names[second]["row_hash"]
    assert [by_launch[second].get(name) for name in told] == ["row_hash", hashed, hashed[::-1], None]
    assert [by_launch[third].get(name) for name in told] == ["launch_year", str(names[third]["launch_year"]), "2030", None]
    assert by_launch[fourth]["difference"] == "missing in MySQL"
    assert by_launch["nobody"]["difference"] == "only in MySQL"
    assert [one["year"] for one in found if one.get("difference") == "the object in S3 can't be read"] == [2006]
    assert {(one["table"], one["year"]) for one in found if one.get("difference") == "missing in S3"} == {
        ("launch_payloads", 2008)
    }
    in_s3 = [one for one in found if one.get("in_s3") == "Wrong"]
    assert len(in_s3) == rows.num_rows
    assert {(one["table"], one["column"]) for one in in_s3} == {("launch_cores", "core_serial")}
    assert len(found) == 5 + 1 + len(in_s3) + sum(one.get("difference") == "missing in S3" for one in found)
    lines = [line for line in small("verify", code=8).lines if line["message"] == "not as published"]
    assert [{name: line.get(name) for name in found[0]} for line in lines[:1]] == [found[0]]
    assert len(lines) == 10
    healed = result(small, "verify", "--heal")
    assert (healed["state"], healed["merged"]["launches"]) == ("healed", {"inserted": 1, "updated": 3, "deleted": 0})
    assert (healed["merged"]["launch_crew"]["deleted"], healed["files_written"]) == (1, 3)
    assert healed["differences"] == found
    assert small.in_mysql("launches") == good


def test_calls_that_took_several_attempts_leave_a_line_each_with_their_number(small: Program, small_api: SampleApi) -> None:
    body = b"<Error><Code>SlowDown</Code><Message>x</Message></Error>"
    busy = b"HTTP/1.1 503 Slow Down\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
    small.run()
    small_api.fault("rockets", Fault(status=503, first=1))
    with Proxy("127.0.0.1", int(small.aws.url.rpartition(":")[2])) as proxy:
        proxy.answer(b"^GET /[^/]+/manifests/latest", busy, times=2)
        warnings = small.run(AWS_ENDPOINT_URL=proxy.url)["warnings"]
    small_api.fault("rockets", None)
    told = [warning.split(": answered at ") for warning in warnings if "attempt" in warning]
    where = f"GetObject on s3://{small.bucket}/manifests/latest.json"
    assert told == [
        [where, "attempt 3"],
        [f"{small_api.url}/v4/rockets", "attempt 2; before it: HTTP 503 Service Unavailable"],
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "--limit", "1", "show", "latest"), "--limit is for the list"),
        (("runs", "--json", "--limit", "20", "show", "latest"), "--limit is for the list"),
        (("replay", "--from", "2026-02-02", "--to", "2026-02-01"), "--from 2026-02-02 is after --to 2026-02-01"),
    ],
)
def test_an_option_that_would_be_ignored_is_a_usage_error(small: Program, arguments: tuple[str, ...], said: str) -> None:
    assert said in small(*arguments, code=2).stderr


def test_json_before_show_counts_too(small: Program) -> None:
    small.run()
    (run,) = json.loads(small("runs", "--json", "show", "latest").stdout)
    assert run["state"] in ("published", "unchanged")


def test_rows_that_are_asked_for_are_in_the_log_lines(small: Program) -> None:
    frames = [line for line in small("run", "--rows", "2").lines if line["message"].startswith("frame ")]
    newest = sorted(small.in_mysql("launches"), key=lambda row: row["date_utc"], reverse=True)[:2]
    assert [row["launch_id"] for row in frames[0]["rows"]] == [row["launch_id"] for row in newest]
    assert not [line for line in small("run").lines if "rows" in line and line["message"].startswith("frame ")]
