"""Many answers in a row: each stretch in which a launch stayed the same is a span, and spans give state and history."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from .diff import Difference, difference
from .schema import LAUNCHES

SPANS = pa.schema(
    [
        pa.field("first", pa.int64(), nullable=False),
        pa.field("last", pa.int64(), nullable=False),
        pa.field("rejected", pa.bool_(), nullable=False),
        *(field.with_nullable(nullable=True) for field in LAUNCHES.arrow),
    ]
)
"""From the first to the last place a launch had this row, or was rejected; without an id: records whose id can't be read."""

_FACTS_AT = SPANS.get_field_index(LAUNCHES.arrow.names[0])
_NEVER = object()


@dataclass(frozen=True)
class Answer:
    """One answer of a source: its place in the order, the launches accepted, and the ids of those rejected; None is no id."""

    place: int
    launches: pa.Table
    rejected: AbstractSet[str | None]

    def changed_by(self, later: "Answer") -> "Answer":
        """The answer that it becomes when changes come on top of it: of records with the same id the later counts."""
        replaced = pa.array([*later.launches["launch_id"].to_pylist(), *later.rejected], pa.string())
        kept = self.launches.filter(pc.invert(pc.is_in(self.launches["launch_id"], replaced)))
        rejected = (self.rejected | later.rejected) - set(later.launches["launch_id"].to_pylist())
        return Answer(later.place, pa.concat_tables([kept, later.launches]), rejected)


@dataclass(frozen=True)
class LastGood:
    """The row that a launch has, as a place in a table, and the last answer that had it."""

    rows: pa.Table
    index: int
    place: int


def retained_ids(
    held: AbstractSet[str], accepted: AbstractSet[str], rejected: AbstractSet[str], *, all_ids_known: bool
) -> set[str]:
    """Which launches keep the row that is held: rejected ones, and all absent ones while a record has no readable id."""
    return set(held & rejected if all_ids_known else held) - accepted


def spans(answers: Iterable[Answer]) -> Iterator[pa.Table]:
    """The spans of consecutive answers, each as soon as it has ended."""
    begun: dict[str | None, tuple[int, str | None, pa.Table]] = {}
    last = 0
    for answer in answers:
        ids: list[str | None] = answer.launches["launch_id"].to_pylist()
        now: dict[str | None, str | None] = dict.fromkeys(answer.rejected)
        now |= zip(ids, answer.launches["row_hash"].to_pylist(), strict=True)
        ended = [key for key, (_, row_hash, _) in begun.items() if now.get(key, _NEVER) != row_hash]
        if ended:
            yield _ended([(key, *begun.pop(key)) for key in ended], last)
        new = [place for place, key in enumerate(ids) if key not in begun]
        rows = answer.launches.take(pa.array(new, pa.int64()))  # a copy, so that the rest of the answer is let go of
        begun |= {ids[place]: (answer.place, now[ids[place]], rows.slice(row, 1)) for row, place in enumerate(new)}
        nothing = rows.slice(0, 0)
        begun |= {key: (answer.place, None, nothing) for key, row_hash in now.items() if row_hash is None and key not in begun}
        last = answer.place
    if begun:
        yield _ended([(key, *span) for key, span in begun.items()], last)


def _ended(ended: list[tuple[str | None, int, str | None, pa.Table]], last: int) -> pa.Table:
    good = [span for span in ended if span[2] is not None]
    bad = [span for span in ended if span[2] is None]
    rows = pa.concat_tables([LAUNCHES.arrow.empty_table(), *(rows for *_, rows in good)]).combine_chunks()
    nulls = {name: pa.nulls(len(bad), SPANS.field(name).type) for name in LAUNCHES.arrow.names}
    nulls["launch_id"] = pa.array([key for key, *_ in bad], pa.string())
    facts = [pa.chunked_array([*rows[name].chunks, nulls[name]], SPANS.field(name).type) for name in LAUNCHES.arrow.names]
    first = [first for _, first, *_ in (*good, *bad)]
    return pa.table([first, [last] * len(first), [False] * len(good) + [True] * len(bad), *facts], schema=SPANS)


class Timeline:
    """What is held from answer to answer, as the spans of more and more of them are followed."""

    def __init__(self, held: pa.Table, place: int = -1) -> None:
        self.held = {key: LastGood(held, index, place) for index, key in enumerate(held["launch_id"].to_pylist())}

    def follow(self, found: pa.Table, places: Sequence[int]) -> Iterator[tuple[int, Difference]]:
        """Each of the next answers that changed something, and what; `found` are all spans of the answers at these places."""
        keys: list[str | None] = found["launch_id"].to_pylist()
        is_rejected, lasts = found["rejected"].to_pylist(), found["last"].to_pylist()
        beginning: dict[int, list[int]] = {}
        for index, first in enumerate(found["first"].to_pylist()):
            beginning.setdefault(first, []).append(index)
        rows = pa.table(found.columns[_FACTS_AT:], schema=LAUNCHES.arrow)
        now: dict[str | None, int] = {}  # the span of each launch that the answer has
        doubtful = set(self.held)  # those held that may be absent from the next answer
        for place in places:
            ended = {key for key, index in now.items() if lasts[index] < place}
            for key in ended:
                del now[key]
            begun = {keys[index]: index for index in beginning.get(place, ())}
            now |= begun
            touched = {key for key in (*doubtful, *ended, *begun) if key is not None}
            accepted = {key for key in touched if key in now and not is_rejected[now[key]]}
            rejected = {key for key in touched if key in now} - accepted
            before = touched & self.held.keys()
            kept = retained_ids(before, accepted, rejected, all_ids_known=None not in now)
            after = {key: LastGood(rows, now[key], lasts[now[key]]) for key in accepted}
            news = difference(LAUNCHES, _rows(self.held[key] for key in sorted(before - kept)), _rows(after.values()))
            for key in before - kept:
                del self.held[key]
            self.held |= after
            doubtful = {key for key in kept if key not in now}
            if any(side.num_rows for side in (news.added, news.removed, news.after)):
                yield place, news


def _rows(held: Iterable[LastGood]) -> pa.Table:
    tables: dict[int, tuple[pa.Table, list[int]]] = {}
    for one in held:
        tables.setdefault(id(one.rows), (one.rows, []))[1].append(one.index)
    return pa.concat_tables([LAUNCHES.arrow.empty_table(), *(rows.take(pa.array(at)) for rows, at in tables.values())])
