"""Structs with the fields of the pydantic models, which msgspec fills from JSON many times faster.

A struct takes less than its model does: what it takes, the model takes too, and as the same value. So a record that does not
fit its struct is not wrong yet; the model has the last word on it, and the words for what is wrong.
"""

import types
import typing
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Raw
from pydantic import BaseModel

from ..core.fields import (
    KEY_PATTERN,
    MAX_PARTS,
    Amount,
    Flag,
    Integer,
    InvalidField,
    Key,
    Label,
    NumberKey,
    Parts,
    Prose,
    Real,
    Reference,
    Text,
    Time,
)
from ..core.model import UnreadableRecord
from ..core.schema import Kind
from ..core.validate import parsed
from .aggregates import Or, Record

Model = TypeVar("Model", bound=BaseModel)

_SURE_TIME = (
    r"^(?:1[1-9]|[2-8]\d)\d\d-"  # with any offset, these years stay years that both stores hold
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"  # days of every year
    r"[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?:Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)\Z"
)
"""Times that need no calendar to be known to exist: few are not among them, and those few are left to the model."""


def _text(kind: Kind) -> Any:
    return Annotated[str, Meta(max_length=kind.value.max_chars)]


_KEY = Annotated[str, Meta(pattern=rf"^{KEY_PATTERN}\Z")]
_WHOLE = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: list[tuple[Any, Any]] = [
    (Any, Raw),  # not read, but checked to be JSON
    (Key, _KEY),
    (Reference, _KEY),
    (NumberKey, _WHOLE),
    (Label, _text(Kind.LABEL)),
    (Text, _text(Kind.TEXT)),
    (Prose, _text(Kind.PROSE)),
    (Flag, bool),
    (Real, float),
    (Integer, _WHOLE),
    (Amount, Annotated[int, Meta(ge=0, le=MAX_PARTS)]),
    (Time, Annotated[str, Meta(pattern=_SURE_TIME)]),
]
"""Each type of the contract, and what a struct has in its place."""


class Reader(Generic[Model]):
    """Reads records of one model as structs, which have the model's fields under the model's names.

    Times stay texts, and numbers that are keys may stay numbers: columns of them are converted at once. The structs are typed as
    the model, so that the names of fields are checked.
    """

    def __init__(self, model: type[Model]) -> None:
        self._model = model
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(struct_of(model)).decode

    def sure(self, record: Any) -> Model | None:
        """A record in bytes whose every field is known to fit; None where that takes a closer look."""
        if not isinstance(record, bytes):
            return None
        try:
            found: Model = self._decode(record)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return found

    def careful(self, record: Any) -> Model:
        """A record, in bytes or parsed, as the model takes it. Raises ValidationError or InvalidField."""
        raw = parsed(record) if isinstance(record, bytes) else record
        if isinstance(raw, UnreadableRecord):
            raise InvalidField("", raw.text, raw.reason)
        return self._model.model_validate(raw)


@cache
def struct_of(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The struct with the fields of a model."""
    hints = typing.get_type_hints(model, include_extras=True)
    fields: list[Any] = []
    for place, (name, field) in enumerate(model.model_fields.items()):
        sure = _sure(hints[name])
        if field.is_required() or (place == 0 and _presence_counts(model)):  # so that an empty object gets its closer look
            fields.append((name, sure))
        elif any(map(_presence_counts, get_args(hints[name]))):  # null and missing differ
            fields.append((name, Union[sure, msgspec.UnsetType], UNSET))  # noqa: UP007  # a value, no hint
        else:
            fields.append((name, sure, None))
    # Only the model names the fields that it does not know.
    return msgspec.defstruct(model.__name__, fields, forbid_unknown_fields=issubclass(model, Record), gc=False, kw_only=True)


def _presence_counts(kind: Any) -> bool:
    return bool(getattr(kind, "presence_counts", False))


def _sure(hint: Any) -> Any:
    """What a struct has in the place of a model's type."""
    for contract, sure in _TYPES:
        if hint == contract:
            return sure
    if hint is types.NoneType:
        return None
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return struct_of(hint)
    if get_origin(hint) in {Union, types.UnionType}:
        return Union[tuple(map(_sure, get_args(hint)))]  # noqa: UP007  # a value, no hint
    if get_origin(hint) is Annotated and get_args(hint)[1:] == get_args(Parts[Any])[1:]:
        return Annotated[list[_sure(get_args(get_args(hint)[0])[0])], Meta(max_length=MAX_PARTS)]  # type: ignore[misc]
    if get_origin(hint) is Annotated and isinstance(get_args(hint)[-1], Or):
        return Union[_KEY, struct_of(get_args(hint)[-1].model)]  # noqa: UP007  # a value, no hint
    raise TypeError(f"{hint}: say in _TYPES what a struct has in its place")


def as_struct(part: Model) -> Model:
    """What a model took as a struct; a part of it that is empty says as little as one that is not there."""
    fields = type(part).model_fields
    values: dict[str, Any] = dict.fromkeys([next(iter(fields))]) if _presence_counts(part) else {}
    for name in part.model_fields_set & fields.keys():
        value = getattr(part, name)
        if not _is_empty(value):
            values[name] = (
                [None if _is_empty(one) else _plain(one) for one in value] if isinstance(value, list) else _plain(value)
            )
    found: Any = struct_of(type(part))(**values)
    return cast(Model, found)


def _is_empty(value: Any) -> bool:
    return isinstance(value, BaseModel) and not value.model_fields_set


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return as_struct(value)
    return value.isoformat() if isinstance(value, datetime) else value
