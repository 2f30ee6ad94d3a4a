"""Look at the built site as a browser without a network would: everything it loads is there, and every link leads somewhere."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
_URL = re.compile(r"url\(\s*['\"]?(?!data:|#)([^'\")]+)")


class _Page(HTMLParser):
    """What a page loads, where it leads, and the places in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what it names."""
        for name, value in attrs:
            if name == "id" and value:
                self.places.add(value)
            elif value and (tag, name) in _LOADED:
                self.loads.append(value)
            elif value and (tag, name) == ("a", "href"):
                self.links.append(value)


def faults(site: Path) -> list[str]:
    """What is wrong, a line each."""
    pages = {path: _Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        outside = [target for target in page.loads if urlsplit(target).netloc or not _file(path, target).exists()]
        found += [f"{path}: loads {target}, which is not in the site" for target in outside]
        for target in page.links:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = _file(path, target)
            if not to.exists():
                found.append(f"{path}: leads to {target}, which is not in the site")
            elif to in pages and parts.fragment and unquote(parts.fragment) not in pages[to].places:
                found.append(f"{path}: leads to {target}, and there is no such place")
    for path in site.rglob("*.css"):
        outside = [url for url in _URL.findall(path.read_text(encoding="utf-8")) if not _file(path, url).exists()]
        found += [f"{path}: loads {url}, which is not in the site" for url in outside]
    if not pages:
        found.append(f"{site} has no pages")
    return found


def _file(path: Path, target: str) -> Path:
    """The file that a target names, as seen from another."""
    named = unquote(urlsplit(target).path)
    return (path.parent / named).resolve() if named else path


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]).resolve())
    print(*wrong, sep="\n", end="\n" if wrong else "")
    sys.exit(bool(wrong))
