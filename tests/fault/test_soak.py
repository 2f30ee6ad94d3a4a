"""Fifty runs of the soak, the same in every run of the tests; `make soak` has as many as one likes."""

from pathlib import Path

import pytest

from tests.fault.world import new_world
from tests.services import AwsEndpoint, Login
from tests.soak.soak import SETTINGS, Soak

RUNS = 25


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_disturbs_the_runs_green_ones_leave_what_the_statement_says(
    mysql: Login, aws: AwsEndpoint, tmp_path: Path, seed: int
) -> None:
    with new_world(mysql, aws, tmp_path / "world", **SETTINGS) as world:
        assert Soak(world, seed).run(RUNS) == RUNS
