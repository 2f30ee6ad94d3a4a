"""A source of a few launches that changes at random between runs."""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fault.world import launch
from tests.sample_api import SampleApi

Record = dict[str, Any]
LEAST, MOST = 6, 10  # launches
YEARS = (2019, 2020, 2021, 2022)
WORDS = ("Changed.", "A tab\tand a line\nend", "Über 漢字 🚀", 'it\'s \\N "quoted"', "", "NULL", " spaces ")
DAMAGE = ({"success": "no"}, {"date_utc": None}, {"date_utc": "soon"}, {"crew": [["nobody"]]}, {"window": 2**63}, {"cores": {}})
RETURNED = 0.4  # share of the changes that undo an earlier one, where there is one


class Source:
    """Records as the API serves them, those that are gone, and what damaged ones were before."""

    def __init__(self) -> None:
        self._number = 0
        self.launches: list[Record] = []
        self._gone: list[Record] = []
        self._sound: dict[str, Record] = {}  # damaged ones, as they were
        self.lookups: dict[str, list[Record]] = {
            "rockets": [{"id": "r1", "name": "Rocket"}, {"id": "r2", "name": "Other rocket"}],
            "payloads": [{"id": f"p{i}", "name": f"Payload {i}", "mass_kg": 100.5 * i, "orbit": "LEO"} for i in range(1, 7)],
            "cores": [{"id": "c1", "serial": "B1", "block": 5}],
            "crew": [{"id": "m1", "name": "Member"}],
            "launchpads": [{"id": "l1", "name": "Pad", "latitude": 28.5, "longitude": -80.25}],
            "landpads": [],
        }
        for year in (*YEARS, *YEARS):
            self._add(year)

    def serve(self, api: SampleApi) -> None:
        """Serve what there is now."""
        api.set("launches", self.launches)
        for kind, records in self.lookups.items():
            api.set(kind, records)

    def evolve(self, random: Random) -> list[str]:
        """Change something, or nothing; what it was."""
        changes = [random.choice(CHANGES) for _ in range(random.choice((0, 1, 1, 2, 3)))]
        before = json.dumps([self.launches, self.lookups])
        for change in changes:
            change(self, random)
        return [change.__name__ for change in changes] if json.dumps([self.launches, self.lookups]) != before else []

    # --- changes ------------------------------------------------------------------------------------------------------

    def facts(self, random: Random) -> None:
        """Some columns of a launch, and now and then its children."""
        one = self._one(random)
        for _ in range(random.randint(1, 3)):
            name, values = random.choice(FACTS)
            one[name] = copy.deepcopy(random.choice(values))

    def year(self, random: Random) -> None:
        """A launch moves, mostly to another year."""
        self._one(random)["date_utc"] = _date(random.choice(YEARS), random.randint(1, 12))

    def came(self, random: Random) -> None:
        """A new launch, or one that was gone is back."""
        if len(self.launches) >= MOST:
            self.went(random)
        elif self._gone and random.random() < RETURNED:
            self.launches.append(self._gone.pop(random.randrange(len(self._gone))))
        else:
            self._add(random.choice(YEARS))

    def went(self, random: Random) -> None:
        """A launch is no longer listed."""
        if len(self.launches) > LEAST:
            self._gone.append(self.launches.pop(random.randrange(len(self.launches))))

    def damaged(self, random: Random) -> None:
        """A launch can't be used, or can be again."""
        if self._sound and random.random() < RETURNED:
            name = random.choice(sorted(self._sound))
            places = [i for i, one in enumerate(self.launches) if one.get("id") == name]
            sound = self._sound.pop(name)
            for place in places:
                self.launches[place] = sound
            return
        one = self._one(random)
        self._sound.setdefault(one["id"], copy.deepcopy(one))
        one.update(copy.deepcopy(random.choice(DAMAGE)))

    def nameless(self, _: Random) -> None:
        """A record without an id, or no longer one."""
        sound = [one for one in self.launches if "id" in one]
        self.launches = [*sound, {"name": "no id"}] if len(sound) == len(self.launches) else sound

    def twice(self, random: Random) -> None:
        """A launch that is listed twice, with other facts."""
        if len(self.launches) < MOST:
            self.launches.append({**copy.deepcopy(self._one(random)), "details": random.choice(WORDS)})

    def order(self, random: Random) -> None:
        """The same launches in another order."""
        random.shuffle(self.launches)

    def lookup(self, random: Random) -> None:
        """A lookup's facts; a payload that is no longer known, or is again."""
        kind = random.choice([kind for kind, records in self.lookups.items() if records])
        one = random.choice(self.lookups[kind])
        if kind == "payloads" and random.random() < RETURNED:
            self.lookups[kind].remove(one)
        elif kind == "payloads":
            one["mass_kg"] = random.choice((None, 0.25, 1234.5, 20_000))
        elif kind == "cores":
            one["serial"] = random.choice(("B1", "B2", None))
        else:
            one["name"] = random.choice(WORDS)
        if len(self.lookups["payloads"]) <= 2:
            self.lookups["payloads"] += [{"id": f"p{i}", "name": f"New {i}"} for i in range(1, 7) if i not in self._payloads()]

    def _payloads(self) -> set[int]:
        return {int(one["id"][1:]) for one in self.lookups["payloads"]}

    def _one(self, random: Random) -> Record:
        return random.choice([one for one in self.launches if "id" in one])

    def _add(self, year: int) -> None:
        self._number += 1
        made = launch(self._number, _date(year, self._number % 12 + 1)[:10], launchpad="l1")
        made["payloads"] = [f"p{self._number % 6 + 1}"]
        self.launches.append(made)


CHANGES: list[Callable[[Source, Random], None]] = [
    *[Source.facts] * 4,
    *[Source.year] * 2,
    *[Source.came, Source.went, Source.damaged, Source.lookup] * 2,
    *[Source.nameless, Source.twice, Source.order],
]
FACTS: list[tuple[str, tuple[Any, ...]]] = [
    ("details", (*WORDS, None)),
    ("name", WORDS),
    ("success", (True, False, None)),
    ("upcoming", (True, False)),
    ("window", (None, 0, -5, 7200)),
    ("rocket", ("r1", "r2", "unknown", None, {"id": "r3", "name": "Within"})),
    ("payloads", ([], ["p1"], ["p2", "p3"], ["p9"], None)),
    ("crew", ([], [{"crew": "m1", "role": "Commander"}], ["m1", "m2"], None)),
    ("failures", ([], [{"time": 60, "altitude": 12.5, "reason": "Neutral reason"}], [{"time": -1}, {"reason": "Unknown"}])),
    ("cores", ([], [{"core": "c1", "flight": 2, "reused": True}], [{"core": None}, {"core": "c1", "landing_success": False}])),
    ("links", ({}, {"webcast": "https://example.com/w", "patch": {"small": "https://example.com/p"}})),
    ("fairings", (None, {"reused": True, "ships": ["s1"]})),
    ("static_fire_date_utc", (None, "2020-01-01T00:00:00.123456Z")),
    ("date_precision", ("hour", "day", "nonsense", None)),
]


def _date(year: int, month: int) -> str:
    return f"{year}-{month:02}-01T00:00:00.000Z"
