"""What ends a run from outside."""

import signal
import time

from tests.program import Program
from tests.sample_api import Fault, SampleApi


def test_sigterm_ends_a_run_cleanly_and_the_next_completes(program: Program, api: SampleApi) -> None:
    api.fault("payloads", Fault(hang_s=60))
    process = program.start("run")
    while not any(request.path == "/v4/payloads" for request in api.requests):
        assert process.poll() is None
        time.sleep(0.05)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 143
    assert time.monotonic() - started < 20
    assert "stopped by SIGTERM" in out
    assert program.login.query("SELECT state FROM pipeline_runs") == (("failed",),)
    api.fault("payloads", None)
    program.run()
    program.assert_equal(40)


def test_a_run_that_takes_too_long_ends_with_the_code_of_what_it_waited_for(program: Program, api: SampleApi) -> None:
    api.fault("launches", Fault(drip_s=0.5))
    started = time.monotonic()
    failed = program("run", code=3, RUN_TIMEOUT_S="10")
    assert time.monotonic() - started < 25
    assert "RUN_TIMEOUT_S" in failed.lines[-1]["message"]
    assert failed.lines[-1]["stage"] == "extract"
