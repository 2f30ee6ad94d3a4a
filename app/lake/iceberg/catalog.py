"""The catalog that names the tables: AWS Glue, or a SQLite file for local use."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    NoSuchNamespaceError,
    NoSuchPropertyException,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table, Transaction
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import BooleanType, DoubleType, IcebergType, LongType, NestedField, StringType, TimestamptzType

from ...core.schema import TABLES, Column, Kind
from ...errors import LakeError, PipelineError, waiting_for
from ...settings import Settings
from ..bucket import ATTEMPTS, CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from ..hints import hint_of
from ..layout import ICEBERG, iceberg_table
from .files import properties

Found = TypeVar("Found")

_TYPES: dict[Kind, IcebergType] = {
    Kind.FLAG: BooleanType(),
    Kind.INTEGER: LongType(),
    Kind.REAL: DoubleType(),
    Kind.TIME: TimestamptzType(),
}
_GRANTS = "glue:GetDatabase, glue:GetTable, glue:CreateTable, glue:UpdateTable, glue:DeleteTable"
_NAME = "default"  # what pyiceberg takes where none is given; in a SQLite file it is part of a table's identity
_PARTITION_FIELD_ID = 1000  # the first that Iceberg gives


class IcebergCatalog:
    """The canonical tables by their names in the catalog."""

    def __init__(self, settings: Settings, place: str) -> None:
        self._database = settings.iceberg_database
        self._place = place
        files = properties(settings.s3_bucket, settings.s3_prefix, settings.aws_region)
        options = {"warehouse": f"{place}{ICEBERG}", **files}
        is_glue = settings.iceberg_catalog == "glue"
        self._failures: tuple[type[Exception], ...] = (ClientError, BotoCoreError) if is_glue else _sql_errors()
        with self.asked("the catalog"):
            self._catalog = _glue(settings, options) if is_glue else _sqlite(settings, options)

    def name(self, table: str) -> str:
        """A table's name for people."""
        return f"{self._database}.{table}"

    @contextlib.contextmanager
    def asked(self, what: str) -> Iterator[None]:
        """Ask the catalog, or a table's files: whatever goes wrong is a LakeError that says what to do."""
        try:
            with waiting_for(LakeError):
                yield
        except PipelineError:
            raise
        except CommitFailedException as error:
            hint = "nothing more is published; the next run repairs it"
            raise LakeError(f"Iceberg, {what}: changed by another writer meanwhile", hint=hint) from error
        except CommitStateUnknownException as error:
            raise LakeError(f"Iceberg, {what}: the answer to a commit was lost", hint="the next run finds out") from error
        except (NoSuchPropertyException, TableAlreadyExistsError) as error:
            raise LakeError(f"Iceberg, {what} is no Iceberg table", hint="set ICEBERG_DATABASE to another database") from error
        except self._failures as error:
            hint = hint_of(error, _GRANTS) or "check ICEBERG_CATALOG and ICEBERG_DATABASE"
            raise LakeError(f"Iceberg, {what}: {_first_line(error)}", hint=hint) from error
        except Exception as error:  # whatever pyiceberg raises for what it does not expect
            raise LakeError(f"Iceberg, {what}: {_described(error)}", hint="verify names what is wrong") from error

    def table(self, name: str, read: Callable[[Table], Found]) -> tuple[Table, Found] | str | None:
        """A table and what is read of it; None when there is none, and why when it can't be read. Raises LakeError."""
        identifier = (self._database, name)
        with self.asked(self.name(name)):
            try:
                table = self._catalog.load_table(identifier)
                return table, read(table)
            except NoSuchTableError:
                return None
            except Exception as error:  # whatever pyiceberg raises for files that are gone or broken
                if isinstance(error, (PipelineError, NoSuchPropertyException, *self._failures)):
                    raise
                return _described(error)

    def create(self, name: str) -> Table:
        """Make a table, and the database where there is none. Raises LakeError."""
        schema = Schema(*(_field(place, column) for place, column in enumerate(TABLES[name].columns, 1)))
        source = schema.find_field("launch_year").field_id
        spec = PartitionSpec(PartitionField(source, _PARTITION_FIELD_ID, IdentityTransform(), "launch_year"))
        options = {
            "commit.retry.num-retries": "0",  # tried again, it would be on top of rows that the manifest does not name
            "schema.name-mapping.default": schema.name_mapping.model_dump_json(),  # the files know names, and no ids
            "comment": TABLES[name].meaning,
        }
        wanted: dict[str, Any] = {
            "location": f"{self._place}{iceberg_table(name)}",
            "partition_spec": spec,
            "properties": options,
        }
        with self.asked(self.name(name)):
            try:
                return self._catalog.create_table((self._database, name), schema, **wanted)
            except NoSuchNamespaceError:
                self._catalog.create_namespace_if_not_exists(self._database)
                return self._catalog.create_table((self._database, name), schema, **wanted)

    def drop(self, name: str) -> None:
        """Take a table's name away; its files stay. Raises LakeError."""
        with self.asked(self.name(name)):
            self._catalog.drop_table((self._database, name))


def evolve(transaction: Transaction, name: str) -> None:
    """Give a table the columns of the schema: new ones are null in older files, and older snapshots keep those that went."""
    there = {field.name for field in transaction.table_metadata.schema().fields}
    wanted = {column.name: column for column in TABLES[name].columns}
    if there == wanted.keys():
        return
    with transaction.update_schema() as update:
        for gone in there - wanted.keys():
            update.delete_column(gone)
        for column in wanted.values():
            if column.name not in there:
                update.add_column(column.name, _type(column), column.meaning)


def is_evolved(table: Table, name: str) -> bool:
    """Whether a table has the columns of the schema."""
    return {field.name for field in table.schema().fields} == {column.name for column in TABLES[name].columns}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _field(place: int, column: Column) -> NestedField:
    return NestedField(place, column.name, _type(column), required=column.required, doc=column.meaning)


def _type(column: Column) -> IcebergType:
    return _TYPES.get(column.kind, StringType())


def _glue(settings: Settings, options: dict[str, Any]) -> MetastoreCatalog:
    from pyiceberg.catalog.glue import GlueCatalog

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    client: Any = boto3.client("glue", region_name=settings.aws_region, config=config)
    return GlueCatalog(_NAME, client, **options)


def _sqlite(settings: Settings, options: dict[str, Any]) -> MetastoreCatalog:
    from pyiceberg.catalog.sql import SqlCatalog

    return SqlCatalog(_NAME, uri=settings.iceberg_catalog, **options)


def _sql_errors() -> tuple[type[Exception], ...]:
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError,)
