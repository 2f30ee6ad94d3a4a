"""The time that goes by before any code of ours can run: a bare process that loads the packages which a run loads."""

import importlib.metadata
import os
import re
import sys
from pathlib import Path

from benchmarks.measure import measure

WATCHED = ("-X", "importtime")
"""With these options Python tells each module that it loads."""
_OURS = "app"
# It leaves as the pipeline does, without tidying up. A few modules, such as those that six makes up, have no name to import.
_BARE = """
import importlib, os, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
os._exit(0)
"""


def packages_loaded(told: str) -> list[str]:
    """Modules of installed packages in the order in which a process with WATCHED told that it loaded them."""
    installed = importlib.metadata.packages_distributions().keys() - {_OURS}
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", told, re.MULTILINE)
    return [name for name in names if name.partition(".")[0] in installed]


def seconds(modules: list[str], log: Path) -> float:
    """How long a process takes that only loads these modules."""
    return measure([sys.executable, "-c", _BARE, *modules], os.environ, log).wall_s
