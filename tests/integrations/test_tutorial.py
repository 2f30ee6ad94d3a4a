"""The README and docs/tutorial.md: each command is typed as it stands there, and prints what stands below it."""

from pathlib import Path

import pytest

from tests.tutorial import PAGES, typed


@pytest.mark.xdist_group("page-tutorial")
def test_the_commands_of_readme_and_tutorial_print_what_is_shown(tmp_path: Path) -> None:
    """`python -m tests.tutorial` mends it."""
    found = typed(tmp_path / "checkout")
    for page in PAGES:
        assert found[page] == page.read_text()
