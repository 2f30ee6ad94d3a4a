"""The systems that a run works with."""

from dataclasses import dataclass

from app.core.ports import Lake, Source, Warehouse
from app.telemetry.stages import Telemetry


@dataclass(frozen=True)
class Edges:
    """The three systems that a run works with, and what it tells of itself."""

    source: Source
    lake: Lake
    warehouse: Warehouse
    telemetry: Telemetry
