"""One module per API: its endpoints and its mapping to the canonical rows.

`SOURCE` names the module, which has a function `make`: one file is a whole source (docs/adding-a-source.md).
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from types import ModuleType

from app.core.ports import Source
from app.settings import Settings

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


def _module(name: str) -> ModuleType | None:
    full = f"{__name__}.{name}"
    if not name.isidentifier() or importlib.util.find_spec(full) is None:
        return None
    module = importlib.import_module(full)
    return module if hasattr(module, "make") else None
