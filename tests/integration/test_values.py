"""Values that stores are known to alter: both must hold them exactly, and MySQL's own checksum must be ours."""

import math
import random
import struct
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.program import Program
from tests.sample_api import SampleApi
from tests.services.proxy import Proxy
from tests.services.server import HOST
from tests.strategies import launches

REALS = [
    *(0.0, 1.0, -1.0, 0.1, 1 / 3, 1e14, 1e15, 123456789012345.6, 1e16, 1e17, 1e22, 1e300, 1.7976931348623157e308),
    *(1e-4, 1e-5, 1.5e-10, 1e-14, 1e-15, 1e-16, 5e-324, 2.2250738585072014e-308, 0.30000000000000004, 1312988.55, -120.5931438),
]


def batched(values: list[Any], size: int) -> list[list[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def test_floats_of_every_size_have_the_same_text_in_mysql(program: Program, api: SampleApi) -> None:
    rng = random.Random(7)
    reals = [*REALS, *(struct.unpack("d", rng.randbytes(8))[0] for _ in range(3000))]
    reals = [value for value in reals if math.isfinite(value)]
    failures = [{"time": None, "altitude": value, "reason": None} for value in reals]
    launches_of_1000 = [
        {"id": f"launch-{number}", "date_utc": "2020-01-01T00:00:00Z", "failures": some}
        for number, some in enumerate(batched(failures, 1000))
    ]
    api.set("launches", launches_of_1000)
    program.run()
    stored = [row["altitude_km"] for row in program.in_mysql("launch_failures")]
    assert stored == reals
    program.assert_equal(len(launches_of_1000))


def test_whatever_a_sound_record_holds_comes_through(program: Program, api: SampleApi) -> None:
    records: dict[str, Any] = {}

    @settings(max_examples=150, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(launches(), max_size=8))
    def collect(some: list[Any]) -> None:
        records.update({record["id"]: record for record in some})

    collect()
    assert len(records) > 100
    api.set("launches", list(records.values()))
    result = program.run()
    assert result["rejected"] == 0
    found = {row["launch_id"]: row for row in program.in_mysql("launches")}
    assert {i: (row["name"], row["details"], row["window_s"]) for i, row in found.items()} == {
        i: (record["name"], record["details"], record["window"]) for i, record in records.items()
    }
    program.assert_equal(len(records))


def test_h11_a_lost_answer_to_commit_is_looked_up_and_not_done_again(program: Program, api: SampleApi) -> None:
    with Proxy(program.login.host, program.login.port, mysql=True) as proxy:
        proxy.lose(b"\x03COMMIT$")
        result = program.run(MYSQL_HOST=HOST, MYSQL_PORT=str(proxy.port))
    assert proxy.lost == 1
    assert result["state"] == "published"
    assert [warning for warning in result["warnings"] if "COMMIT was lost" in warning and "attempt 2" in warning]
    assert [row[0] for row in program.login.query("SELECT state FROM pipeline_runs")] == ["published"]
    program.assert_equal(40)
