"""docs/querying.md: its examples run, and where several systems are asked the same they answer the same."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.core.schema import TABLES, Kind
from tests.program import Program
from tests.sample_api import SampleApi

PAGE = Path(__file__).parents[2] / "docs/querying.md"
PREFIX = "lake"
HIVE = {Kind.FLAG: "boolean", Kind.INTEGER: "bigint", Kind.REAL: "double", Kind.TIME: "timestamp"}
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


QUERIES = [one for one in examples() if one.language == "sql" and one.heading != "Set up"]


@pytest.fixture
def filled(program: Program, api: SampleApi, tmp_path: Path) -> Program:
    """Both stores after three runs, of which two found dates moved; and the bucket's files in a folder, too."""
    program.environment["S3_PREFIX"] = PREFIX
    program.run()
    records = json.loads(api.body("v5/launches"))
    for day in ("2023-01-05", "2023-02-06"):
        for record in records[33:38]:
            record["date_utc"] = f"{day}T01:02:03.000Z"
        records[33]["date_precision"] = {"2023-01-05": "day", "2023-02-06": "month"}[day]
        api.set("launches", records)
        program.run()
    for key in program.keys(f"{PREFIX}/launch"):
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(program.object(key))
    return program


def test_sql_answers_the_same_in_every_system(filled: Program, tmp_path: Path) -> None:
    duck = duckdb.connect()
    for one in examples():
        if one.heading == "Set up" and "duckdb" in one.systems:
            duck.execute(one.code.replace("s3://BUCKET/PREFIX", str(tmp_path / PREFIX)))
    answers: dict[str, list[Answer]] = defaultdict(list)
    for number, one in enumerate(QUERIES):
        # Queries for one system stand together under their heading; one for all is compared with itself.
        question = one.heading if one.systems else f"{one.heading} {number}"
        if not one.systems or "duckdb" in one.systems:
            answers[question].append(plain(duck.sql(one.code).fetchall()))
        if not one.systems or "mysql" in one.systems:
            answers[question].append(plain(filled.login.query(one.code)))
    assert all(answer for every in answers.values() for answer in every)
    runs = answers.pop("Runs and freshness")
    assert [row[1] for row in runs[0]] == ["published"] * 3
    assert all(len(every) == 2 for every in answers.values())
    for question, (one_answer, other) in answers.items():  # equals stand in any order
        assert sorted(one_answer, key=repr) == sorted(other, key=repr), question
    assert len(answers["Slips"][0]) == 8


def test_every_example_is_run_or_says_that_it_is_not() -> None:
    assert len(QUERIES) > 8
    assert {one.language for one in examples()} == {"sql", "python"}
    assert [one.heading for one in examples() if one.systems == {"athena-only"}] == ["Lists"]
    assert {system for one in examples() for system in one.systems} == {"athena", "duckdb", "mysql", "athena-only"}
    assert {one.heading for one in examples() if one.systems == {"athena"}} == {"Set up"}


def test_athenas_tables_are_those_of_the_schema() -> None:
    tables = [one.code for one in examples() if one.systems == {"athena"}]
    assert len(tables) == 4
    for code in tables:
        name = code.split()[3]
        table = TABLES[name]
        kinds = {column.name: HIVE.get(column.kind, "string") for column in table.columns}
        listed = re.findall(r"`(\w+)` (\w+)", code.split("PARTITIONED")[0])
        assert dict(listed).items() <= kinds.items()
        assert "PARTITIONED BY (`year` int)" in code
        assert f"LOCATION 's3://BUCKET/PREFIX/{name}/'" in code
        assert f"'storage.location.template' = 's3://BUCKET/PREFIX/{name}/year=${{year}}/'" in code


def test_what_athena_is_asked_for_is_in_its_tables(filled: Program) -> None:
    """In DuckDB, tables with the columns alone that Athena's have answer every query for it."""
    duck = duckdb.connect()
    for one in examples():
        if one.systems == {"athena"}:
            columns = one.code.split("PARTITIONED")[0].replace("EXTERNAL", "").replace("`", '"').replace(" string", " varchar")
            duck.execute(columns)
    for one in QUERIES:
        if not one.systems or "athena" in one.systems:
            duck.sql(one.code).fetchall()


def test_python_answers_what_sql_does(filled: Program, tmp_path: Path) -> None:
    by_path, by_manifest = (one.code for one in examples() if one.language == "python")
    per_year = next(one.code for one in QUERIES if one.heading == "Launches per year")
    code = by_path.replace("s3://BUCKET/PREFIX", str(tmp_path / PREFIX))
    assert answer_of(filled, code) == plain(filled.login.query(per_year))
    code = by_manifest.replace('"BUCKET"', repr(filled.bucket)).replace('"PREFIX/"', f'"{PREFIX}/"')
    overwritten = f"{PREFIX}/launches/year=2018/launches.parquet"
    filled.aws.client("s3").put_object(Bucket=filled.bucket, Key=overwritten, Body=b"half done")
    query = "SELECT rocket_name, COUNT(*) FROM launch_cores JOIN launches USING (launch_id) GROUP BY rocket_name ORDER BY 1"
    assert answer_of(filled, code) == plain(filled.login.query(query))


def answer_of(program: Program, code: str) -> Answer:
    code += "\nprint(answer.to_json(orient='values'))\n"
    ended = subprocess.run([sys.executable, "-c", code], env=program.environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return plain(json.loads(ended.stdout))


def plain(rows: Any) -> Answer:
    """Rows with numbers of one kind."""
    return [tuple(round(float(v), 4) if isinstance(v, int | float | Decimal) else v for v in row) for row in rows]
