"""The program, from its arguments to its exit code."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):  # before anything else: imports take most of a second
        signal.signal(number, _stop)
    import resource

    from .telemetry import output

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the password
    output.install()
    try:
        code = _main()
    except Exception as error:  # noqa: BLE001  # not even its text is printed: it may hold a secret, and those are not known here
        sys.stderr.write(f"spacex-pipeline: a fault of the program: {type(error).__name__}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nobody waits for a thread that still hangs on a socket


def _main() -> int:
    from . import cli

    request = cli.parse(sys.argv[1:])
    if isinstance(request, int):
        return request
    # Before Arrow is loaded: its own allocator keeps what was freed, up to twice the memory at the peak.
    os.putenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    _give_memory_back()
    if not request.needs_frames:  # Arrow would import pandas and NumPy, a third of a second and 46 MB, and needs neither
        sys.modules["numpy"] = None  # type: ignore[assignment]  # the documented way to say: not to be found
    from .commands.wiring import execute  # takes most of a second to import: help and usage errors do without

    return execute(request)


def _give_memory_back() -> None:
    """Have glibc keep what was freed in two places: of itself it has one for each thread, a tenth of the peak in all."""
    import contextlib
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def _stop(number: int, _: FrameType | None) -> None:
    """A signal before the command has begun: there is nothing to undo."""
    line = f"spacex-pipeline: stopped by {signal.Signals(number).name} before anything was done\n".encode()
    for stream in (2, 1):
        try:
            os.write(stream, line)
            break
        except OSError:
            continue
    os._exit(128 + number)


if __name__ == "__main__":
    main()
