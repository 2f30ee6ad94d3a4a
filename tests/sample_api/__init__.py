"""A loopback server that answers as the r-spacex SpaceX API and Launch Library 2 do, and that misbehaves when told to."""

from tests.sample_api.api import SampleApi
from tests.sample_api.faults import Fault
from tests.sample_api.server import Request

__all__ = ["Fault", "Request", "SampleApi"]
