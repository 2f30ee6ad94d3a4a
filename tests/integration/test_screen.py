"""What stands on a terminal of 80 columns and 24 lines, on a large one, and on those that can show little."""

import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import LAUNCHES
from tests.program import Program
from tests.sample_api import SampleApi
from tests.screen import Screen, on_screen

SMALL, LARGE = (80, 24), (160, 50)


@pytest.fixture(scope="module")
def program(small: Program) -> Program:
    """The one database and bucket of this file, which a first run has filled."""
    small.run()
    return small


@pytest.fixture(scope="module")
def api(small_api: SampleApi) -> SampleApi:
    return small_api


@pytest.fixture
def changed(program: Program, api: SampleApi) -> Iterator[list[str]]:
    """News of two launches: the names that they have now."""
    launches, names = json.loads(api.body("launches")), [f"New {secrets.token_hex(3)}" for _ in range(2)]
    renamed = [launch | {"name": name} for launch, name in zip(launches, names, strict=False)]
    api.set("launches", [*renamed, *launches[len(renamed) :]])
    yield names
    api.set("launches", launches)


def newest(program: Program) -> list[str]:
    """The names of the five newest launches."""
    rows = sorted(program.in_mysql("launches"), key=lambda row: row["date_utc"], reverse=True)
    return [row["name"] for row in rows[:5]]


def assert_tables_are_whole(screen: Screen, columns: int) -> None:
    """No row of a table is broken by the edge of the screen."""
    rows = [line for line in screen.lines if line.startswith("│")]
    assert rows
    assert all(line.endswith("│") and len(line) <= columns for line in rows)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x50"])
def test_a_run_ends_with_its_verdict_and_the_newest_rows_stand_before_it(
    program: Program, changed: list[str], size: tuple[int, int]
) -> None:
    published = on_screen(program, size, "run")
    assert re.search(r"^published  run \S+  source spacex", published.text, re.MULTILINE)
    assert re.search(rf"^launches +{LAUNCHES} +0 +2 +0$", published.text, re.MULTILINE)
    unchanged = on_screen(program, size, "run")
    assert re.search(r"^unchanged  run \S+", unchanged.text, re.MULTILINE)
    for screen in (published, unchanged):
        assert "stores are equal" in screen.text
        assert re.search(r"^proven 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC: ", screen.text, re.MULTILINE)
        assert [line for line in screen.visible if line][-1].startswith("next: ")
        assert not screen.is_cursor_hidden
        assert_tables_are_whole(screen, size[0])
        all_lines = "\n".join(screen.lines)
        places = [all_lines.index(name[:31]) for name in newest(program)]
        assert places == sorted(places)


def test_a_plan_ends_with_its_verdict(program: Program, changed: list[str]) -> None:
    planned = on_screen(program, SMALL, "plan", "--rows", "2")
    assert re.search(r"^planned  source spacex; nothing was written$", planned.text, re.MULTILINE)
    assert re.search(rf"^launches +{LAUNCHES} +0 +2 +0$", planned.text, re.MULTILINE)
    assert [line for line in planned.visible if line][-1] == "next: run"
    assert re.search(rf"^launches \S+ name: .+ → {changed[0]}$", "\n".join(planned.lines), re.MULTILINE)
    program("run")
    nothing = on_screen(program, LARGE, "plan", "--rows", "0")
    assert [line for line in nothing.visible if line][-1] == "next: nothing to do, a run would change nothing"
    assert "│" not in "\n".join(nothing.lines)


def test_runs_and_what_one_did_fit_80_columns(program: Program) -> None:
    program("verify")
    screen = on_screen(program, SMALL, "runs", "--limit", "5")
    ids = [run_id for (run_id,) in program.login.query("SELECT run_id FROM pipeline_runs ORDER BY number DESC LIMIT 5")]
    assert [line.split()[0] for line in screen.visible if line.startswith("2")] == ids
    assert screen.visible[1].split()[1:3] == ["verify", "unchanged"]
    latest = on_screen(program, SMALL, "runs", "show", "latest")
    assert f"run_id {ids[0]}" in latest.visible
    assert "None" not in latest.text


