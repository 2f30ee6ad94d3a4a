"""Launch records as hypothesis makes them: sound, and with anything in any field."""

from typing import Any

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


def payloads() -> st.SearchStrategy[dict[str, Any]]:
    """Sound payload lookup records."""
    return st.fixed_dictionaries(
        {"id": IDS, "name": optional(TEXTS), "mass_kg": optional(REALS), "customers": optional(st.lists(TEXTS, max_size=3))}
    )


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


@st.composite
def damaged_launches(draw: st.DrawFn) -> Any:
    """A launch with anything in some of its fields, or no object at all."""
    launch = draw(launches())
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=4)):
        launch[field] = draw(JSON)
    return draw(st.just(launch) | st.just(launch) | st.just(launch) | JSON)
