"""What a person sees, captured from the program: docs/terminal.md, and pictures. `python -m tests.captures` makes them."""

import itertools
import json
import os
import re
import secrets
import tempfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from tests.integration.conftest import LAUNCHES
from tests.pictures import Line, photograph, terminal
from tests.program import QUICK, Program
from tests.sample_api import SampleApi
from tests.screen import Screen, on_screen
from tests.services import MotoServer, MysqlServer, create_database
from tests.typed import ROOT, RUN_ID, steady

PAGE = ROOT / "docs/terminal.md"
TERMINAL = ROOT / "docs/pictures/terminal.svg"
REPORT = ROOT / "docs/pictures/report.png"
SIZE = (80, 24)
REPORT_SIZE = (1280, 1000)
_INTRO = """# At a terminal

What commands show on a terminal of 80 columns: progress while they work, which is gone afterwards, and then this. Tables
show the columns that fit the width; the verdict comes last, so that it stays on a screen of 24 lines. Where the output
is no terminal, the same comes as JSON lines, and with `--json` as one result whose form is a
[JSON Schema](commands.md#what-they-print).

Ids, times and durations differ from run to run. `python -m tests.captures` makes this page and the pictures; tests
compare them with the program.
"""


@dataclass
class Captured:
    """The page, and the picture of the commands that are in it."""

    page: str = _INTRO
    pictured: list[Line] = field(default_factory=list)

    def add(self, story: str, command: str, screen: Screen) -> None:
        """One more command, below what is said of it."""
        shown = "\n".join(line for line, _ in itertools.groupby(screen.lines)).strip("\n")
        self.page += f"\n{story}\n\n```text\n$ {command}\n{shown}\n```\n"

    def picture(self, command: str, screen: Screen) -> None:
        """One more command in the picture."""
        last = max(number for number, line in enumerate(screen.lines) if line)
        self.pictured += [(f"$ {command}", ()), *zip(screen.lines[: last + 1], screen.cells, strict=False), ("", ())]

    def steady(self, ids: list[str]) -> tuple[str, str]:
        """Page and picture, without what differs from run to run."""
        lines = steady("\n".join(text for text, _ in self.pictured), ids).split("\n")
        styled = [(text, cells) for text, (_, cells) in zip(lines, self.pictured, strict=True)]
        return steady(self.page, ids), terminal(styled[:-1], "A run's data are altered, found and repaired")


def terminal_page(program: Program, api: SampleApi) -> tuple[str, str]:
    """The page and the picture, of stores that nothing was put into yet."""
    launches = json.loads(api.body("launches"))
    captured = Captured()

    def capture(story: str, *arguments: str, code: int = 0, pictured: bool = False) -> None:
        command, screen = f"spacex-pipeline {' '.join(arguments)}", on_screen(program, SIZE, *arguments, code=code)
        captured.add(story, command, screen)
        if pictured:
            captured.picture(command, screen)

    capture("## run\n\nThe first run, with two of the newest rows of each table instead of five:", "run", "--rows", "2")
    api.set("launches", [launches[0] | {"name": "Renamed"}, launches[1] | {"date_utc": "some day"}, *launches[2:]])
    capture("## plan\n\nThe source has renamed a launch and sends another without a date:", "plan", "--rows", "0")
    api.set("launches", launches)
    capture("## verify\n\nNothing differs:", "verify")
    program.login.query("UPDATE launches SET name = 'Altered' WHERE launch_year = 2008")
    capture("Somebody has altered rows in MySQL:", "verify", code=8, pictured=True)
    capture("The same, repaired from what the source had sent:", "verify", "--heal", pictured=True)
    capture("## runs\n\nThe newest first; a heal is three of them, what it found, what it wrote, and the proof:", "runs")
    return captured.steady([run_id for (run_id,) in program.login.query("SELECT run_id FROM pipeline_runs ORDER BY number")])


class _Words(HTMLParser):
    """The words of a page that are no program and no style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._is_hidden = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._is_hidden = False

    def handle_data(self, data: str) -> None:
        if not self._is_hidden:
            self.found += data.split()


def report_page(program: Program, out: Path) -> str:
    """Write the report of a first run; its text without what differs from run to run."""
    program("run")
    program("report", "--out", str(out))
    text = RUN_ID.sub("RUN", " ".join(_Words(out.read_text()).found))
    text = re.sub(r"\b20(?:2[3-9]|[3-9]\d)-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?", "NOW", text)  # the sample ends in 2022
    text = re.sub(r"NOW \d+\.\d\b", "NOW N", text)  # the seconds of a run
    return re.sub(r"(?<![\d:-])\d[\d.,]* (s|min|h|d|seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b", "AGE", text)


def main() -> None:
    """Start the services, and make the page and the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        with MysqlServer(made / "mysql") as server, MotoServer(made / "moto") as moto:

            def program(api: SampleApi, name: str) -> Program:
                moto.endpoint.create_bucket(name)
                login = create_database(server.admin, name, name, secrets.token_hex(12))
                environment = {**os.environ, **moto.endpoint.environment(), **login.environment(), **QUICK}
                settings = {"S3_BUCKET": name, "SOURCE": "spacex", "SOURCE_URL": api.url}
                return Program({**environment, **settings}, moto.endpoint, login)

            TERMINAL.parent.mkdir(exist_ok=True)
            with SampleApi(n=LAUNCHES) as api:
                page, picture = terminal_page(program(api, "captures"), api)
            PAGE.write_text(page)
            TERMINAL.write_text(picture)
            with SampleApi() as api:
                text = report_page(program(api, "report"), made / "report.html")
            png = photograph(made / "report.html", REPORT_SIZE, text)
            if png is None:
                print(f"{REPORT}: not made, there is no Chromium on PATH")
            else:
                REPORT.write_bytes(png)


if __name__ == "__main__":
    main()
