"""What launches refer to: looked up by id, its facts given as columns."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...core.columns import Counts
from ...core.fields import InvalidField
from ...core.model import Row
from ..aggregates import empty
from .models import LOOKUPS, fit

Path = Callable[[int], str]
"""Where a reference stands in its record, by its place among the references."""


class Known:
    """The lookup records of one kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._facts: dict[str, Row] = {}
        self.faults: dict[str, InvalidField] = {}

    def learn(self, key: str, facts: Row) -> None:
        """Add a record; of several with one id the last counts."""
        self.faults.pop(key, None)
        self._facts[key] = facts

    def set_aside(self, key: str, fault: InvalidField) -> None:
        """Add one that can't be used, as its launches then can't either."""
        self._facts.pop(key, None)
        self.faults[key] = fault

    def resolve(self, references: Sequence[Any], path: Path, counts: Counts) -> tuple[list[str | None], dict[str, pa.Array]]:
        """The ids that references name, and the facts of what they name, null where it is not known.

        An object has its facts with it; its id is a fact like the others, and may be missing. Raises InvalidField, TooMuch.
        """
        objects = {at: looked_up(self._kind, one, path(at)) for at, one in enumerate(references) if isinstance(one, dict)}
        ids: list[Any] = [None if at in objects else one for at, one in enumerate(references)] if objects else [*references]
        times: Counter[str] = Counter(key for key in ids if key is not None)
        for key, count in times.items():
            counts.references[self._kind, key, key in self._places] += count
        places = [self._places.get(key, len(self._facts)) for key in ids]
        counts.add(rows=0, chars=pc.sum(self._chars.take(pa.array(places, pa.int64()))).as_py() or 0)
        rows = self._rows
        if objects:
            rows = pa.concat_batches([rows, self._as_rows(facts for _, facts in objects.values())])
            for place, at in enumerate(objects, len(self._rows)):
                ids[at], places[at] = objects[at][0], place
                if ids[at] is not None:
                    counts.references[self._kind, ids[at], True] += 1
        taken = rows.take(pa.array(places, pa.int64()))
        return ids, dict(zip(taken.schema.names, taken.columns, strict=True))

    @cached_property
    def _places(self) -> dict[str | None, int]:
        return {key: place for place, key in enumerate(self._facts)}

    @cached_property
    def _rows(self) -> pa.RecordBatch:
        """The facts in the order of `_places`, and last those of nothing."""
        return self._as_rows([*self._facts.values(), {}])

    @cached_property
    def _chars(self) -> pa.Array:
        return pa.array([*map(chars, self._facts.values()), 0], pa.int64())

    def _as_rows(self, facts: Iterable[Row]) -> pa.RecordBatch:
        model = LOOKUPS[self._kind]
        names = empty(model).facts()
        kinds = pa.schema([(column.name, column.kind.value.arrow) for column in model.table.facts if column.name in names])
        return pa.RecordBatch.from_pylist(list(facts), kinds)


def looked_up(kind: str, raw: Any, path: str) -> tuple[str | None, Row]:
    """A lookup record's id and facts. Raises InvalidField."""
    record = fit(LOOKUPS[kind], raw, path)
    try:
        return record.id, record.facts()
    except InvalidField as error:
        raise InvalidField(f"{path}.{error.path}", error.value, error.reason) from None


def chars(facts: Row) -> int:
    """How much text there is in facts."""
    return sum(len(value) for value in facts.values() if isinstance(value, str))
