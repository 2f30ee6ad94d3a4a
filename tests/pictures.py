"""Pictures of what a person sees: a terminal as SVG, a page as PNG that holds its text."""

import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from pyte.screens import Char

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_COLUMNS, _WIDTH, _HEIGHT, _MARGIN = 80, 8.4, 18, 16
_COLORS = {"red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341", "blue": "#79c0ff", "cyan": "#76e3ea"}
_TEXT, _GROUND = "#e6edf3", "#0d1117"
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_KEYWORD = b"Text"
Line = tuple[str, Sequence[Char]]
"""What stands in a line, and the cells that say in which colours."""


def terminal(lines: Sequence[Line], title: str) -> str:
    """These lines as an SVG; each piece has its width, so that any font of equal widths fits."""
    width, height = _COLUMNS * _WIDTH + 2 * _MARGIN, len(lines) * _HEIGHT + 2 * _MARGIN
    pieces = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img"',
        f'  font-family="{_FONT}" font-size="14">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{_GROUND}"/>',
        *(piece for number, line in enumerate(lines) for piece in _pieces(number, line)),
    ]
    return "\n".join([*pieces, "</svg>", ""])


def _pieces(number: int, line: Line) -> list[str]:
    text, cells = line
    styles = [_style(cell) for cell in cells[: len(text)]] + [_style(None)] * (len(text) - len(cells))
    y = _MARGIN + (number + 1) * _HEIGHT - 4
    pieces = []
    for style, columns in groupby(range(len(text)), styles.__getitem__):
        first, *rest = columns
        piece = text[first : first + 1 + len(rest)]
        if piece.strip():
            place = f'x="{_MARGIN + first * _WIDTH:.1f}" y="{y}" textLength="{len(piece) * _WIDTH:.1f}"'
            pieces.append(f'<text {place} xml:space="preserve"{style}>{escape(piece, quote=False)}</text>')
    return pieces


def _style(cell: Char | None) -> str:
    weight = ' font-weight="bold"' if cell and cell.bold else ""
    return f' fill="{_COLORS.get(cell.fg, _TEXT) if cell else _TEXT}"{weight}'


def photograph(page: Path, size: tuple[int, int], text: str) -> bytes | None:
    """A page as a browser shows it, as PNG that says of which text it is; None where there is no browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        window = [f"--window-size={size[0]},{size[1]}", "--blink-settings=preferredColorScheme=1"]
        command = [browser, *options, *window, f"--screenshot={picture}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        png = picture.read_bytes()
    return png[:-12] + _chunk(b"zTXt", _KEYWORD + b"\0\0" + zlib.compress(text.encode())) + png[-12:]


def text_of(png: bytes) -> str:
    """The text that a picture says it is of."""
    place = 8
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        kind, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        if kind == b"zTXt" and content.startswith(_KEYWORD + b"\0"):
            return zlib.decompress(content[len(_KEYWORD) + 2 :]).decode()
        place += 12 + length
    raise ValueError("the picture does not say of which text it is")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