def test_verify_shows_ten_differences_and_heal_what_it_wrote(program: Program) -> None:
    rows = program.in_mysql("launches")
    program.login.query("UPDATE launches SET details = CONCAT(REPEAT('same ', 100), launch_id)")
    failed = on_screen(program, SMALL, "verify", code=8)
    differing = [line for line in failed.lines if re.match(r"launches \S+ details: .* → same same .* in MySQL$", line)]
    assert len(differing) == 10
    assert f"{LAUNCHES - 10} more: verify --json" in failed.lines
    healed = on_screen(program, SMALL, "verify", "--heal")
    assert "\n".join(differing) in "\n".join(healed.lines)
    assert re.search(r"^healed  run ", healed.text, re.MULTILINE)
    assert re.search(rf"^launches +{LAUNCHES} +0 +{LAUNCHES} +0$", healed.text, re.MULTILINE)
    assert program.in_mysql("launches") == rows
    verified = on_screen(program, LARGE, "verify")
    assert "raw archive, S3 and MySQL were read back" in verified.text
    assert [line for line in verified.visible if line][-1] == "next: nothing to do"


def test_a_run_that_finds_another_at_work_is_no_failure(program: Program) -> None:
    lock = f"spacex_pipeline.{program.login.database}"
    with program.login.connect() as holder, holder.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [lock])
        screen = on_screen(program, SMALL, "run", code=7)
        ended = program("run", code=7)
    assert "skipped run: another run holds the lock" in screen.text
    assert "failed" not in screen.text + ended.stdout
    assert [line["level"] for line in ended.lines if line.get("state") == "skipped"] == ["WARNING"]
    metrics = json.loads(ended.stdout.splitlines()[-1])
    assert "Success" not in metrics
    assert program.login.query("SELECT COUNT(*) FROM pipeline_runs WHERE state IN ('skipped', 'running')") == ((0,),)


def test_no_color_means_no_colour(program: Program) -> None:
    assert re.search(rb"\x1b\[[0-9;]*3[0-7]m", on_screen(program, SMALL, "run").raw)
    plain = on_screen(program, SMALL, "run", NO_COLOR="1")
    assert not re.search(rb"\x1b\[[0-9;]*[34][0-8][0-9;]*m", plain.raw)
    assert "stores are equal" in plain.text


def test_a_dumb_terminal_gets_text_alone(program: Program) -> None:
    screen = on_screen(program, SMALL, "run", TERM="dumb")
    assert b"\x1b" not in screen.raw
    assert b"\r" not in screen.raw.replace(b"\r\n", b"")
    assert "stores are equal" in screen.text


@pytest.fixture(scope="module")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of an ISO-8859-1 locale; made where the system brings what it is made of, else what it comes to in Python."""
    folder = tmp_path_factory.mktemp("locale")
    if shutil.which("localedef") and Path("/usr/share/i18n/charmaps/ISO-8859-1.gz").exists():
        make = ["localedef", "--inputfile=en_US", "--charmap=ISO-8859-1", str(folder / "en_US.ISO-8859-1")]
        subprocess.run(make, check=True)
        return {"LC_ALL": "en_US.ISO-8859-1", "LOCPATH": str(folder), "PYTHONUTF8": "0"}
    return {"LC_ALL": "en_US.ISO-8859-1", "PYTHONIOENCODING": "iso-8859-1"}


def test_an_iso_8859_1_terminal_gets_what_it_can_show(program: Program, api: SampleApi, latin_1: dict[str, str]) -> None:
    launches = json.loads(api.body("launches"))
    api.set("launches", [*launches[:-1], launches[-1] | {"name": "Größe 火"}])
    screen = on_screen(program, SMALL, "plan", **latin_1)
    api.set("launches", launches)
    assert any("name: " in line and r"-> Größe \u706b" in line for line in screen.lines), screen.lines
    assert [line for line in screen.visible if line][-1] == "next: run"
    assert not re.search(r"\\u2[58]", "\n".join(screen.lines))
