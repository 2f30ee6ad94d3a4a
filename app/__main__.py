"""The program, from its arguments to its exit code."""

import contextlib
import os
import resource
import sys
from typing import NoReturn

from . import cli


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the password
    request = cli.parse(sys.argv[1:])
    code = request if isinstance(request, int) else _execute(request)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # nobody waits for a thread that still hangs on a socket


def _execute(request: cli.Request) -> int:
    # Before Arrow is loaded: its own allocator keeps what was freed, up to twice the memory at the peak.
    os.putenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    if not request.needs_frames:  # Arrow would import pandas and NumPy, a third of a second and 46 MB, and needs neither
        sys.modules["numpy"] = None  # type: ignore[assignment]  # the documented way to say: not to be found
    from .commands.wiring import execute  # takes most of a second to import: help and usage errors do without

    return execute(request)


if __name__ == "__main__":
    main()
