"""What is wrong with a built site is found: links that lead nowhere, and whatever would be loaded from elsewhere."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs/site/check.py"
SOUND = '<h1 id="top">Here</h1><a href="other.html#there">there</a><a href="https://example.invalid">outside</a><img src="a.png">'


@pytest.fixture
def faults() -> Callable[[Path], list[str]]:
    spec = importlib.util.spec_from_file_location("check", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[Path], list[str]] = module.faults
    return found


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("", None),
        ('<a href="gone.html">x</a>', "leads to gone.html"),
        ('<a href="other.html#nowhere">x</a>', "leads to other.html#nowhere"),
        ('<a href="#nowhere">x</a>', "leads to #nowhere"),
        ('<img src="b.png">', "loads b.png"),
        ('<script src="https://cdn.example.invalid/x.js"></script>', "loads https://cdn.example.invalid/x.js"),
        ('<link rel="stylesheet" href="//fonts.example.invalid/x.css">', "loads //fonts.example.invalid/x.css"),
    ],
)
def test_each_kind_of_fault_is_named(tmp_path: Path, faults: Callable[[Path], list[str]], more: str, fault: str | None) -> None:
    (tmp_path / "index.html").write_text(SOUND + more)
    (tmp_path / "other.html").write_text('<p id="there">There</p>')
    (tmp_path / "a.png").touch()
    (tmp_path / "style.css").write_text("body {background: url(a.png)} i {mask: url('data:image/png,x')}")
    found = faults(tmp_path)
    assert [line for line in found if fault is None or fault not in line] == []
    assert len(found) == (fault is not None)


def test_a_style_sheet_loads_nothing_from_elsewhere_and_a_site_has_pages(
    tmp_path: Path, faults: Callable[[Path], list[str]]
) -> None:
    (tmp_path / "style.css").write_text("@font-face {src: url(https://fonts.example.invalid/x.woff2)}")
    css, empty = faults(tmp_path)
    assert "loads https://fonts.example.invalid/x.woff2" in css
    assert empty.endswith("has no pages")
