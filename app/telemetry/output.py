"""Standard output and standard error as a run writes to them: they never decide how it ends.

A stream that is closed or full, or whose reader has left, takes nothing more, and the run goes on. Characters that are not in its
encoding are escaped.
"""

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

ESCAPED = "spacex-pipeline-escaped"
_NAMES = {1: "standard output", 2: "standard error"}


class _Bytes:
    """The same for bytes, which Click writes completion scripts as."""

    def __init__(self, output: "Output") -> None:
        self._output = output

    def write(self, data: bytes) -> int:
        return self._output.write(data.decode()) and len(data)

    def flush(self) -> None:
        self._output.flush()


class Output(io.TextIOBase):
    """One of the two; `failure` says why it takes nothing more."""

    def __init__(self, number: int, stream: TextIO | None) -> None:
        self.name = _NAMES[number]
        self.failure: OSError | None = None
        self._stream = stream
        if stream is None:  # it was closed when the program began: the number must not become that of a file or a connection
            self.failure = OSError("it is closed")
            with contextlib.suppress(OSError):
                nothing = os.open(os.devnull, os.O_RDWR)
                if nothing != number:
                    os.dup2(nothing, number)
                    os.close(nothing)
            return
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            os.set_blocking(stream.fileno(), True)  # another process may have left it otherwise
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)

    def write(self, text: str) -> int:
        """Write what can still be written."""
        if self._stream and not self.failure:
            try:
                self._stream.write(text)
                if "\n" in text:
                    self._stream.flush()
            except OSError as error:
                self.failure = error
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:  # type: ignore[override]
        """Write each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand over what was written."""
        if self._stream and not self.failure:
            try:
                self._stream.flush()
            except OSError as error:
                self.failure = error

    def writable(self) -> bool:
        return True

    @property
    def buffer(self) -> _Bytes:
        """Where bytes are written."""
        return _Bytes(self)

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._stream is not None and not self.failure and self._stream.isatty()

    def fileno(self) -> int:
        """Its number, which terminals are asked their size by."""
        if self._stream is None:
            raise io.UnsupportedOperation
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """How characters become bytes."""
        return self._stream.encoding if self._stream else "utf-8"


def install() -> None:
    """Stand in for both streams, for everything that prints."""
    codecs.register_error(ESCAPED, _escape)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if not isinstance(getattr(sys, name), Output):
            setattr(sys, name, Output(number, getattr(sys, name)))


def conclude(outcome: str, meant_for: TextIO) -> None:
    """Tell how it ended on the other stream where its own could not be written."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if isinstance(meant_for, Output) and meant_for.failure:
        other = sys.stderr if meant_for is sys.stdout else sys.stdout
        reason = meant_for.failure.strerror or meant_for.failure
        other.write(f"spacex-pipeline: {outcome}; {meant_for.name} could not be written: {reason}\n")


def _escape(error: UnicodeError) -> tuple[str, int]:
    """What a stream's encoding lacks, as JSON escapes it: a log line stays one."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)), error.end
