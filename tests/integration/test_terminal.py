"""What a person at a terminal sees."""

import json
import re
import signal
import subprocess
import time
from typing import Any

import pytest

from app.telemetry.text import printable
from tests import screen
from tests.program import Program
from tests.sample_api import Fault, SampleApi

COLUMNS, LINES = 150, 50
OURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours, cursor, and lines cleared
HOSTILE = "".join(map(chr, [*range(1, 0x20), *range(0x7F, 0xA0)])) + (
    "\x1b[2J\x1b]0;owned\x07\x9b31m\u202edesrever\u2066\u2069\u200e\u061c\u200b\u2060\ufeff\u2028\u2029\U000e0041"
    "[bold red]:smile:[/][/nothing]\\"
)


def started(program: Program, *arguments: str, columns: int = COLUMNS, **settings: str) -> tuple["subprocess.Popen[bytes]", int]:
    """A command on a wide terminal without colours, and our end of it."""
    return screen.started(program, (columns, LINES), *arguments, NO_COLOR="1", **settings)


def raw_text(process: "subprocess.Popen[bytes]", ours: int, code: int) -> bytes:
    """Everything that it wrote until it ended; a person is shown no JSON lines."""
    text = screen.raw_text(process, ours, code)
    assert b'{"time"' not in text
    return text


def on_terminal(program: Program, *arguments: str, code: int = 0, columns: int = COLUMNS, **settings: str) -> str:
    """Everything that a command writes to such a terminal, control sequences taken out."""
    return OURS.sub("", raw_text(*started(program, *arguments, columns=columns, **settings), code).decode())


def test_a_run_shows_progress_its_result_and_five_rows_of_each_table(program: Program) -> None:
    text = on_terminal(program, "run")
    assert "validate" in text
    assert re.search(r"⠋ .*0:00:0\d", text)  # something moves, with the time it takes
    assert "published  run " in text
    assert "22 files written, 0 deleted; 0 launches rejected; stores are equal" in text
    for heading in ("launches: 40 rows", "launch_cores: 46 rows", "launch_payloads: 42 rows", "launch_crew: 8 rows"):
        assert heading in text
    names = [row["name"] for row in sorted(program.in_mysql("launches"), key=lambda row: row["date_utc"], reverse=True)]
    assert all(name[:31] in text for name in names[:5])
    assert text.index("published  run ") > text.index("launch_crew: 8 rows")  # the verdict stays on the screen
    assert "launch_crew: " not in on_terminal(program, "plan", "--rows", "0")
    assert "unchanged  run " in on_terminal(program, "run")


def test_other_commands_speak_to_a_person_too(program: Program, api: SampleApi) -> None:
    assert "would be" in on_terminal(program, "plan")
    on_terminal(program, "run")
    assert "verified  run " in on_terminal(program, "verify")
    assert "published" in on_terminal(program, "runs")
    assert "pass MySQL rights: all that a run needs" in on_terminal(program, "doctor")
    api.set("launches", [])
    text = on_terminal(program, "run", code=4)
    assert "failed in run, reconcile: refused: 0 launches received" in text
    assert "(exit 4)" in text


def _hostile(value: Any) -> Any:
    """Every name and text of a record, with what a terminal would obey."""
    if isinstance(value, dict):
        return {name: value[name] if name in ("id", "date_utc") else _hostile(value[name]) for name in value}
    if isinstance(value, list):
        return [_hostile(each) if isinstance(each, dict) else each for each in value]
    return f"{HOSTILE}{value}" if isinstance(value, str) and " " in value else value


def assert_harmless(raw: bytes) -> None:
    """Nothing but the program's own few control sequences and line ends."""
    text = OURS.sub("", raw.decode())
    for line in re.split("\r*\n|\r", text):
        assert line == printable(line)
    assert not re.search(rb"\x1b\[2J|\x1b\]|\x1b\[31m", raw)


