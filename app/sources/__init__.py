"""One module per API: its endpoints and its mapping to the canonical rows."""

from collections.abc import Callable

from app.records import Source
from app.settings import Settings
from app.sources.http import HttpClient
from app.sources.spacex import SpacexSource


def make_source(settings: Settings, on_retry: Callable[[str, int, float], None]) -> Source:
    """The source that the settings name."""
    return SpacexSource(HttpClient(on_retry=on_retry), settings.source_url, settings.spacex_api_version)
