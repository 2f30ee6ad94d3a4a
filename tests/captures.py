"""docs/terminal.md: what a person sees, captured from the program; `python -m tests.captures` writes it."""

import itertools
import json
import os
import re
import tempfile
from pathlib import Path

from tests.integration.conftest import LAUNCHES
from tests.program import QUICK, Program
from tests.sample_api import SampleApi
from tests.screen import on_screen
from tests.services import MotoServer, MysqlServer

PAGE = Path(__file__).parents[1] / "docs/terminal.md"
SIZE = (80, 24)
_VARYING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-11-25 10:12:10 UTC"),
    (r"(source \S+)  \d+\.\d s$", r"\1  0.7 s"),
    (r"^(2\S{24}  .{7}  .{9})  .{7}  (.{10})  .{6}$", r"\1      0.7  \2     5 s"),  # a line of runs
    (r"\d+ days old", "3333 days old"),
)
_INTRO = """# At a terminal

What commands show on a terminal of 80 columns: progress while they work, which is gone afterwards, and then this. Tables
show the columns that fit the width; the verdict comes last, so that it stays on a screen of 24 lines. Where the output
is no terminal, the same comes as JSON lines, and with `--json` as one result whose form is in [schemas](schemas).

Ids, times and durations differ from run to run. `python -m tests.captures` makes this page; a test compares it with
the program.
"""


def page(program: Program, api: SampleApi) -> str:
    """The page, of stores that nothing was put into yet."""
    launches = json.loads(api.body("launches"))
    parts = [_INTRO]

    def capture(story: str, *arguments: str, code: int = 0) -> None:
        lines = on_screen(program, SIZE, *arguments, code=code).lines
        shown = "\n".join(line for line, _ in itertools.groupby(lines)).strip("\n")
        parts.append(f"{story}\n\n```text\n$ spacex-pipeline {' '.join(arguments)}\n{shown}\n```\n")

    capture("## run\n\nThe first run, with two of the newest rows of each table instead of five:", "run", "--rows", "2")
    api.set("launches", [launches[0] | {"name": "Renamed"}, launches[1] | {"date_utc": "some day"}, *launches[2:]])
    capture("## plan\n\nThe source has renamed a launch and sends another without a date:", "plan", "--rows", "0")
    api.set("launches", launches)
    capture("## verify\n\nNothing differs:", "verify")
    program.login.query("UPDATE launches SET name = 'Altered' WHERE launch_year = 2008")
    capture("Somebody has altered rows in MySQL:", "verify", code=8)
    capture("The same, repaired from what the source had sent:", "verify", "--heal")
    capture("## runs\n\nThe newest first; a heal is three of them, what it found, what it wrote, and the proof:", "runs")
    ids = [run_id for (run_id,) in program.login.query("SELECT run_id FROM pipeline_runs ORDER BY number")]
    return _steady("\n".join(parts), ids)


def _steady(text: str, ids: list[str]) -> str:
    """The text with what differs from run to run replaced by something of the same width."""
    for number, run_id in enumerate(ids):
        text = text.replace(run_id, f"20261125T1012{number:02}Z-c7f52c{number:02x}")
    for pattern, steady in _VARYING:
        text = re.sub(pattern, steady, text, flags=re.MULTILINE)
    return text


def main() -> None:
    """Start the services, and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        with MysqlServer(made / "mysql") as server, MotoServer(made / "moto") as moto, SampleApi(n=LAUNCHES) as api:
            moto.endpoint.create_bucket("captures")
            environment = {**os.environ, **moto.endpoint.environment(), **server.login.environment(), **QUICK}
            settings = {"S3_BUCKET": "captures", "SOURCE": "spacex", "SOURCE_URL": api.url}
            PAGE.write_text(page(Program({**environment, **settings}, moto.endpoint, server.login), api))


if __name__ == "__main__":
    main()
