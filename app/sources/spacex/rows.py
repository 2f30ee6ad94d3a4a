"""How the r-spacex API's records become canonical rows."""

from typing import Any

from ...core.fields import InvalidField, Shown, as_json_array
from ...core.model import Checked, Row, Rows, UnreadableRecord
from ...core.source import SetAside
from ...core.validate import clipped, rejection, shortened
from ...errors import SourceError
from ..aggregates import core_facts, count, name_unknown_fields, payload_facts
from .models import LOOKUPS, CoreUse, CrewUse, Failure, Fairings, Launch, Links, Patch, Reddit, empty, fit, id_of

MAX_LOOKUPS = 400_000
MAX_LOOKUP_CHARS = 128 << 20
"""The most lookup records, and their text: all are kept in memory. SpaceX's have some 700, with 0.1 MB of text."""
_KEPT_CHARS = 200  # of a text that does not fit, to be shown where launches refer to it
_PRECISIONS = frozenset({"half", "quarter", "year", "month", "week", "day", "hour", "minute", "second"})


class SpacexParser:
    """Turns launch records into rows with the facts of the lookups it has learned."""

    def __init__(self, set_aside: SetAside) -> None:
        self._set_aside = set_aside
        self._known: dict[str, dict[str, Row | InvalidField]] = {kind: {} for kind in LOOKUPS}
        self._records = self._chars = 0

    def learn(self, kind: str, index: int, raw: Any) -> None:
        """Add one lookup record; one that does not fit is set aside, and so are the launches that refer to it.

        Raises SourceError when there are too many.
        """
        path = f"{kind}[{index}]"
        try:
            key, facts = _with_id(path, *_looked_up(kind, raw, path))
        except InvalidField as error:
            reject = rejection(kind, index, raw, error)
            self._set_aside(reject, raw)
            if reject.id:
                self._count(0)
                kept = error.value[:_KEPT_CHARS] if isinstance(error.value, str) else Shown(reject.value)
                self._known[kind][reject.id] = InvalidField(error.path, kept, error.reason)
            return
        self._count(_chars(facts))
        self._known[kind][key] = facts

    def _count(self, chars: int) -> None:
        self._records += 1
        self._chars += chars
        if self._records > MAX_LOOKUPS or self._chars > MAX_LOOKUP_CHARS:
            message = f"the lookups have more than {MAX_LOOKUPS} records or {MAX_LOOKUP_CHARS >> 20} Mi characters"
            raise SourceError(message, hint="what was sent is kept in the raw archive")

    def parse(self, raw: Any, checked: Checked) -> Rows:
        """The rows of one launch. Raises ValidationError or InvalidField when a field does not fit."""
        if isinstance(raw, UnreadableRecord):
            raise InvalidField("", raw.text, raw.reason)
        launch = Launch.model_validate(raw)
        cores = [self._core_row(launch.id, i, use or empty(CoreUse), checked) for i, use in enumerate(launch.cores or ())]
        payloads = [self._payload_row(launch.id, i, ref, checked) for i, ref in enumerate(launch.payloads or ())]
        crew = [self._crew_row(launch.id, i, ref, checked) for i, ref in enumerate(launch.crew or ())]
        known_failures = [failure or empty(Failure) for failure in launch.failures or ()]
        failures = [
            {"launch_id": launch.id, "position": i, "time_s": f.time, "altitude_km": f.altitude, "reason": f.reason}
            for i, f in enumerate(known_failures)
        ]
        row = self._launch_row(launch, cores, payloads, checked)
        name_unknown_fields(launch, checked)
        return {
            "launches": [row],
            "launch_cores": cores,
            "launch_payloads": payloads,
            "launch_failures": failures,
            "launch_crew": crew,
        }

    def _launch_row(self, launch: Launch, cores: list[Row], payloads: list[Row], checked: Checked) -> Row:
        rocket_id, rocket = self._resolve("rockets", launch.rocket, "rocket", checked)
        pad_id, pad = self._resolve("launchpads", launch.launchpad, "launchpad", checked)
        links = launch.links or empty(Links)
        patch, reddit = links.patch or empty(Patch), links.reddit or empty(Reddit)
        fairings = launch.fairings or empty(Fairings)
        precision = launch.date_precision
        if precision is not None and precision not in _PRECISIONS:
            checked.notes[f"date_precision {shortened(precision)!r} is not known and left null"] += 1
            precision = None
        return {
            "launch_id": launch.id,
            "source": "spacex",
            "flight_number": launch.flight_number,
            "name": launch.name,
            "date_utc": launch.date_utc,
            "date_local": launch.date_local,
            "date_precision": precision,
            "upcoming": launch.upcoming,
            "success": launch.success,
            "status": _status(launch.upcoming, launch.success),
            "tbd": launch.tdb if launch.tbd is None else launch.tbd,
            "net": launch.net,
            "window_s": launch.window,
            "static_fire_date_utc": launch.static_fire_date_utc,
            "rocket_id": rocket_id,
            **rocket,
            "launchpad_id": pad_id,
            **pad,
            **payload_facts(None if launch.payloads is None else payloads),
            **core_facts(None if launch.cores is None else cores),
            "crew_count": count(launch.crew),
            "has_fairings": _has_fairings(launch),
            "fairings_reused": fairings.reused,
            "fairings_recovery_attempt": fairings.recovery_attempt,
            "fairings_recovered": fairings.recovered,
            "fairings_ship_ids": _json_ids("fairings.ships", fairings.ships),
            "ship_ids": _json_ids("ships", launch.ships),
            "capsule_ids": _json_ids("capsules", launch.capsules),
            "details": launch.details,
            "webcast_url": links.webcast,
            "youtube_id": links.youtube_id,
            "article_url": links.article,
            "wikipedia_url": links.wikipedia,
            "presskit_url": links.presskit,
            "patch_small_url": patch.small,
            "patch_large_url": patch.large,
            "reddit_campaign_url": reddit.campaign,
            "reddit_launch_url": reddit.launch,
            "reddit_media_url": reddit.media,
            "reddit_recovery_url": reddit.recovery,
            "launch_library_id": launch.launch_library_id,
            "auto_update": launch.auto_update,
        }

    def _core_row(self, launch_id: str, position: int, use: CoreUse, checked: Checked) -> Row:
        core_id, core = self._resolve("cores", use.core, f"cores[{position}].core", checked)
        pad_id, pad = self._resolve("landpads", use.landpad, f"cores[{position}].landpad", checked)
        return {
            "launch_id": launch_id,
            "position": position,
            "core_id": core_id,
            **core,
            "core_flight_number": use.flight,
            "gridfins": use.gridfins,
            "legs": use.legs,
            "reused": use.reused,
            "landing_attempt": use.landing_attempt,
            "landing_success": use.landing_success,
            "landing_type": use.landing_type,
            "landpad_id": pad_id,
            **pad,
        }

    def _payload_row(self, launch_id: str, position: int, reference: Any, checked: Checked) -> Row:
        payload_id, payload = self._resolve("payloads", reference, f"payloads[{position}]", checked)
        return {"launch_id": launch_id, "position": position, "payload_id": payload_id, **payload}

    def _crew_row(self, launch_id: str, position: int, reference: Any, checked: Checked) -> Row:
        path, role = f"crew[{position}]", None
        if isinstance(reference, dict) and not reference.keys().isdisjoint(CrewUse.model_fields):  # v5: a person in a role
            use = fit(CrewUse, reference, path)
            for name in use.model_extra or ():
                checked.unknown_fields[f"crew.{clipped(name)}"] += 1
            reference, role = use.crew, use.role
        crew_id, person = self._resolve("crew", reference, path, checked)
        return {"launch_id": launch_id, "position": position, "crew_id": crew_id, **person, "role": role}

    def _resolve(self, kind: str, reference: Any, path: str, checked: Checked) -> tuple[str | None, Row]:
        """The id of the lookup record that a reference names, and its facts; none when it is not known, or names nothing.

        An object has its facts with it; its id is a fact like the others, and may be missing.
        """
        if reference is None:
            return None, {}
        found: Row | InvalidField | None
        if isinstance(reference, dict):
            key, facts = _looked_up(kind, reference, path)
            if key is not None:
                checked.references[kind, key, True] += 1
            return key, facts
        found = self._known[kind].get(reference)
        checked.references[kind, reference, found is not None] += 1
        if isinstance(found, InvalidField):
            raise InvalidField(f"{path} -> {found.path}", found.value, found.reason)
        if found:
            checked.looked_up_chars += _chars(found)
        return reference, found or {}


