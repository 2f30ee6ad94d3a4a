"""What an earlier run received, from the raw archive, in the place of the API."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.model import ArchivedResponse, Manifest, Response
from ..core.source import Parser, SetAside, Source
from ..errors import LakeError
from ..lake.store import S3Lake
from ..mysql.warehouse import MysqlWarehouse
from .adapters import Adapters


class ArchivedSource:
    """A source that answers with archived bodies; `copied`: they go into another archive, and count as new there."""

    def __init__(self, source: Source, lake: S3Lake, responses: Mapping[str, ArchivedResponse], *, copied: bool) -> None:
        self.name = source.name
        self.url = source.url
        self._source = source
        self._lake = lake
        self._responses = responses
        self._copied = copied

    def extract(self, previous: Mapping[str, ArchivedResponse], spool: Path) -> Iterator[Response]:  # noqa: ARG002
        """Every endpoint's archived answer. Raises LakeError."""
        for name, archived in self._responses.items():
            whole = self._lake.restore(Response(name, archived.etag, (), archived, watermark=archived.watermark), spool)
            yield replace(whole, archived=None) if self._copied else whole

    def launches(self, response: Response) -> Iterator[list[tuple[int, Any]]]:
        """The launch records in batches."""
        return self._source.launches(response)

    def parser(self, responses: Mapping[str, Response], set_aside: SetAside) -> Parser:
        """A parser that knows the lookups."""
        return self._source.parser(responses, set_aside)

    def probe(self, now: datetime, spool: Path) -> str:
        """What the API itself says."""
        return self._source.probe(now, spool)


def not_yet_there(run_ids: Sequence[str], numbers: Mapping[str, int], adapters: Adapters) -> list[str]:
    """The runs, in their order, that another place does not have yet, and the one that it holds: there they are followed on.

    So a replay that was stopped goes on when it is repeated, and no change is written into the history twice. Raises LakeError
    where the place is further on already.
    """
    replayed = [(replayed_id or run_id, replayed_id) for run_id, replayed_id in adapters.warehouse.runs_table.merged_runs()]
    if not replayed and (manifest := adapters.lake.latest().manifest):
        replayed = [(manifest.replayed_run_id or manifest.run_id, manifest.replayed_run_id)]
    if not replayed:
        return list(run_ids)

    def order(run_id: str) -> tuple[int, str]:
        return numbers.get(run_id, 0), run_id

    held = replayed[0][0]
    newest = next((replayed_id for _, replayed_id in replayed if replayed_id), held)
    if held not in {*numbers, *run_ids}:  # a run of that place's own, after the replays or instead of them
        is_further = any(order(run_id) <= order(newest) for run_id in run_ids) and newest != held
        left = [] if is_further else list(run_ids)
    else:
        left = [run_id for run_id in run_ids if order(run_id) >= order(held)]
    if run_ids and not left:
        message = f"{adapters.lake.place} is further on: it holds run {newest}"
        raise LakeError(message, hint="replay later runs, or into another prefix and database that hold nothing")
    return left


def archived_run(lake: S3Lake, warehouse: MysqlWarehouse, source: str, run_id: str) -> Manifest:
    """What a run received; one that published nothing is completed by what the run before it had. Raises PipelineError."""
    if manifest := lake.manifest(run_id):
        if manifest.source != source:
            raise LakeError(f"run {run_id} is of source {manifest.source}", hint="set SOURCE to it")
        return manifest
    received = lake.received(source, run_id)
    if not received:
        raise LakeError(f"run {run_id} archived nothing of source {source}", hint="see: runs")
    recorded = warehouse.runs_table.one_run(run_id)
    if not recorded or "reconcile" not in recorded["stage_seconds"]:  # the first stage after everything is archived and derived
        raise LakeError(f"run {run_id} ended before it had archived all that it received", hint="replay a run before it")
    base = _published_before(lake, warehouse, run_id)
    if base is None or base.source != source:
        raise LakeError(f"run {run_id} published nothing, and none before it did", hint="run the pipeline")
    if any(response.watermark for response in base.endpoints.values()):
        raise LakeError(f"run {run_id} published nothing and may have received changes only", hint=f"replay {base.run_id}")
    what = {"run_id": run_id, "as_of": recorded["started_at"], "endpoints": {**base.endpoints, **received}}
    return base.model_copy(update=what)


def _published_before(lake: S3Lake, warehouse: MysqlWarehouse, run_id: str) -> Manifest | None:
    numbers = warehouse.runs_table.numbers()
    earlier = [other for other in lake.published_run_ids() if numbers.get(other, 0) < numbers[run_id]]
    return lake.manifest(max(earlier, key=lambda other: (numbers.get(other, 0), other))) if earlier else None
