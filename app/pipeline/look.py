"""What both stores hold before a run does anything."""

from concurrent.futures import Future
from dataclasses import dataclass

from ..core.checksum.digest import Checksum
from ..core.model import Manifest, PartitionKey, Pointer, Run, StoredObject
from ..core.reconcile import CurrentState
from ..core.runs import LastRun
from ..errors import WarehouseError, waiting_for
from .adapters import Adapters
from .published import published_manifest


@dataclass(frozen=True)
class Look:
    """What is known at once, and what the server is still computing."""

    pointer: Pointer
    manifest: Manifest | None
    objects: dict[PartitionKey, StoredObject]
    last_run: LastRun
    fault: str | None
    in_mysql: "Future[dict[PartitionKey, Checksum]]"

    def complete(self, adapters: Adapters) -> CurrentState:
        """The state, once the server has computed its checksums. Raises WarehouseError."""
        with adapters.telemetry.stage("checksums") as counts, waiting_for(WarehouseError):
            try:
                in_mysql = self.in_mysql.result()
            except WarehouseError as error:  # as where a user may have one connection only
                in_mysql = adapters.warehouse.checksums(adapters.warehouse.counts())
                adapters.telemetry.event(f"checksums: answered at attempt 2; before it: {error}")
            counts.update(partitions=len(in_mysql), rows=sum(checksum.rows for checksum in in_mysql.values()))
        return self.with_checksums(in_mysql)

    def with_checksums(self, in_mysql: dict[PartitionKey, Checksum]) -> CurrentState:
        """The state with these checksums."""
        return CurrentState(self.manifest, self.objects, in_mysql, self.last_run, self.fault)


def look(adapters: Adapters, last_run: LastRun) -> Look:
    """Begin to look: the server computes its checksums meanwhile. Raises PipelineError."""
    lake, telemetry = adapters.lake, adapters.telemetry
    with telemetry.stage("look") as counts:
        in_mysql = adapters.warehouse.all_checksums()
        pointer = lake.latest()
        manifest, fault = _manifest(adapters, pointer, last_run)
        objects = lake.partitions()
        counts["objects"] = len(objects)
        telemetry.warn_if(lake.unexpected_objects, "objects that are not this pipeline's lie among the partitions")
    return Look(pointer, manifest, objects, last_run, fault, in_mysql)


def _manifest(adapters: Adapters, pointer: Pointer, last_run: LastRun) -> tuple[Manifest | None, str | None]:
    """The manifest that counts, and what is wrong with the one that the pointer should name."""
    manifest, fault = pointer.manifest, pointer.fault or pointer.warning
    if manifest is None and (fault or last_run.merged_id):
        manifest = published_manifest(adapters, last_run.merged_id)
        if manifest is not None:
            fault = fault or "S3 manifests/latest.json is missing"
    if manifest is not None and not manifest.number:
        manifest = _numbered(manifest, adapters.warehouse.runs_table.number_of(manifest.run_id), last_run)
    return manifest, fault


def numbered_above(adapters: Adapters, run: Run, number: int, pointer: Pointer) -> int:
    """The run's number, above that of the manifest: a database that was restored from a backup knows less than the lake."""
    if pointer.manifest is None or pointer.manifest.number < number:
        return number
    adapters.warehouse.runs_table.renumber(run.id, pointer.manifest.number + 1)
    return pointer.manifest.number + 1


def _numbered(manifest: Manifest, number: int | None, last_run: LastRun) -> Manifest:
    """A manifest that is older than the numbers, with its run's; one that this database does not know is younger than it."""
    return manifest.model_copy(update={"number": number if number is not None else last_run.merged_number})
