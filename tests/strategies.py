"""Launch records as hypothesis makes them: sound, and with anything in any field."""

import contextlib
import copy
import json
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

TEXTS = st.text(max_size=40)  # NUL, quotes, tabs and four-byte characters among them
REALS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
DATES = st.datetimes().filter(lambda d: d.year >= 1000).map(lambda d: f"{d.isoformat()}Z")

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "~9600", "2020-02-30T00:00:00Z", "0001-01-01T00:00:00Z", 10**400, 1e308, "x" * 600]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values or null."""
    return st.none() | values


@cache  # here and elsewhere: to build a strategy for each example takes longer than to draw from it
def payloads() -> st.SearchStrategy[dict[str, Any]]:
    """Sound payload lookup records."""
    return st.fixed_dictionaries(
        {"id": IDS, "name": optional(TEXTS), "mass_kg": optional(REALS), "customers": optional(st.lists(TEXTS, max_size=3))}
    )


@cache
def launches() -> st.SearchStrategy[dict[str, Any]]:
    """Sound launch records."""
    core = st.fixed_dictionaries({"core": optional(IDS), "flight": optional(INTEGERS), "reused": optional(st.booleans())})
    failure = st.fixed_dictionaries({"time": optional(INTEGERS), "altitude": optional(REALS), "reason": optional(TEXTS)})
    return st.fixed_dictionaries(
        {
            "id": IDS,
            "date_utc": DATES,
            "name": optional(TEXTS),
            "details": optional(TEXTS),
            "flight_number": optional(INTEGERS),
            "success": optional(st.booleans()),
            "upcoming": optional(st.booleans()),
            "window": optional(INTEGERS),
            "rocket": optional(IDS),
            "payloads": optional(st.lists(payloads(), max_size=3)),
            "cores": optional(st.lists(core, max_size=2)),
            "failures": optional(st.lists(failure, max_size=2)),
        }
    )


FIELDS = [
    *("id", "date_utc", "name", "details", "flight_number", "success", "upcoming", "window", "rocket", "launchpad"),
    *("payloads", "cores", "failures", "crew", "ships", "capsules", "fairings", "links", "tbd", "launch_library_id"),
]
SAME = object()
UP_TO_FOUR_FIELDS = st.lists(st.sampled_from(FIELDS), max_size=4)
SELDOM_JSON = st.just(SAME) | st.just(SAME) | st.just(SAME) | JSON


@st.composite
def damaged_launches(draw: st.DrawFn) -> Any:
    """A launch with anything in some of its fields, or no object at all."""
    launch = draw(launches())
    for field in draw(UP_TO_FOUR_FIELDS):
        launch[field] = draw(JSON)
    other = draw(SELDOM_JSON)
    return launch if other is SAME else other


FEW_IDS = st.sampled_from([f"few-{i}" for i in range(40)])  # so that ids come twice, and references lead somewhere or nowhere
ZONES = st.sampled_from(["", "Z", "+00:00", "+05:30", "-0800", "+14:00", "-23:59", "+24:00", "z"])
HOSTILE_DATES = st.one_of(
    st.builds(
        lambda day, sep, time, zone: f"{day}{sep}{time}{zone}",
        st.dates().map(str),
        st.sampled_from(["T", " ", "t"]),
        st.sampled_from(
            ["00:00", "23:59:59", "12:30:15.5", "12:30:15.123456", "12:30:15.1234560", "12:30:15.1234567", "24:00:01"]
        ),
        ZONES,
    ),
    st.dates().map(str),
    st.sampled_from(
        ["2020-01-01T12", "2020-01-01T12:30:15,5Z", "2020-01-01T12:30:15+05:99", "2020-01-01T12:30:60Z", "2020-02-29 00:00Z"]
    ),
    st.sampled_from(
        ["0001-01-01T00:00:00Z", "0999-12-31T23:59:59-00:01", "1000-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999999Z"]
    ),
    st.sampled_from(["9999-12-31T23:59:59-00:01", "20200101T000000Z", "2020-W01-1", "2020-001", "1577836800", "", "٢٠٢٠-01-01"]),
)
HUGE = st.sampled_from(
    [
        *(2**63, -(2**63) - 1, 10**30, 1e308, -1e308, 5e-324, -0.0, 2.0**53, 1e16, 0.1, 1e-5, 123456789.5),
        *("x" * 512, "x" * 513, "x" * 16_001, "\0", "\ud800", "a\tb\\N\n", "\U0001f680" * 500, {"id": "few-1"}, [[[[[]]]]]),
        *({}, [None], [{}], {"id": None}, {"crew": None, "role": "Pilot"}, [{"crew": None}], {"name": "without an id"}),
    ]
)
ODD = st.one_of(
    HUGE, JSON, HOSTILE_DATES, DATES, IDS, TEXTS, REALS, INTEGERS, st.sampled_from([0, 1, 2, 2.0, True, "", "0", [], {}])
)
FACTS = {
    "payloads": ("name", "type", "mass_kg", "orbit", "customers", "norad_ids", "epoch", "dragon", "period_min", "reused"),
    "launchpads": ("name", "full_name", "locality", "region", "timezone", "latitude", "longitude"),
    "rockets": ("name",),
    "landpads": ("name", "region"),
    "cores": ("serial", "block"),
    "crew": ("name",),
}
ANY_IDS = IDS | FEW_IDS
SELDOM_HOSTILE_DATES = DATES | DATES | DATES | HOSTILE_DATES
SELDOM_FIELDS = st.just([]) | st.lists(st.sampled_from(FIELDS), max_size=2)
MISPLACED = HUGE | FEW_IDS | st.lists(FEW_IDS, max_size=3) | JSON
SELDOM_DAMAGED = st.just(SAME) | st.just(SAME) | st.just(SAME) | damaged_launches()


@st.composite
def hostile_launches(draw: st.DrawFn) -> Any:
    """A launch, sound or not; now and then what was meant for another field, or no object at all."""
    launch = draw(launches())
    launch["id"] = draw(ANY_IDS)
    launch["date_utc"] = draw(SELDOM_HOSTILE_DATES)
    for name in draw(SELDOM_FIELDS):
        launch[name] = draw(MISPLACED)
    other = draw(SELDOM_DAMAGED)
    return launch if other is SAME else other


SOUND_LOOKUPS = st.lists(
    st.fixed_dictionaries({"id": FEW_IDS}, optional={"name": optional(st.text(max_size=9))}), min_size=10, max_size=20
)
ODD_LOOKUPS = {
    kind: st.lists(
        st.fixed_dictionaries({"id": FEW_IDS}, optional=dict.fromkeys(names, HUGE | JSON | st.floats())) | JSON, max_size=5
    )
    for kind, names in FACTS.items()
}


@st.composite
def hostile_lookups(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Lookups of which most records are sound."""
    return {kind: draw(SOUND_LOOKUPS) + draw(odd) for kind, odd in ODD_LOOKUPS.items()}


