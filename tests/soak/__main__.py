"""The soak as a command, on servers of its own."""

import argparse
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.conftest import pytest_configure as clean_environment
from tests.fault.world import World, new_world
from tests.services import MotoServer, MysqlServer
from tests.soak.soak import SETTINGS, Soak
from tests.soak.troubles import SOON_S, Disturbance


def main() -> None:
    """Soak until the bound, or until something is wrong: then exit 1, with the seed and what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="repeats the choices of an earlier soak")
    parser.add_argument("--runs", type=int, default=200, help="most runs (default: 200)")
    parser.add_argument("--minutes", type=float, default=20, help="most minutes (default: 20)")
    options = parser.parse_args()
    clean_environment()
    print(f"seed {options.seed}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mysql = stack.enter_context(MysqlServer(folder / "mysql"))
        moto = stack.enter_context(MotoServer(folder / "moto"))
        world = stack.enter_context(new_world(mysql.admin, moto.endpoint, folder / "world", **SETTINGS))
        soak = Soak(world, options.seed, partial(print, flush=True), (_restarting(mysql),))
        try:
            count = soak.run(options.runs, options.minutes * 60)
        except AssertionError as error:
            again = f"make soak ARGS='--seed {options.seed} --runs {options.runs}'"
            sys.exit(f"\n{error}\n\nThe same choices again: {again}")
    print(f"{count} runs: both stores equal to the statement after every green one (seed {options.seed})")


def _restarting(server: MysqlServer) -> Disturbance:
    """The server is killed at some moment of a run, and started again."""

    def mysql_restarted(world: World, random: random.Random) -> list[int]:
        after_s = random.uniform(0.05, SOON_S)

        def restart() -> None:
            time.sleep(after_s)
            server.kill()
            server.start()

        other = threading.Thread(target=restart)
        other.start()
        try:
            return [world.run_forked()]
        finally:
            other.join()

    return Disturbance(mysql_restarted, frozenset({0, 6}))


if __name__ == "__main__":
    main()
