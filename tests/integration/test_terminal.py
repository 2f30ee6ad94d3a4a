"""What a person at a terminal sees."""

import os
import pty
import re
import subprocess
import sys

from tests.program import Program
from tests.sample_api import SampleApi


def on_terminal(program: Program, *arguments: str, code: int = 0, **settings: str) -> str:
    """Everything that a command writes to a terminal of 150 columns, control sequences taken out."""
    ours, theirs = pty.openpty()
    environment = {**program.environment, "TERM": "xterm", "COLUMNS": "150", "NO_COLOR": "1", **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *arguments], env=environment, stdout=theirs, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            text += chunk
    except OSError:  # how Linux says that the other end was closed
        pass
    os.close(ours)
    assert process.wait(60) == code, text.decode()
    assert b"Traceback" not in text
    assert b'{"time"' not in text
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode())


def test_a_run_shows_progress_its_result_and_five_rows_of_each_table(program: Program) -> None:
    text = on_terminal(program, "run")
    assert "validate" in text
    assert re.search(r"⠋ .*0:00:0\d", text)  # something moves, with the time it takes
    assert "published  run " in text
    assert "56 files written, 0 deleted; 0 launches rejected; stores are equal" in text
    for heading in ("launches: 205 rows", "launch_cores: 215 rows", "launch_payloads: 222 rows", "launch_crew: 30 rows"):
        assert heading in text
    names = [row["name"] for row in sorted(program.in_mysql("launches"), key=lambda row: (row["launch_year"], row["launch_id"]))]
    assert all(name in text for name in names[:5])
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
