"""A database that was set back, as by a restore: `verify` finds it and `run` brings it up to date, as the runbook has it."""

import json

import pytest

from tests.program import KEYS, Program
from tests.sample_api import SampleApi

TABLES = (*KEYS, "pipeline_runs")


def keep(program: Program) -> None:
    """What a snapshot would hold."""
    for table in TABLES:
        program.login.query(f"CREATE TABLE `kept_{table}` LIKE `{table}`")
        program.login.query(f"INSERT INTO `kept_{table}` SELECT * FROM `{table}`")


def restore(program: Program) -> None:
    """The tables as they were kept."""
    for table in TABLES:
        program.login.query(f"DROP TABLE `{table}`")
        program.login.query(f"RENAME TABLE `kept_{table}` TO `{table}`")


def change(api: SampleApi, name: str) -> None:
    """The source has news."""
    launches = json.loads(api.body("v5/launches"))
    launches[0]["name"] = name
    api.set("launches", launches[:-1])


@pytest.mark.parametrize("source_moved_on", [False, True])
def test_a_database_set_back_is_found_and_brought_up_to_date(source_moved_on: bool, program: Program, api: SampleApi) -> None:
    program.run()
    keep(program)
    change(api, "Later")
    program.run("--accept-shrink")
    restore(program)
    assert "not as published" in program("verify", code=8).lines[-1]["message"]
    if source_moved_on:
        change(api, "Later still")
    program.run("--accept-shrink")
    program("verify")
    program.assert_equal(38 if source_moved_on else 39)
    assert program.run()["state"] == "unchanged"


def test_an_empty_database_is_made_again(program: Program, api: SampleApi) -> None:
    program.run()
    for table in TABLES:
        program.login.query(f"DROP TABLE `{table}`")
    program.run()
    program("verify")
    program.assert_equal(40)
