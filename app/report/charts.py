"""Charts as SVG, drawn by pygal and coloured by the page's own style sheet; each one wide and, for small screens, narrow."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup
from pygal.etree import etree
from pygal.style import Style

# Pygal looks for plug-ins by a hook of a form that Python 3.11 warns of at every later import. None are used here.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

_SIZES = {"wide": (1000, 300), "narrow": (400, 260)}
_FONT_PX = 13  # the style sheet has the same: pygal reserves room by it
_DIGIT_PX = 11  # at the largest size that the style sheet ever sets
_TICKS = 5
_LABEL = "A chart; the table after it has the numbers"
_COUNT = "{:,.0f}".format


def stacked_bars(labels: Sequence[str], series: Mapping[str, Sequence[float]], show: Callable[[float], str] = _COUNT) -> Markup:
    """Bars of several parts; each part shows its number where the pointer rests."""
    ticks = axis(max(map(sum, zip(*series.values(), strict=True))))

    def draw(size: str) -> ET.Element:
        chart = pygal.StackedBar(**_options(size, labels, ticks, _COUNT))
        for name, values in series.items():
            chart.add(name, values, formatter=show)
        return _drawn(chart, size, list(series), "bar")

    return _in_all_sizes(draw)


def line(labels: Sequence[str], name: str, values: Sequence[float | None], tips: Sequence[str]) -> Markup:
    """A line of percentages from 0 to 100, open where there is no value; each dot shows its tip."""
    points = [{"value": value, "formatter": lambda _, tip=tip: tip} for value, tip in zip(values, tips, strict=True)]

    def draw(size: str) -> ET.Element:
        # A place without a value at either end keeps the line off the axis.
        options = _options(size, ["", *labels, ""], [0, 25, 50, 75, 100], "{:.0f} %".format)
        chart = pygal.Line(**options, allow_interruptions=True, dots_size=4)
        chart.add(name, [None, *points, None])
        return _drawn(chart, size, [name], "dots")

    return _in_all_sizes(draw)


def axis(highest: float) -> list[float]:
    """Round numbers from 0 to above the highest bar."""
    least = max(highest, 1) / _TICKS
    power = 10.0 ** math.floor(math.log10(least))
    step = max(1.0, next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least))
    return [step * number for number in range(math.floor(highest / step) + 2)]


def _in_all_sizes(draw: Callable[[str], ET.Element]) -> Markup:
    # ElementTree escapes every text and attribute, so this is markup.
    return Markup("").join(Markup(ET.tostring(draw(size), encoding="unicode", method="html")) for size in _SIZES)  # noqa: S704


def _options(size: str, labels: Sequence[str], ticks: Sequence[float], show: Callable[[float], str]) -> dict[str, object]:
    width, height = _SIZES[size]
    most = width // (_DIGIT_PX * max(map(len, labels)) + _FONT_PX // 2)
    every = -(-len(labels) // most)
    return {
        "width": width,
        "height": height,
        "margin": 6,
        "margin_left": 16,
        "spacing": 8,
        "style": Style(label_font_size=_FONT_PX, major_label_font_size=_FONT_PX),
        "show_legend": False,
        "js": (),  # pygal's own is loaded from its author's site
        "no_prefix": True,
        "range": (0, ticks[-1]),
        "y_labels": ticks,
        "value_formatter": show,
        "x_labels": labels,
        "truncate_label": -1,  # never
        "x_labels_major_every": every,
        "show_minor_x_labels": every == 1,
    }


def _drawn(chart: pygal.graph.graph.Graph, size: str, names: Sequence[str], mark: str) -> ET.Element:
    """What pygal drew, without its own styles, scripts and texts."""
    etree.to_etree()  # where lxml is installed pygal would make elements of that kind
    svg: ET.Element = chart.render_tree()
    keep = svg.find("g")
    assert keep is not None
    svg[:] = [keep]
    svg.attrib = {"viewBox": svg.attrib["viewBox"], "class": f"chart {size}", "role": "img", "aria-label": _LABEL}
    keep[:] = [*keep.findall("g[@class='plot']"), *keep.findall("g[@class='plot overlay']")]
    for number, name in enumerate(names):
        for group in keep.findall(f"g/g[@class='series serie-{number} color-{number}']"):
            for parent in group.iter():
                parent[:] = [child for child in parent if child.get("class") != mark or not _is_empty(child)]
            for one in group.iter("g"):
                _add_title(one, name)
    return svg


def _is_empty(mark: ET.Element) -> bool:
    rect = mark.find("rect")
    return rect is not None and not float(rect.get("height", "0"))


def _add_title(mark: ET.Element, name: str) -> None:
    """Turn pygal's notes, which are for a script, into a title, which browsers show without one."""
    notes = {(note.get("class") or "").split(" ")[0]: note.text or "" for note in mark.findall("desc")}
    if not notes:
        return
    mark[:] = [child for child in mark if child.tag != "desc"]
    ET.SubElement(mark, "title").text = f"{notes.get('x_label', '')}: {notes['value']} {name}"
