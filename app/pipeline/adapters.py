"""The systems that a run works with."""

from dataclasses import dataclass

from ..core.source import Source
from ..lake.store import S3Lake
from ..mysql.warehouse import MysqlWarehouse
from ..telemetry.stages import Telemetry


@dataclass(frozen=True)
class Adapters:
    """The three systems that a run works with, and what it tells of itself."""

    source: Source
    lake: S3Lake
    warehouse: MysqlWarehouse
    telemetry: Telemetry
