"""One module or package an API: its endpoints, its mapping to the canonical rows, and what it leaves out.

`SOURCE` names the module, which has a function `make`, and may have `NOT_KEPT` and `NEVER_FILLED` (docs/adding-a-source.md).
"""

import importlib
import importlib.util
import pkgutil
from types import ModuleType


def module(name: str) -> ModuleType:
    """The module of a source that there is: its `make` takes the settings, and a function that warns a person."""
    found = _module(name)
    assert found  # the settings were checked
    return found


def is_source(name: str) -> bool:
    """Whether a module of this package is a source."""
    return _module(name) is not None


def known() -> list[str]:
    """The names of all sources."""
    return [found.name for found in pkgutil.iter_modules(__path__) if is_source(found.name)]


def not_kept(name: str) -> dict[str, str]:
    """Fields of a source that have no column, and why."""
    return dict(getattr(_module(name), "NOT_KEPT", {}))


def never_filled(name: str) -> dict[str, tuple[str, ...]]:
    """Columns that a source never fills, by table. `name` is the module's, or that of a run's source: `launch_library-88`."""
    return dict(getattr(_module(name.partition("-")[0]), "NEVER_FILLED", {}))


def _module(name: str) -> ModuleType | None:
    full = f"{__name__}.{name}"
    if not name.isidentifier() or importlib.util.find_spec(full) is None:
        return None
    module = importlib.import_module(full)
    return module if hasattr(module, "make") else None
