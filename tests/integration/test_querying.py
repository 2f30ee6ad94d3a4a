"""docs/querying.md: its examples run from the first run on, and several systems that are asked the same answer the same."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from app.core.schema import TABLES
from app.core.views import VIEWS
from tests.program import QUICK, Program
from tests.sample_api import SampleApi
from tests.sample_api.records import FEW, few, lookups
from tests.services import AwsEndpoint, Login, create_database, drop_database

PAGE = Path(__file__).parents[2] / "docs/querying.md"
PREFIX = "lake"
CATALOG = PAGE.parents[1] / "infra/terraform/tables.json"
SAVED = json.loads(CATALOG.read_text())["queries"]
HIVE = {"bool": "boolean", "int64": "bigint", "timestamp[us, tz=UTC]": "timestamp"}
WINDOWS = {  # of 2031-12-31T23:59:59.999999, the last of its half, quarter, year, month and day, and a Wednesday
    "half": ("2031-07-01 00:00:00", "2032-01-01 00:00:00"),
    "quarter": ("2031-10-01 00:00:00", "2032-01-01 00:00:00"),
    "year": ("2031-01-01 00:00:00", "2032-01-01 00:00:00"),
    "month": ("2031-12-01 00:00:00", "2032-01-01 00:00:00"),
    "week": ("2031-12-29 00:00:00", "2032-01-05 00:00:00"),
    "day": ("2031-12-31 00:00:00", "2032-01-01 00:00:00"),
    "hour": ("2031-12-31 23:00:00", "2032-01-01 00:00:00"),
    "minute": ("2031-12-31 23:59:00", "2032-01-01 00:00:00"),
    "second": ("2031-12-31 23:59:59", "2032-01-01 00:00:00"),
    None: (None, None),
}
FLIGHTS = [  # of one booster: date, precision, days since the one before
    ("2021-01-01T00:00:00.900Z", "hour", None),
    ("2021-01-02T12:00:00.100Z", "second", 1.5),
    ("2021-03-01T00:00:00Z", "month", None),  # a placeholder, and so nothing is known of the next one either
    ("2021-03-11T00:00:00Z", "day", None),
    ("2021-03-11T00:00:01Z", None, 1 / 86400),
]
CUSTOMERS = [["NASA", "nasa", "NASA "], ["Ünïçødé \U0001f680"], ['A "quoted\\" one'], [], None]
Answer = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Example:
    """One block of code: under which heading, of which language, for which systems."""

    heading: str
    language: str
    systems: frozenset[str]
    code: str


def examples() -> list[Example]:
    found = []
    for heading, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for info, code in re.findall(r"^```(\w.*?)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL):
            language, *systems = info.split()
            found.append(Example(heading, language, frozenset(systems), code))
    return found


SETUP = [one for one in examples() if one.heading in ("Set up", "Views")]
QUERIES = [one for one in examples() if one.language == "sql" and one not in SETUP]


@dataclass(frozen=True)
class Moment:
    """What the systems held after a run: the bucket's files in a folder, and what MySQL answered."""

    folder: Path
    answers: dict[str, Answer]

    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """DuckDB set up as the page says."""
        duck = duckdb.connect()
        for one in SETUP:
            if "duckdb" in one.systems:
                duck.execute(one.code.replace("s3://BUCKET/PREFIX", str(self.folder / PREFIX)))
        return duck


@dataclass(frozen=True)
class Asked:
    """The program, the moment after its first run, and the one after two more."""

    program: Program
    first: Moment
    last: Moment


