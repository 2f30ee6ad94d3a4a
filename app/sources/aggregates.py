"""What every source's rows have in common: facts of a launch that follow from its boosters and payloads, and fields unknown."""

from functools import cache
from math import fsum
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from ..core.fields import InvalidField, as_json_array
from ..core.model import Checked, Row
from ..core.validate import clipped


class Record(BaseModel):
    """A part of a launch record: fields that it does not declare are named once a run, never an error."""

    model_config = ConfigDict(extra="allow")


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
    is_record = isinstance(annotation, type) and issubclass(annotation, Record)
    return is_record or any(map(_holds_records, get_args(annotation)))


def payload_facts(payloads: list[Row] | None) -> Row:
    """What the payloads' rows say of their launch; all null when the source sent no list."""
    if payloads is None:
        return {}
    masses = [p["mass_kg"] for p in payloads if p.get("mass_kg") is not None]
    return {
        "payload_count": len(payloads),
        "payload_mass_kg": _sum(masses),
        "payload_mass_known_count": len(masses),
        "orbits": as_json_array("payloads", list(dict.fromkeys(p["orbit"] for p in payloads if p.get("orbit")))),
    }


def core_facts(cores: list[Row] | None) -> Row:
    """What the boosters' rows say of their launch; all null when the source sent no list."""
    if cores is None:
        return {}
    return {
        "core_count": len(cores),
        "core_serials": as_json_array("cores", [c["core_serial"] for c in cores if c.get("core_serial")]),
        "reused_core_count": _true_count(cores, "reused"),
        "landing_attempt_count": _true_count(cores, "landing_attempt"),
        "landing_success_count": _true_count(cores, "landing_success"),
    }


def count(values: list[Any] | None) -> int | None:
    """How many there are; null when the source sent no list."""
    return None if values is None else len(values)


def _true_count(rows: list[Row], column: str) -> int:
    return sum(row[column] is True for row in rows)


def _sum(values: list[float]) -> float | None:
    try:
        return fsum(values) if values else None
    except OverflowError:
        raise InvalidField("payloads", values, "must have masses with a finite sum") from None
