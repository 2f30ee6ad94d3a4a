"""Which launches may have changed: a source's answers beside those that the published snapshot was made of, byte by byte.

A launch whose record is the same, and whose lookups are the same, has the same rows; they are taken over from the last
publication. Where that is not certain, `InDoubt` says why, and everything is validated.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..code_digest import code_digest
from ..core.fields import record_id
from ..core.model import Manifest, Response
from ..core.source import Source
from ..errors import UnreadableObject
from ..lake.store import S3Lake
from .adapters import Adapters

_LAUNCHES = "launches"
_MOST_CHANGED = 0.1  # of all launches: beyond that, to compare costs more than it saves
_FEW = 20  # launches that are compared whatever their share is
_MOST_LOOKUPS = 100  # that changed: each is looked for in each launch
_ESCAPED_ASCII = b"\\u00"  # in a record that has it, an id may be written in another way


class InDoubt(Exception):
    """What was published can't be taken over, and why."""


@dataclass(frozen=True)
class Comparison:
    """The launches that may have changed, and where their records are, in the answer of before and in that of now."""

    before: Mapping[str, Response]
    places_before: frozenset[int]
    places: frozenset[int]
    unchanged: frozenset[str]  # the ids of the launches that are now as they were


@dataclass(frozen=True)
class _Sent:
    """Where the record of an id is in an answer, and the digest of its bytes."""

    place: int
    digest: bytes


def compare(adapters: Adapters, manifest: Manifest, responses: Mapping[str, Response], spool: Path) -> Comparison:
    """Compare the answers with those that the manifest rests on. Raises InDoubt, and PipelineError when S3 does not answer."""
    if manifest.code != code_digest():
        raise InDoubt("it was made by other code")
    if manifest.retained_ids:
        raise InDoubt("rows of rejected launches are kept")
    if manifest.rejected != len(manifest.rejected_ids):
        raise InDoubt("records without a readable id were rejected")
    if responses.keys() != manifest.endpoints.keys():
        raise InDoubt("the source has other endpoints")
    before = _restored(adapters.lake, manifest, responses, spool)
    lookups = _changed_lookups(adapters.source, before, responses)
    was, now = (_sent(adapters.source, answers[_LAUNCHES]) for answers in (before, responses))
    changed = {key for key, sent in now.items() if key not in was or was[key].digest != sent.digest}
    changed |= was.keys() - now.keys()
    changed.update(manifest.rejected_ids)
    changed |= _naming(adapters.source, responses[_LAUNCHES], lookups, now)
    if len(changed) > max(_FEW, len(now) * _MOST_CHANGED):
        raise InDoubt(f"{len(changed)} of {len(now)} launches may have changed")
    return Comparison(
        before,
        frozenset(was[key].place for key in changed & was.keys()),
        frozenset(now[key].place for key in changed & now.keys()),
        frozenset(now.keys() - changed),
    )


def _restored(lake: S3Lake, manifest: Manifest, responses: Mapping[str, Response], spool: Path) -> dict[str, Response]:
    """The answers that the manifest rests on; those that are the same are not fetched twice."""
    folder = spool / "before"
    folder.mkdir()
    try:
        return {
            name: responses[name] if responses[name].archived else lake.restore(Response(name, None, (), archived), folder)
            for name, archived in manifest.endpoints.items()
        }
    except UnreadableObject as error:
        raise InDoubt(str(error)) from error


def _changed_lookups(source: Source, before: Mapping[str, Response], responses: Mapping[str, Response]) -> list[bytes]:
    """The ids of lookups that came, went or changed."""
    found: set[str] = set()
    for name in responses.keys() - {_LAUNCHES}:
        if not responses[name].archived:
            was, now = _sent(source, before[name]), _sent(source, responses[name])
            found |= {key for key in was.keys() | now.keys() if key not in was or key not in now}
            found |= {key for key in was.keys() & now.keys() if was[key].digest != now[key].digest}
    if len(found) > _MOST_LOOKUPS:
        raise InDoubt(f"{len(found)} lookups changed")
    return [key.encode() for key in found]


def _sent(source: Source, response: Response) -> dict[str, _Sent]:
    """The record of each id."""
    found: dict[str, _Sent] = {}
    is_on_top = bool(response.base or response.archived or response.watermark)  # changes replace what they come on top of
    for place, record in _records(source, response):
        key = record_id(record)
        if key is None:
            raise InDoubt(f"{response.name}[{place}] has no readable id")
        if key in found and not is_on_top:
            raise InDoubt(f"{response.name}: {key} came twice")
        found[key] = _Sent(place, hashlib.sha256(record).digest())
    return found


def _naming(source: Source, launches: Response, lookups: Iterable[bytes], now: Mapping[str, _Sent]) -> set[str]:
    """The launches that may name one of these lookups."""
    if not lookups:
        return set()
    sought = [*lookups, _ESCAPED_ASCII]
    places = {place for place, record in _records(source, launches) if any(key in record for key in sought)}
    return {key for key, sent in now.items() if sent.place in places}


def _records(source: Source, response: Response) -> Iterable[tuple[int, bytes]]:
    for batch in source.launches(response):
        for place, record in batch:
            if not isinstance(record, bytes):
                raise InDoubt("the source gives no records as they were sent")
            yield place, record
