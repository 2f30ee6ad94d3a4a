"""Answers that earlier runs received, one after the other out of the raw archive, as rows of the canonical tables."""

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from ..core.model import ArchivedResponse, Manifest, RawObject, Response, Run
from ..core.schema import LAUNCHES
from ..core.source import Parser, SetAside, Source
from ..core.spans import Answer
from ..lake.store import S3Lake
from ..mysql.warehouse import MysqlWarehouse
from ..telemetry.interrupts import Interrupts
from ..telemetry.stages import Telemetry
from .adapters import Adapters
from .candidate import Candidate, received

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
            same = before is not None and self._lookups == _lookups(manifest) and objects[: len(before[0])] == before[0]
            if before is not None and same:
                answer = before[1]
                if more := objects[len(before[0]) :]:
                    answer = answer.changed_by(self._read(place, manifest, more))
                answer = Answer(place, answer.launches, answer.rejected)
            else:
                answer = self._read(place, manifest, objects)
            self._last = objects, answer
            yield answer

    def _read(self, place: int, manifest: Manifest, objects: list[RawObject]) -> Answer:
        with self.candidate(manifest, objects) as candidate:
            rejected = {reject.id for reject in candidate.rejected_launches}
            return Answer(place, candidate.spill.table(_LAUNCHES), rejected - candidate.accepted_ids)

    @contextlib.contextmanager
    def candidate(self, manifest: Manifest, objects: list[RawObject] | None = None) -> Iterator[Candidate]:
        """The rows of one answer in all tables, or of some of its launches' bodies. Raises PipelineError."""
        with tempfile.TemporaryDirectory(dir=self._spool) as name:
            folder = Path(name)
            self._learn(manifest, folder)
            archived = manifest.endpoints[_LAUNCHES]
            some = archived if objects is None else archived.model_copy(update={"objects": objects})
            responses = {_LAUNCHES: self._restored(_LAUNCHES, some, folder)}
            run = Run(manifest.run_id, manifest.as_of, manifest.source, manifest.as_of)
            nowhere = cast("MysqlWarehouse", None)  # what was received is the same whatever the stores hold
            candidate = received(run, Adapters(self._as_source(), self._lake, nowhere, silent()), responses, folder)
            candidate.spill.close()
            yield candidate

    def _learn(self, manifest: Manifest, folder: Path) -> None:
        if self._parser is None or self._lookups != _lookups(manifest):
            others = {name: archived for name, archived in manifest.endpoints.items() if name != _LAUNCHES}
            responses = {name: self._restored(name, archived, folder) for name, archived in others.items()}
            self._parser, self._lookups = self._source.parser(responses, lambda *_: None), _lookups(manifest)

    def _restored(self, name: str, archived: ArchivedResponse, folder: Path) -> Response:
        return self._lake.restore(Response(name, archived.etag, (), archived, watermark=archived.watermark), folder)

    def _as_source(self) -> Source:
        assert self._parser
        return cast("Source", _Learned(self._source, self._parser))


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


def rows_of(candidate: Candidate, ids: Iterable[str]) -> dict[str, pa.Table]:
    """The rows of some launches in all tables that have any."""
    wanted: Any = pa.array(sorted(ids), pa.string())
    tables = {name: candidate.spill.table(name) for name in {name for name, _ in candidate.spill.checksums}}
    return {name: rows.filter(pc.is_in(rows["launch_id"], wanted)) for name, rows in tables.items()}


def silent() -> Telemetry:
    """What a run of the past warned of it has logged itself."""
    logger = logging.getLogger(f"{__name__}.silent")
    logger.disabled = True
    return Telemetry("", logger, Interrupts(0))
