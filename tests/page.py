"""A page of HTML as a browser would take it."""

from html.parser import HTMLParser
from pathlib import Path

from tests.program import Program


class Page(HTMLParser):
    """What a browser would make of a page: its tags with their attributes, its texts, its tables by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self.axis: list[str] = []  # what stands at the axes of the wide charts
        self._rows: list[list[str]] = []
        self._in_cell = self._in_text = self._in_wide = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._rows = self.tables[dict(attrs)["id"] or ""] = []
        elif tag == "svg":
            self._in_wide = dict(attrs)["class"] == "chart wide"
        elif tag == "text" and self._in_wide:
            self.axis.append("")
            self._in_text = True
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")
        self._in_text = self._in_text and tag != "text"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_text:
            self.axis[-1] += data
        if self._in_cell:
            self._rows[-1][-1] += data

    def rows(self, table: str) -> list[dict[str, str]]:
        """A table's rows by the names in its head."""
        head, *body = self.tables[table]
        return [dict(zip(head, row, strict=True)) for row in body]


def page_of(program: Program, out: Path, *arguments: str) -> Page:
    """What `report` writes."""
    program("report", "--out", str(out), *arguments)
    return Page(out.read_text(encoding="utf-8"))