def _with_id(path: str, key: str | None, facts: Row) -> tuple[str, Row]:
    """A lookup record that launches can name."""
    if key is None:
        raise InvalidField(f"{path}.id", "(no such field)", "is missing")
    return key, facts


def _chars(facts: Row) -> int:
    return sum(len(value) for value in facts.values() if isinstance(value, str))


def _has_fairings(launch: Launch) -> bool | None:
    """Null says that there are none; an empty object says as little as no field at all."""
    if launch.fairings is None:
        return False if "fairings" in launch.model_fields_set else None
    return True if launch.fairings.model_fields_set else None


def _looked_up(kind: str, raw: Any, path: str) -> tuple[str | None, Row]:
    """A lookup record's id and facts."""
    record = fit(LOOKUPS[kind], raw, path)
    try:
        return record.id, record.facts()
    except InvalidField as error:
        raise InvalidField(f"{path}.{error.path}", error.value, error.reason) from None


def _status(upcoming: bool | None, success: bool | None) -> str:
    """An outcome counts where there is one; without one a past launch is unknown, never a failure."""
    if success is not None:
        return "success" if success else "failure"
    return "upcoming" if upcoming else "unknown"


def _json_ids(path: str, references: list[Any] | None) -> str | None:
    if references is None:
        return None
    return as_json_array(path, [id_of(ref, f"{path}[{i}]") for i, ref in enumerate(references)])
