"""What every source's rows have in common: facts of a launch that follow from its boosters and payloads, and fields unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import fsum
from typing import Any, ClassVar, TypeVar, get_args

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from ..core.columns import Children, Columns
from ..core.fields import InvalidField, as_json_array
from ..core.model import Checked
from ..core.validate import clipped

Model = TypeVar("Model", bound=BaseModel)


class Record(BaseModel):
    """A part of a launch record: fields that it does not declare are named once a run, never an error."""

    model_config = ConfigDict(extra="allow")
    presence_counts: ClassVar[bool] = False
    """Whether it says something by being there, so that an empty object, null and no field differ."""


@dataclass(frozen=True)
class Or:
    """Says of a reference that it may also be an object of this model."""

    model: type[BaseModel]


@cache
def empty(model: type[Model]) -> Model:
    """A record without facts."""
    return model.model_construct()


def name_unknown_fields(record: Record, checked: Checked, prefix: str = "") -> None:
    """Count the fields that the models do not declare, by their path: links.patch.huge."""
    for name in record.model_extra or ():
        checked.unknown_fields[prefix + clipped(name)] += 1
    for name in _fields_of_records(type(record)):
        value = getattr(record, name)
        for part in value if isinstance(value, list) else (value,):
            if isinstance(part, Record):
                name_unknown_fields(part, checked, f"{prefix}{name}.")


@cache
def _fields_of_records(model: type[Record]) -> list[str]:
    """The fields that are records themselves, or lists of them: few among many."""
    return [name for name, field in model.model_fields.items() if _holds_records(field.annotation)]


def _holds_records(annotation: Any) -> bool:
    if isinstance(annotation, Or):
        annotation = annotation.model
    is_record = isinstance(annotation, type) and issubclass(annotation, Record)
    return is_record or any(map(_holds_records, get_args(annotation)))


def payload_facts(payloads: Children[Any], columns: Columns) -> Columns:
    """What the payloads say of their launches; null where the source sent no list. Raises InvalidField."""
    masses = [some and [mass for mass in some if mass is not None] for some in payloads.of_launches(columns["mass_kg"])]
    orbits = payloads.of_launches(columns["orbit"])
    return {
        "payload_count": payloads.count,
        "payload_mass_kg": [_sum(some) if some else None for some in masses],
        "payload_mass_known_count": [None if some is None else len(some) for some in masses],
        "orbits": [as_json_array("payloads", some and list(dict.fromkeys(filter(None, some)))) for some in orbits],
    }


def core_facts(cores: Children[Any], columns: Columns) -> Columns:
    """What the boosters say of their launches; null where the source sent no list. Raises InvalidField."""
    serials = cores.of_launches(columns["core_serial"])
    return {
        "core_count": cores.count,
        "core_serials": [as_json_array("cores", some and list(filter(None, some))) for some in serials],
        "reused_core_count": _true_count(cores, columns["reused"]),
        "landing_attempt_count": _true_count(cores, columns["landing_attempt"]),
        "landing_success_count": _true_count(cores, columns["landing_success"]),
    }


def _true_count(cores: Children[Any], flags: Sequence[bool | None] | pa.Array) -> list[int | None]:
    return [None if some is None else some.count(True) for some in cores.of_launches(flags)]


def _sum(values: list[float]) -> float:
    try:
        return fsum(values)
    except OverflowError:
        raise InvalidField("payloads", values, "must have masses with a finite sum") from None
