"""HTML as elements: text can't become markup, wherever it came from."""

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

Child = ET.Element | str | None

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # HTML has no way to write these


def tag(name: str, /, *children: Child | Iterable[Child], **attributes: str | None) -> ET.Element:
    """One element; attributes that are None are left out, `class_` is `class`, `data_x` is `data-x`."""
    element = ET.Element(name, {k.rstrip("_").replace("_", "-"): _clean(v) for k, v in attributes.items() if v is not None})
    for child in children:
        for one in [child] if child is None or isinstance(child, str | ET.Element) else child:
            _append(element, one)
    return element


def table(id_: str, headers: Sequence[str], rows: Iterable[Sequence[Child]], *, texts: int = 1) -> ET.Element:
    """A table whose first columns hold text and the others numbers; each row begins with its heading."""
    kinds = ["text" if place < texts else "number" for place in range(len(headers))]
    body = []
    for row in rows:
        cells = [
            tag("td" if place else "th", cell, class_=kind, scope=None if place else "row")
            for place, (cell, kind) in enumerate(zip(row, kinds, strict=True))
        ]
        body.append(tag("tr", cells))
    head = tag("tr", (tag("th", name, class_=kind, scope="col") for name, kind in zip(headers, kinds, strict=True)))
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), id=id_), class_="scroll")


def section(title: str, text: str, *children: Child, empty: bool = False) -> ET.Element:
    """A part of the page; a figure that comes first stays with the heading when the page is printed."""
    shown = [tag("p", "No data.", class_="dim")] if empty else [*children]
    lead: list[Child] = [tag("h2", title), tag("p", text)]
    if shown and isinstance(shown[0], ET.Element) and shown[0].tag == "figure":
        lead.append(shown.pop(0))
    return tag("section", tag("div", lead, class_="lead"), shown)


def details(numbers: ET.Element) -> ET.Element:
    """A chart's numbers, open where someone asks for them and on paper."""
    return tag("details", tag("summary", "The numbers"), numbers, class_="numbers")


def mark(text: str, kind: str) -> ET.Element:
    """A verdict: `kind` is good, warn or bad, and the text says the same."""
    return tag("span", text, class_=f"mark {kind}")


def unbroken(text: str) -> ET.Element:
    """Text that stays on one line."""
    return tag("span", text, class_="unbroken")


def document(title: str, style: str, body: Iterable[Child]) -> str:
    """A whole page that loads nothing, and that the browser is told to let load nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", content=policy, http_equiv="Content-Security-Policy"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style),
    )
    page = tag("html", head, tag("body", body), lang="en")
    return "<!DOCTYPE html>\n" + ET.tostring(page, encoding="unicode", method="html") + "\n"


def _append(element: ET.Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, ET.Element):
        element.append(child)
    elif len(element):
        element[-1].tail = (element[-1].tail or "") + _clean(child)
    else:
        element.text = (element.text or "") + _clean(child)


def _clean(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)