def test_text_from_outside_reaches_no_terminal_as_it_is(program: Program, api: SampleApi) -> None:
    for endpoint in ("launches", "rockets", "launchpads", "landpads", "payloads", "crew"):
        api.set(endpoint, _hostile(json.loads(api.body(endpoint))))
    launches = json.loads(api.body("launches"))
    launches[0]["name"] = HOSTILE
    launches[1]["unknown" + HOSTILE] = 1
    launches[2]["success"] = HOSTILE
    api.set("launches", launches)
    shown = b""
    for arguments in (["plan"], ["run"], ["plan", "--json"], ["run", "--json"], ["runs"], ["runs", "show", "none"]):
        shown += raw_text(*started(program, *arguments), 2 if "none" in arguments else 0)
    hostile_argument = HOSTILE.replace("\x00", "")
    for arguments in ([hostile_argument], ["run", f"--{hostile_argument}"], ["runs", "show", hostile_argument]):
        shown += raw_text(*started(program, *arguments), 2)
    shown += raw_text(*started(program, "report", "--out", f"/nowhere/{hostile_argument}"), 2)
    shown += raw_text(*started(program, "verify", MYSQL_DATABASE="\x1b[2J\u202e"), 2)
    shown += raw_text(*started(program, "verify", MYSQL_DATABASE="\u202e\x9b31m"), 6)
    assert_harmless(shown)
    assert rb"\x1b[2J\x1b]0;owned\x07\x9b31m\u202edesrever" in shown
    assert b"[bold red]:smile:[/][/nothing]" in shown
    lines = program("run").stdout + program("plan").stdout
    assert all(printable(line) == line for line in lines.split("\n"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_leaves_one_line_and_the_cursor(program: Program, api: SampleApi, number: int) -> None:
    api.fault("payloads", Fault(hang_s=60))
    process, ours = started(program, "run")
    while not any(request.path == "/v4/payloads" for request in api.requests):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    raw = raw_text(process, ours, 128 + number)
    assert raw.rfind(b"\x1b[?25h") > raw.rfind(b"\x1b[?25l") >= 0
    last = [line for line in OURS.sub("", raw.decode()).splitlines() if line.strip()][-1]
    assert last.startswith(f"failed in run, extract: stopped by {signal.Signals(number).name}")
    assert raw.count(b"stopped by") == 1


def test_the_list_of_runs_fits_80_columns(program: Program, api: SampleApi) -> None:
    program("run")
    program("verify")
    api.fault("launches", Fault(body="html"))
    program("run", code=3)
    text = on_terminal(program, "runs", columns=80)
    assert all(len(line) <= 80 for line in text.splitlines())
    ids = [run["run_id"] for run in json.loads(program("runs", "--json").stdout)]
    newest, *_, oldest = (line for line in text.splitlines() if line.startswith("2"))
    assert re.fullmatch(rf"{ids[0]}  run      failed +\d+\.\d +0 +(\d+ s|now)", newest)
    assert re.fullmatch(rf"{ids[-1]}  run      published +\d+\.\d +[\d,]{{3,}} +\d+ (s|min)", oldest)
    assert re.search(rf"{ids[0]}.*\n    \S.*…\n", text.replace("\r", ""))  # the reason
    assert f"run_id {ids[0]}" in on_terminal(program, "runs", "show", "latest")


def test_on_a_narrow_terminal_only_the_columns_that_fit_are_shown(program: Program) -> None:
    text = on_terminal(program, "run", columns=80)
    rows = [line for line in text.splitlines() if line.startswith(("\u2502", "\u2503"))]
    assert rows
    assert all(len(line) <= 80 for line in rows)
    assert "\u2503 name" in text


@pytest.mark.parametrize(("encoding", "spinner"), [("ascii", "|/-\\"), ("iso-8859-1", "|/-\\")])
def test_a_terminal_without_unicode_gets_what_it_can_show(program: Program, encoding: str, spinner: str) -> None:
    text = OURS.sub("", raw_text(*started(program, "run", PYTHONIOENCODING=encoding), 0).decode(encoding))
    assert "published  run " in text
    assert not re.search(r"\\u2[58]", text)  # neither frames nor the moving sign
    assert any(f"{sign} connect" in text for sign in spinner)
