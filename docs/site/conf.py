"""The documents as a site: `make docs`. Pages are read where they lie, so that their links hold in a checkout too.

Sphinx, MyST and furo: the site works from a file system, search and fonts too, and loads nothing from elsewhere.
"""

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from app import __version__  # noqa: E402 - the path is needed first

project = "SpaceX Data Pipeline"
version = release = __version__
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/RESULTS.md"]
exclude_patterns = [".*", "app", "build", "infra", "integrations", "site", "tests"]

html_theme = "furo"
html_title = f"{project} {release}"
html_extra_path = ["index.html"]  # the front page lies in docs/
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"footer_icons": []}
templates_path: list[str] = []

myst_heading_anchors = 4
suppress_warnings = ["myst.header", "misc.highlighting_failure"]


def setup(app: Sphinx) -> None:
    """Diagrams stay text: what draws them would have to be fetched."""
    app.add_lexer("mermaid", TextLexer)
