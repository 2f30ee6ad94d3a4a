"""Keeps the other tests out of this folder: its tests have tools and an environment of their own (`make test-infra`)."""

from pathlib import Path

import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Collect only where this folder is the root."""
    return None if config.rootpath == Path(__file__).parent else True