@st.composite
def altered(draw: st.DrawFn, record: Any) -> Any:
    """A record with something else in up to three places, at any depth: another value, a field more, one less."""
    record = json.loads(json.dumps(record))
    for _ in range(draw(st.integers(0, 3))):
        part: Any = record
        while True:
            keys = list(range(len(part))) if isinstance(part, list) else sorted(part)
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(part[key], dict | list) or draw(st.integers(0, 3)) == 0:
                break
            part = part[key]
        if isinstance(part, list):
            part.append(copy.deepcopy(draw(ODD)))
        elif key is None or draw(st.integers(0, 9)) == 0:
            part[draw(st.sampled_from(["surprise", "id", "name"]))] = copy.deepcopy(draw(ODD))
        elif draw(st.integers(0, 3)) == 0:
            del part[key]
        else:
            part[key] = copy.deepcopy(draw(ODD))  # what is sampled is the same object each time
    return record


@st.composite
def json_texts(draw: st.DrawFn, record: Any) -> bytes:
    """The record as JSON may be written: spaced or not, escaped or not, a field twice."""
    text = json.dumps(record, indent=draw(st.sampled_from([None, 1])))
    if isinstance(record, dict) and record and draw(st.integers(0, 9)) == 0:
        name = draw(st.sampled_from(sorted(record)))
        text = f"{{{json.dumps(name)}: {json.dumps(draw(ODD))}, {text[1:]}"
    if draw(st.booleans()):
        with contextlib.suppress(UnicodeEncodeError):
            return json.dumps(json.loads(text), ensure_ascii=False).encode()
    return text.encode()


def generated(strategy: st.SearchStrategy[Any], count: int, batch: int = 0) -> list[Any]:
    """So many examples, others in each batch; the same in every run of the tests."""
    made: list[Any] = []

    quietly = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))

    @seed(batch)
    @settings(quietly, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(example: Any) -> None:
        made.append(example)

    collect()
    return made
