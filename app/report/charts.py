"""Charts as SVG elements, drawn by pygal and coloured by the page's own style sheet."""

from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree as ET

import pygal
from pygal.etree import etree
from pygal.style import Style

_WIDTH, _HEIGHT = 1000, 300
_FONT_PX = 13  # the style sheet has the same: pygal reserves room by it
_DIGIT_PX = 11  # at the largest size that the style sheet ever sets
_COUNT = "{:,.0f}".format


def stacked_bars(
    labels: Sequence[str], series: Mapping[str, Sequence[float]], told: Callable[[float], str] = _COUNT
) -> ET.Element:
    """Bars of several parts; each part tells its number where the pointer rests."""
    chart = pygal.StackedBar(**_options(labels, _COUNT))
    for name, values in series.items():
        chart.add(name, values, formatter=told)
    return _drawn(chart, list(series), "bar")


def line(labels: Sequence[str], name: str, values: Sequence[float | None], tips: Sequence[str]) -> ET.Element:
    """A line of percentages from 0 to 100, open where there is no value; each dot tells its tip."""
    # A place without a value at either end keeps the line off the axis.
    chart = pygal.Line(**_options(["", *labels, ""], "{:.0f} %".format), range=(0, 100), allow_interruptions=True, dots_size=4)
    chart.y_labels = [0, 25, 50, 75, 100]
    chart.add(name, [None, *map(_told, values, tips), None])
    return _drawn(chart, [name], "dots")


def _told(value: float | None, tip: str) -> dict[str, object]:
    return {"value": value, "formatter": lambda _: tip}


def _options(labels: Sequence[str], told: Callable[[float], str]) -> dict[str, object]:
    most = _WIDTH // (_DIGIT_PX * max(map(len, labels)) + _FONT_PX // 2)
    every = -(-len(labels) // most)
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "margin": 6,
        "margin_left": 16,
        "spacing": 8,
        "style": Style(label_font_size=_FONT_PX, major_label_font_size=_FONT_PX),
        "show_legend": False,
        "js": (),  # pygal's own is loaded from its author's site
        "no_prefix": True,
        "order_min": 0,
        "min_scale": 3,
        "max_scale": 6,
        "value_formatter": told,
        "x_labels": labels,
        "truncate_label": -1,  # never
        "x_labels_major_every": every,
        "show_minor_x_labels": every == 1,
    }


def _drawn(chart: pygal.graph.graph.Graph, names: Sequence[str], mark: str) -> ET.Element:
    """What pygal drew, without what it would style, script or say by itself."""
    etree.to_etree()  # where lxml is installed pygal would make elements of that kind
    svg: ET.Element = chart.render_tree()
    keep = svg.find("g")
    assert keep is not None
    svg[:] = [keep]
    svg.attrib = {"viewBox": svg.attrib["viewBox"], "class": "chart", "aria-hidden": "true"}  # a table beside it says the same
    keep[:] = [*keep.findall("g[@class='plot']"), *keep.findall("g[@class='plot overlay']")]
    for number, name in enumerate(names):
        for group in keep.findall(f"g/g[@class='series serie-{number} color-{number}']"):
            for parent in group.iter():
                parent[:] = [child for child in parent if child.get("class") != mark or not _is_empty(child)]
            for one in group.iter("g"):
                _tell(one, name)
    return svg


def _is_empty(mark: ET.Element) -> bool:
    rect = mark.find("rect")
    return rect is not None and not float(rect.get("height", "0"))


def _tell(mark: ET.Element, name: str) -> None:
    """Make pygal's notes for a script into a title, which browsers show without one."""
    notes = {(note.get("class") or "").split(" ")[0]: note.text or "" for note in mark.findall("desc")}
    if not notes:
        return
    mark[:] = [child for child in mark if child.tag != "desc"]
    ET.SubElement(mark, "title").text = f"{notes.get('x_label', '')}: {notes['value']} {name}"
