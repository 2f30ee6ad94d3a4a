"""One module or package an API: its endpoints, its mapping to the canonical rows, and what it leaves out.

`SOURCE` names the module, which has a function `make`, and may have `NOT_KEPT` and `NEVER_FILLED` (docs/adding-a-source.md).
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from types import ModuleType

from ..core.source import Source
from ..settings import Settings

Warn = Callable[[str], None]
"""Tells a person what should be known though the run goes on."""


def make_source(settings: Settings, warn: Warn) -> Source:
    """The source that the settings name."""
    module = _module(settings.source)
    assert module  # the settings were checked
    source: Source = module.make(settings, warn)
    return source


def is_source(name: str) -> bool:
    """Whether a module of this package is a source."""
    return _module(name) is not None


def known() -> list[str]:
    """The names of all sources."""
    return [module.name for module in pkgutil.iter_modules(__path__) if is_source(module.name)]


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
