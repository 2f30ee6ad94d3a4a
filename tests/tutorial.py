"""The README and docs/tutorial.md: their commands typed, with what they print below; `python -m tests.tutorial` writes it."""

import tempfile
from pathlib import Path

from tests.typed import ROOT, Page, Shell, copied

PAGES = {  # in the order in which a person reads them, and what is typed first
    ROOT / "README.md": "make run-local ENGINE=native",  # its own line takes containers where there are any
    ROOT / "docs/tutorial.md": ":",
}


def typed(folder: Path) -> dict[Path, str]:
    """The pages, as their commands answer in a copy of the checkout; what they started is stopped."""
    found = {}
    checkout = copied(folder)
    for page, first in PAGES.items():
        with Shell(checkout) as shell:
            try:
                shell.enter(first)
                found[page] = Page(page.read_text()).typed(shell)
            finally:
                shell.enter("make down")
    return found


def main() -> None:
    """Write the pages."""
    with tempfile.TemporaryDirectory() as folder:
        for page, text in typed(Path(folder) / "checkout").items():
            page.write_text(text)


if __name__ == "__main__":
    main()
