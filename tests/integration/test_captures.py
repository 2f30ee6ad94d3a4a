"""The page that shows what a person sees is what the program shows."""

from tests.captures import PAGE, page
from tests.program import Program
from tests.sample_api import SampleApi


def test_the_page_shows_what_the_program_shows(small: Program, small_api: SampleApi) -> None:
    """`python -m tests.captures` mends it."""
    assert page(small, small_api) == PAGE.read_text()
