"""The page and the pictures that show what a person sees are of what the program shows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.captures import PAGE, REPORT, TERMINAL, report_page, terminal_page
from tests.pictures import BROWSERS, photograph, text_of
from tests.program import Program
from tests.sample_api import SampleApi


@pytest.fixture
def api() -> Iterator[SampleApi]:
    """The sample API with all launches: the report's picture is of them."""
    with SampleApi() as api:
        yield api


def test_the_page_and_the_picture_show_what_a_terminal_shows(small: Program, small_api: SampleApi) -> None:
    """`python -m tests.captures` mends them."""
    page, picture = terminal_page(small, small_api)
    assert page == PAGE.read_text()
    assert picture == TERMINAL.read_text()


def test_the_picture_of_the_report_is_of_what_the_report_says(program: Program, tmp_path: Path) -> None:
    """`python -m tests.captures` mends it, where there is a Chromium."""
    assert report_page(program, tmp_path / "report.html") == text_of(REPORT.read_bytes())


def test_a_picture_says_of_which_text_it_is(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>Some text")
    png = photograph(tmp_path / "page.html", (300, 200), "Some text")
    assert (png is not None) == any(map(shutil.which, BROWSERS))
    assert png is None or (png.startswith(b"\x89PNG") and text_of(png) == "Some text")
