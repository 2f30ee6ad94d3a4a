"""The systems that a run works with."""

from dataclasses import dataclass

from ..core.ports import Lake, Source, Warehouse
from ..telemetry.stages import Telemetry


@dataclass(frozen=True)
class Adapters:
    """The three systems that a run works with, and what it tells of itself."""

    source: Source
    lake: Lake
    warehouse: Warehouse
    telemetry: Telemetry
