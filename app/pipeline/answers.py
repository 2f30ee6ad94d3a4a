"""Answers that earlier runs received, one after the other out of the raw archive, as rows of the canonical tables."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import ArchivedResponse, Manifest, RawObject, Response
from ..core.schema import LAUNCHES, TABLES
from ..core.source import Parser, SetAside, Source
from ..core.spans import Answer
from ..lake.store import S3Lake
from .validated import Validated, last_of_each

_LAUNCHES = LAUNCHES.name


class ArchivedAnswers:
    """Reads answers; lookups are read once for as long as they stay the same, and so are launches that only changes come on."""

    def __init__(self, source: Source, lake: S3Lake, spool: Path) -> None:
        self._source, self._lake, self._spool = source, lake, spool
        self._lookups: object = None
        self._parser: Parser | None = None
        self._last: tuple[list[RawObject], Answer] | None = None

    def answers(self, manifests: Iterable[tuple[int, Manifest]]) -> Iterator[Answer]:
        """The launches of each answer, and which of them were rejected. Raises PipelineError."""
        for place, manifest in manifests:
            objects = manifest.endpoints[_LAUNCHES].objects
            before = self._last
            if before and self._lookups == _lookups(manifest) and objects[: len(before[0])] == before[0]:
                answer = before[1]
                if more := objects[len(before[0]) :]:
                    answer = answer.changed_by(self._read(place, manifest, more))
                answer = Answer(place, answer.launches, answer.rejected)
            else:
                answer = self._read(place, manifest, objects)
            self._last = objects, answer
            yield answer

    def _read(self, place: int, manifest: Manifest, objects: list[RawObject]) -> Answer:
        with self.validated(manifest, objects) as found:
            rejected = {reject.id for reject in found.rejected if reject.endpoint == _LAUNCHES}
            return Answer(place, _table(found, _LAUNCHES), rejected - found.accepted)

    @contextlib.contextmanager
    def validated(self, manifest: Manifest, objects: list[RawObject] | None = None) -> Iterator[Validated]:
        """The rows of one answer in all tables, or of some of its launches' bodies. Raises PipelineError."""
        with tempfile.TemporaryDirectory(dir=self._spool) as name:
            folder = Path(name)
            parser = self._learned(manifest, folder)
            archived = manifest.endpoints[_LAUNCHES]
            some = archived if objects is None else archived.model_copy(update={"objects": objects})
            responses = {_LAUNCHES: self._restored(_LAUNCHES, some, folder)}
            found, _ = last_of_each(cast("Source", _Learned(self._source, parser)), responses, manifest.as_of, folder)
            found.spill.close()
            yield found

    def _learned(self, manifest: Manifest, folder: Path) -> Parser:
        """A parser that knows the lookups of an answer."""
        if self._parser is None or self._lookups != _lookups(manifest):
            others = {name: archived for name, archived in manifest.endpoints.items() if name != _LAUNCHES}
            responses = {name: self._restored(name, archived, folder) for name, archived in others.items()}
            self._parser, self._lookups = self._source.parser(responses, lambda *_: None), _lookups(manifest)
        return self._parser

    def _restored(self, name: str, archived: ArchivedResponse, folder: Path) -> Response:
        return self._lake.restore(Response(name, archived.etag, (), archived, watermark=archived.watermark), folder)


class _Learned:
    """A source whose parser knows the lookups already."""

    def __init__(self, source: Source, parser: Parser) -> None:
        self.name, self.url, self.launches = source.name, source.url, source.launches
        self._parser = parser

    def parser(self, responses: Mapping[str, Response], set_aside: SetAside) -> Parser:  # noqa: ARG002
        """The parser."""
        return self._parser


def _lookups(manifest: Manifest) -> dict[str, list[str]]:
    return {n: [raw.sha256 for raw in archived.objects] for n, archived in manifest.endpoints.items() if n != _LAUNCHES}


def rows_of(found: Validated, ids: Iterable[str]) -> dict[str, pa.Table]:
    """The rows of some launches in all tables that have any."""
    wanted = pa.array(sorted(ids), pa.string())
    tables = {name: _table(found, name) for name in {name for name, _ in found.spill.checksums}}
    return {name: rows.filter(pc.is_in(rows["launch_id"], wanted)) for name, rows in tables.items()}


def _table(found: Validated, name: str) -> pa.Table:
    """All rows of a table, copied, so that nothing of the spill is held."""
    parts = found.spill.by_key(key for key in found.spill.checksums if key[0] == name)
    return pa.concat_tables([TABLES[name].arrow.empty_table(), *parts]).combine_chunks()
