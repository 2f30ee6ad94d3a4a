"""A terminal of a given size, and what stands on it once a command has ended."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass

import pyte
from pyte.screens import Char

from tests.program import Program

_MOST_LINES = 10_000


@dataclass(frozen=True)
class Screen:
    """What a person sees: `visible` without scrolling, `lines` with all that has scrolled away; `raw` is what was written."""

    raw: bytes
    lines: list[str]
    visible: list[str]
    is_cursor_hidden: bool
    cells: list[list[Char]]  # of `lines`, with their colours

    @property
    def text(self) -> str:
        """What is seen without scrolling, as text."""
        return "\n".join(self.visible)


def started(program: Program, size: tuple[int, int], *arguments: str, **settings: str) -> tuple["subprocess.Popen[bytes]", int]:
    """A command on a terminal of so many columns and lines, and our end of it."""
    columns, lines = size
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {**program.environment, "TERM": "xterm-256color", **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *arguments], env=environment, stdout=theirs, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    return process, ours


def raw_text(process: "subprocess.Popen[bytes]", ours: int, code: int) -> bytes:
    """Everything that it wrote until it ended, as it must, with `code`."""
    text = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            text += chunk
    except OSError:  # how Linux says that the other end was closed
        pass
    os.close(ours)
    assert process.wait(60) == code, text.decode(errors="replace")
    assert b"Traceback" not in text
    return text


def on_screen(program: Program, size: tuple[int, int], *arguments: str, code: int = 0, **settings: str) -> Screen:
    """Run a command on such a terminal to its end."""
    raw = raw_text(*started(program, size, *arguments, **settings), code)
    return shown(raw, size, "latin-1" if "8859" in settings.get("LC_ALL", "") else "utf-8")


def shown(raw: bytes, size: tuple[int, int], encoding: str) -> Screen:
    """What stands on a terminal of that size once this was written to it."""
    columns, lines = size
    screen = pyte.HistoryScreen(columns, lines, history=_MOST_LINES, ratio=1)
    pyte.Stream(screen).feed(raw.decode(encoding))
    rows = [*screen.history.top, *(screen.buffer[line] for line in range(lines))]
    cells = [[row[column] for column in range(columns)] for row in rows]
    texts = ["".join(cell.data for cell in row).rstrip() for row in cells]
    return Screen(raw, texts, texts[-lines:], screen.cursor.hidden, cells)
