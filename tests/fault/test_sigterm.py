"""SIGTERM at any stage: the run rolls back, tells its end, and leaves with 143 in time; the next one completes."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.fault.stopped import Stop
from tests.fault.world import AFTER, State, World, new_world, side_by_side
from tests.services import AwsEndpoint, Login
from tests.services.proxy import Proxy, Trouble
from tests.services.server import HOST

IN_TIME_S = 20  # ECS kills 30 s after SIGTERM


def test_sigterm_at_any_effect(worlds: list[World], good: tuple[State, State, list[str]]) -> None:
    before, after, effects = good

    def one(world: World, effect: str) -> None:
        world.reset()
        world.api.set("launches", AFTER)
        started = time.monotonic()
        assert world.run_forked(Stop(effect, "before", "term")) == 143, world.last_line
        assert time.monotonic() - started < IN_TIME_S
        assert "stopped by SIGTERM" in world.last_line
        assert world.rows() in (before["mysql"], after["mysql"])
        assert world.published() in (before["manifest"], after["manifest"])
        assert world.run_forked() == 0, world.last_line
        assert world.state() == after

    failures = side_by_side(worlds, effects, one)
    assert not failures, "\n\n".join(failures)


@pytest.mark.parametrize(
    ("partner", "since"),
    [
        ("source", b"^GET /v4/payloads"),
        ("s3", b"^GET /"),
        ("s3", b"^PUT /[^/]+/raw/"),
        ("s3", b"^PUT /[^/]+/launch"),
        ("s3", b"^PUT /[^/]+/manifests/run"),
        ("mysql", b""),
        ("mysql", b"CREATE TABLE"),
        ("mysql", b"LOAD DATA"),
        ("mysql", b"BIT_XOR"),
        ("mysql", b"\x03COMMIT$"),
    ],
    ids=str,
)
def test_sigterm_while_a_partner_is_silent(mysql: Login, aws: AwsEndpoint, tmp_path: Path, partner: str, since: bytes) -> None:
    """Where no safe point comes by itself; every line reaches the log service all the same."""
    group = f"/test/{tmp_path.name}"
    aws.create_log_group(group)
    with new_world(mysql, aws, tmp_path / "world", LOG_GROUP=group) as world:
        s3 = (HOST, int(aws.url.rpartition(":")[2]))
        host, port = {
            "s3": s3,
            "mysql": (world.login.host, world.login.port),
            "source": (HOST, int(world.api.url.rpartition(":")[2])),
        }[partner]
        with Proxy(host, port, mysql=partner == "mysql") as proxy:
            proxy.fail(Trouble(since, hole=True))
            settings = {
                "s3": {"AWS_ENDPOINT_URL": proxy.url, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": aws.url},
                "mysql": {"MYSQL_HOST": HOST, "MYSQL_PORT": str(proxy.port)},
                "source": {"SOURCE_URL": proxy.url},
            }[partner]
            process = world.start("run", **settings)
            while not proxy.failing:
                assert process.poll() is None, process.communicate()
                time.sleep(0.02)
            time.sleep(0.3)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=60)
            took = time.monotonic() - started
        assert process.returncode == 143, out[-2000:]
        assert took < IN_TIME_S
        lines = [json.loads(line) for line in out.splitlines()]
        lines = [line for line in lines if "message" in line]
        assert "stopped by SIGTERM" in lines[-1]["message"]
        client = aws.client("logs")
        events = client.get_log_events(logGroupName=group, logStreamName=lines[-1]["run_id"], startFromHead=True)["events"]
        assert [json.loads(event["message"]) for event in events] == lines
        assert world.run_forked() == 0, world.last_line
        world.assert_equal(3)
