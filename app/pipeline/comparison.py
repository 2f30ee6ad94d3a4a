"""Which launches may have changed: a source's answers beside those that the published snapshot was made of, byte by byte.

A launch whose record is the same, and whose lookups are the same, has the same rows; they are taken over from the last
publication. Where that is not certain, `InDoubt` says why, and everything is validated.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from ..code_digest import code_digest
from ..core.fields import record_id
from ..core.model import Manifest, Response
from ..core.source import Source
from ..errors import UnreadableObject
from ..lake.store import S3Lake
from .adapters import Adapters

BEFORE = "before"
"""The folder with the answers of before, which are not needed once they were compared."""

_LAUNCHES = "launches"
_MOST_CHANGED = 0.1  # of all launches: beyond that, to compare costs more than it saves
_FEW = 20  # launches that are compared whatever their share is
_MOST_LOOKUPS = 100  # that changed: each is looked for in each launch
_MOST_BYTES = 64 << 20  # of records that are kept
_BEFORE, _AFTER = 1, 2
_ESCAPED_ASCII = b"\\u00"  # in a record that has it, an id may be written in another way

Record = tuple[int, bytes]
"""A record's place in its answer, and its JSON."""


class InDoubt(Exception):
    """What was published can't be taken over, and why."""


@dataclass(frozen=True)
class Comparison:
    """The launches that may have changed: their records in the answer of before and in that of now; and how many have not."""

    before: Mapping[str, Response]
    was: list[Record]
    now: list[Record]
    unchanged: int


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
    source, before = adapters.source, _restored(adapters.lake, manifest, responses, spool)
    rejected, named = set(manifest.rejected_ids), _changed_lookups(source, before, responses)
    named += [_ESCAPED_ASCII] if named else []

    def is_suspect(key: str, record: bytes) -> bool:
        return key in rejected or any(lookup in record for lookup in named)

    was, now, unchanged = side_by_side(
        _records(source, before[_LAUNCHES]), _records(source, responses[_LAUNCHES]), is_suspect, _LAUNCHES
    )
    changed = len(was.keys() | now.keys())
    if changed > max(_FEW, (unchanged + len(now)) * _MOST_CHANGED):
        raise InDoubt(f"{changed} of {unchanged + len(now)} launches may have changed")
    return Comparison(before, sorted(was.values()), sorted(now.values()), unchanged)


def _restored(lake: S3Lake, manifest: Manifest, responses: Mapping[str, Response], spool: Path) -> dict[str, Response]:
    """The answers that the manifest rests on; what is the same now is not fetched again."""
    folder = spool / BEFORE
    folder.mkdir()
    try:
        return {
            name: responses[name]
            if responses[name].archived
            else lake.restore(Response(name, None, (), archived, watermark=archived.watermark), folder, responses[name].bodies)
            for name, archived in manifest.endpoints.items()
        }
    except UnreadableObject as error:
        raise InDoubt(str(error)) from error


def _changed_lookups(source: Source, before: Mapping[str, Response], responses: Mapping[str, Response]) -> list[bytes]:
    """The ids of lookups that came, went or changed."""
    found: set[str] = set()
    for name in responses.keys() - {_LAUNCHES}:
        if not responses[name].archived:
            was, now, _ = side_by_side(_records(source, before[name]), _records(source, responses[name]), what=name)
            found |= was.keys() | now.keys()
    if len(found) > _MOST_LOOKUPS:
        raise InDoubt(f"{len(found)} lookups changed")
    return [key.encode() for key in found]


def side_by_side(
    before: Iterable[Sequence[Record]],
    after: Iterable[Sequence[Record]],
    is_suspect: Callable[[str, bytes], bool] = lambda *_: False,
    what: str = "",
) -> tuple[dict[str, Record], dict[str, Record], int]:
    """The records by id of which the other answer has none that is the same, or that are suspect; and how many are the same.

    Both are read at once, batch by batch, and what is the same is let go as soon as both have come to it. Raises InDoubt for a
    record without a readable id, an id that comes twice, and where too much is to be kept.
    """
    sides = _Sides(is_suspect, what)
    for batches in zip_longest(before, after, fillvalue=()):
        for was, now in zip_longest(*batches):
            sides.add(was, now)
        sides.check()
    return sides.was, sides.now, sides.same


class _Sides:
    """Two answers while they are compared: the records of each that the other has not had yet, and how many were the same."""

    def __init__(self, is_suspect: Callable[[str, bytes], bool], what: str) -> None:
        self._is_suspect, self._what = is_suspect, what
        self.was: dict[str, Record] = {}
        self.now: dict[str, Record] = {}
        self.same = self._held = 0
        self._met: dict[str, int] = {}  # all ids, and in which of the answers

    def add(self, was: Record | None, now: Record | None) -> None:
        """Add the next record of each."""
        if was and now and was[1] == now[1]:  # mostly: nothing came or went before it
            key = self._id(_BEFORE | _AFTER, was)
            if self._is_suspect(key, was[1]):
                self.was[key], self.now[key] = was, now
                self._held += 2 * len(was[1])
            else:
                self.same += 1
            return
        if was:
            self._add(_BEFORE, was, self.was, self.now)
        if now:
            self._add(_AFTER, now, self.now, self.was)

    def _add(self, answer: int, found: Record, mine: dict[str, Record], others: dict[str, Record]) -> None:
        key = self._id(answer, found)
        if key in others and others[key][1] == found[1] and not self._is_suspect(key, found[1]):
            self._held -= len(others.pop(key)[1])
            self.same += 1
        else:
            self._held += len(found[1])
            mine[key] = found

    def _id(self, answer: int, found: Record) -> str:
        place, record = found
        key = record_id(record)
        if key is None:
            raise InDoubt(f"{self._what}[{place}] has no readable id")
        known = self._met.get(key, 0)
        if known & answer:
            raise InDoubt(f"{self._what}: {key} came twice")
        self._met[key] = known | answer
        return key

    def check(self) -> None:
        """Raise InDoubt when too much is to be kept."""
        if self._held > _MOST_BYTES:
            raise InDoubt(f"over {_MOST_BYTES >> 20} MiB of records may have changed")


def _records(source: Source, response: Response) -> Iterator[Sequence[Record]]:
    """The records in batches; of changes that come on top of what was read before, the last of each id."""
    superseded = _superseded(_sent(source, response)) if response.base or response.watermark else ()
    for batch in _sent(source, response):
        yield [(place, record) for place, record in batch if place not in superseded] if superseded else batch


def _sent(source: Source, response: Response) -> Iterator[Sequence[Record]]:
    for batch in source.launches(response):
        if not all(isinstance(record, bytes) for _, record in batch):
            raise InDoubt("the source gives no records as they were sent")
        yield batch


def _superseded(batches: Iterable[Sequence[Record]]) -> Collection[int]:
    """The places of records that later ones with the same id replace."""
    last: dict[str | None, int] = {}
    earlier: set[int] = set()
    for batch in batches:
        for place, record in batch:
            key = record_id(record)
            if key in last:
                earlier.add(last[key])
            last[key] = place
    return earlier