@pytest.fixture(scope="module")
def asked(mysql: Login, aws: AwsEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Three runs, of which two found dates moved, and launches of every precision, of one booster, and of odd customers."""
    name, folder = f"test{secrets.token_hex(6)}", tmp_path_factory.mktemp("files")
    aws.create_bucket(bucket := f"test-{secrets.token_hex(8)}")
    login = create_database(mysql, name, name, secrets.token_hex(12))
    payloads = [{"id": f"odd-{i}", "customers": given, "orbit": "LEO "} for i, given in enumerate(CUSTOMERS)]
    with SampleApi(n=FEW, launch=few, lookups={"payloads": [*lookups()["payloads"], *payloads]}) as api:
        settings = {**aws.environment(), **login.environment(), **QUICK, "SOURCE": "spacex", "SOURCE_URL": api.url}
        program = Program({**os.environ, **settings, "S3_BUCKET": bucket, "S3_PREFIX": PREFIX}, aws, login)
        program.run()
        first = moment(program, folder / "first")
        records = json.loads(api.body("v5/launches")) + odd_launches()
        for day, precision, other in (("2023-01-05", "day", "2019-01-01"), ("2023-02-06", "month", "2018-12-30T23:59:59.999999")):
            for record in records[33:38]:
                record["date_utc"] = f"{day}T01:02:03.000Z"
            records[33]["date_precision"] = precision
            records[34]["date_utc"] = other
            api.set("launches", records)
            program.run()
        yield Asked(program, first, moment(program, folder / "last"))
    drop_database(mysql, login)


def odd_launches() -> list[dict[str, Any]]:
    late = {"date_utc": "2031-12-31T23:59:59.999999Z", "upcoming": True}
    planned = [{"id": f"planned-{precision}", "date_precision": precision, **late} for precision in WINDOWS]
    flown = [
        {"id": f"flown-{i}", "date_utc": date, "date_precision": precision, "cores": [{"core": "one", "flight": i + 1}]}
        for i, (date, precision, _) in enumerate(FLIGHTS)
    ]
    paid = [
        {"id": f"paid-{i}", "date_utc": "2022-02-02", "success": True, "payloads": [f"odd-{i}"]} for i in range(len(CUSTOMERS))
    ]
    return [*planned, *flown, *paid]


def moment(program: Program, folder: Path) -> Moment:
    for key in program.keys(f"{PREFIX}/launch"):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(program.object(key))
    return Moment(folder, {view: plain(program.login.query(f"SELECT * FROM {view}")) for view in VIEWS})


@pytest.mark.parametrize("when", ["first", "last"])
def test_views_answer_the_same_in_mysql_and_duckdb(asked: Asked, when: str) -> None:
    held: Moment = getattr(asked, when)
    duck = held.duckdb()
    for name, view in VIEWS.items():
        answer = duck.sql(f"SELECT * FROM {name}")
        assert answer.columns == list(view.columns)
        assert sorted(held.answers[name], key=repr) == sorted(plain(answer.fetchall()), key=repr), name
        assert held.answers[name] or (name, when) == ("slips_per_launch", "first")


def test_views_in_mysql_have_the_columns_that_are_written_down(asked: Asked) -> None:
    for name, view in VIEWS.items():
        columns = asked.program.login.query(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s "
            "ORDER BY ORDINAL_POSITION",
            name,
        )
        assert [column for (column,) in columns] == list(view.columns)


def test_a_window_is_as_wide_as_the_precision(asked: Asked) -> None:
    query = "SELECT date_precision, window_start_utc, window_end_utc FROM upcoming_launches WHERE launch_id LIKE 'planned-%'"
    found = {precision: tuple(at and str(at) for at in window) for precision, *window in asked.program.login.query(query)}
    assert found == WINDOWS


def test_turnaround_is_known_between_days_that_are_known(asked: Asked) -> None:
    rows = {row[3]: row[-1] for row in asked.last.answers["booster_flights"]}
    assert [rows[f"flown-{i}"] for i in range(len(FLIGHTS))] == [days and round(days, 4) for _, _, days in FLIGHTS]


def test_customers_are_told_apart_but_for_spaces_around_them(asked: Asked) -> None:
    answer = asked.last.answers["launches_by_customer_and_orbit"]
    found = {row[0] for row in answer}
    assert {"NASA", "nasa", "Ünïçødé \U0001f680", 'A "quoted\\" one', None} <= found
    assert "NASA " not in found
    assert [row for row in answer if row[:2] == ("nasa", "LEO")] == [("nasa", "LEO", 1, 0, 1)]


def test_slips_are_counted_for_each_launch(asked: Asked) -> None:
    """Of the five that moved, the precision of one moved with each of its dates; another came earlier twice."""
    rows = asked.last.answers["slips_per_launch"]
    assert {row[1] for row in rows} == {"spacex"}
    assert sorted((row[5], row[6], row[7] > 0) for row in rows) == [(0, 2, False), *[(2, 0, True)] * 3]


def test_sql_answers_the_same_in_every_system(asked: Asked) -> None:
    duck = asked.last.duckdb()
    answers: dict[str, list[Answer]] = defaultdict(list)
    for number, one in enumerate(QUERIES):
        # Queries for one system stand together under their heading; one for all is compared with itself.
        question = one.heading if one.systems else f"{one.heading} {number}"
        if not one.systems or "duckdb" in one.systems:
            answers[question].append(plain(duck.sql(one.code).fetchall()))
        if not one.systems or "mysql" in one.systems:
            answers[question].append(plain(asked.program.login.query(one.code)))
    assert [question for question, every in answers.items() if not all(every)] == []
    runs = answers.pop("Runs and freshness")
    assert [row[1] for row in runs[0]] == ["published"] * 3
    assert all(len(every) == 2 for every in answers.values())
    for question, (one_answer, other) in answers.items():  # equals stand in any order
        assert sorted(one_answer, key=repr) == sorted(other, key=repr), question


def test_every_example_works_from_the_first_run_on(asked: Asked) -> None:
    duck = asked.first.duckdb()
    for one in QUERIES:
        if not one.systems or "duckdb" in one.systems:
            duck.sql(one.code).fetchall()
    for table in TABLES.values():
        rows = pd.read_parquet(asked.first.folder / PREFIX / table.name, dtype_backend="pyarrow")
        assert list(rows.columns) == [*table.arrow.names, "year"]
        assert (len(rows) == 0) == (table.name == "launch_changes")


def test_every_example_is_run_or_says_that_it_is_not() -> None:
    assert len(QUERIES) > 6
    assert {one.language for one in examples()} == {"sql", "python"}
    systems = {system for one in examples() for system in one.systems}
    assert systems == {"athena", "duckdb", "mysql", "athena-only"}
    assert not any("athena" in one.systems for one in SETUP if one.heading == "Set up")
    assert {one.heading for one in examples() if one.systems == {"athena-only"}} == {"Iceberg", "Lists", "Views"}


def test_athenas_saved_queries_answer_what_mysql_does(asked: Asked) -> None:
    """In DuckDB, which has Athena's functions, but for the one that reads JSON."""
    duck = asked.last.duckdb()
    for name, query in SAVED.items():
        sql = re.sub(r"CAST\(json_parse\((.+?)\) AS array\(varchar\)\)", r"CAST(CAST(\1 AS JSON) AS VARCHAR[])", query["sql"])
        answer = plain(duck.sql(sql).fetchall())
        assert answer, name
        if name in VIEWS:
            assert sorted(asked.last.answers[name], key=repr) == sorted(answer, key=repr), name


def test_files_have_the_columns_that_glue_knows(asked: Asked) -> None:
    glue = json.loads(CATALOG.read_text())["tables"]
    for name, table in TABLES.items():
        files = sorted((asked.last.folder / PREFIX / name).rglob("*.parquet"))
        assert files
        for file in files:
            found = [(field.name, HIVE.get(str(field.type), str(field.type))) for field in pq.read_schema(file)]
            assert found == [(column["name"], column["type"]) for column in glue[name]["columns"]], table.name


def test_python_answers_what_sql_does(asked: Asked) -> None:
    filled = asked.program
    by_path, by_manifest = (one.code for one in examples() if one.language == "python")
    per_year = next(one.code for one in QUERIES if one.heading == "Launches per year")
    code = by_path.replace("s3://BUCKET/PREFIX", str(asked.last.folder / PREFIX))
    assert answer_of(filled, code) == plain(filled.login.query(per_year))
    code = by_manifest.replace('"BUCKET"', repr(filled.bucket)).replace('"PREFIX/"', f'"{PREFIX}/"')
    overwritten = f"{PREFIX}/launches/year=2018/launches.parquet"
    filled.aws.client("s3").put_object(Bucket=filled.bucket, Key=overwritten, Body=b"half done")
    query = (
        "SELECT rocket_name, COUNT(*) FROM launch_cores JOIN launches USING (launch_id) "
        "WHERE rocket_name IS NOT NULL GROUP BY rocket_name ORDER BY 1"
    )
    assert answer_of(filled, code) == plain(filled.login.query(query))


def answer_of(program: Program, code: str) -> Answer:
    code += "\nprint(answer.to_json(orient='values'))\n"
    ended = subprocess.run([sys.executable, "-c", code], env=program.environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return plain(json.loads(ended.stdout))


def plain(rows: Any) -> Answer:
    """Rows with numbers of one kind, and times in UTC without a zone."""

    def one(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return round(float(value), 4) if isinstance(value, int | float | Decimal) else value

    return [tuple(map(one, row)) for row in rows]
