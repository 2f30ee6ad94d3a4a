"""The soak itself: the source changes, somebody alters a store, a run is disturbed; what came of it is held to the statement."""

import time
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fault.world import World
from tests.soak.alterations import ALTERATIONS
from tests.soak.source import Source
from tests.soak.statement import Rows, Statement, assert_equal, assert_history, assert_rows, in_mysql, to_the_byte
from tests.soak.troubles import CALM, DISTURBANCES, Disturbance

TIMEOUT_S, GRACE_S = 60, 15
SETTINGS = {"RUN_TIMEOUT_S": str(TIMEOUT_S), "MAX_REJECTED_RATIO": "1", "MAX_SHRINK_RATIO": "1"}
ALTERED = 0.4  # share of the runs before which a store is altered, where nothing else is left to repair
QUIET = 0.5  # share of those for which the source has nothing new, so that nothing but the alteration makes a run write


class Soak:
    """One world that lives through many runs. Every choice comes from the seed and the number of the run."""

    def __init__(self, world: World, seed: int, say: Callable[[str], None] = print, more: tuple[Disturbance, ...] = ()) -> None:
        self._world = world
        self._seed = seed
        self._say = say
        self._disturbances = [*DISTURBANCES, *more]
        self._source = Source()
        self._statement = Statement()
        self._is_green = False
        self._is_altered = False
        self._lost: set[tuple[str, str]] = set()  # raw objects that were removed

    def run(self, runs: int, seconds: float = float("inf")) -> int:
        """So many runs, or as many as there is time for, and an undisturbed one last; how many there were."""
        ends = time.monotonic() + seconds
        number = 0
        while number < runs - 1 and time.monotonic() < ends:
            number += 1
            self.step(number)
        self.step(number + 1, CALM)
        return number + 1

    def step(self, number: int, disturbance: Disturbance | None = None) -> None:
        """One run. Raises AssertionError when it ended, or left the stores, as it must not."""
        random = Random(f"{self._seed}/{number}")
        is_due = random.random() < ALTERED
        is_quiet = is_due and random.random() < QUIET
        changes = [] if is_quiet else self._source.evolve(random)
        self._source.serve(self._world.api)
        found = disturbance or random.choices(self._disturbances, [one.weight for one in self._disturbances])[0]
        story = [f"seed {self._seed}, run {number}: {found.name}; source: {', '.join(changes) or 'as before'}"]
        try:
            self._step(
                found, Random(f"{self._seed}/{number}/run"), (is_due and self._alter(number, story)) or bool(changes), story
            )
        except Exception as error:
            output = self._world.folder / "output"
            said = output.read_text(errors="replace")[-6000:] if output.exists() else ""
            raise AssertionError("\n".join([*story, str(error), said])) from error
        finally:
            self._say("; ".join(story))

    def _alter(self, number: int, story: list[str]) -> bool:
        """Alter a store, only one until the next green run: what neither holds can't be repaired."""
        random = Random(f"{self._seed}/{number}/alteration")
        if not self._is_green:
            return False
        alter = random.choice(ALTERATIONS)
        raw = self._world.versions("raw/")
        story.append(f"altered: {alter.__name__} {alter(self._world, random)}")
        self._lost |= raw - self._world.versions("raw/")
        self._is_altered = True
        return True

    def _step(self, disturbance: Disturbance, random: Random, has_news: bool, story: list[str]) -> None:
        untouched = to_the_byte(self._world) if self._is_green and not has_news and disturbance is CALM else None
        before = in_mysql(self._world)
        wanted = self._statement.after(self._source)
        began = time.monotonic()
        codes = disturbance.run(self._world, random)
        took_s = time.monotonic() - began
        story.append(f"exit {', '.join(map(str, codes))} after {took_s:.1f} s")
        assert set(codes) <= disturbance.explains, f"only {sorted(disturbance.explains)} is explained"
        assert took_s < TIMEOUT_S + GRACE_S
        self._wait_for_sessions()
        self._is_green = 0 in codes and set(codes) <= {0, 7}
        if self._is_green:
            self._statement.publish(wanted)
            assert_equal(self._world, wanted, self._statement.history, self._lost)
            self._is_altered = False
            assert untouched in (None, to_the_byte(self._world)), "an unchanged source was written again"
        else:
            self._assert_whole(before, wanted, story)

    def _assert_whole(self, before: dict[str, list[dict[str, Any]]], wanted: Rows, story: list[str]) -> None:
        """MySQL is as it was or as it must become, its history too."""
        stored = in_mysql(self._world)
        if stored == before:
            if not self._is_altered:
                assert_history(self._world, self._statement.history)
            return
        assert_rows(stored, wanted)
        story.append("committed")
        self._statement.publish(wanted)
        assert_history(self._world, self._statement.history)

    def _wait_for_sessions(self) -> None:
        """What a killed run's last statement did is seen only when its session is over."""
        deadline = time.monotonic() + 20
        while self._world.login.query("SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID()") != (
            (0,),
        ):
            assert time.monotonic() < deadline, "sessions of runs that ended are still there"
            time.sleep(0.02)
