"""All settings, read from the environment once; nobody else looks there. Secrets are typed so that they can't be printed."""

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError


def _source(value: str) -> str:
    from . import sources  # a source needs the settings first

    if not sources.is_source(value):
        raise ValueError(f"must be one of {', '.join(sources.known())}")
    return value


def _base_url(value: str) -> str:
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with http:// or https://")
    if parts.username or parts.password:
        raise ValueError("must hold no user and no password: it is printed and stored")
    return value.rstrip("/")


def _catalog(value: str) -> str:
    if value and value != "glue" and not re.fullmatch(r"sqlite:///.+", value):
        raise ValueError("must be empty, glue, or sqlite:/// and the path of a file")
    if value and find_spec("pyiceberg") is None:
        raise ValueError('needs pyiceberg: pip install "spacex-pipeline[iceberg]"')
    return value


def key_prefix(value: str) -> str:
    """A prefix of keys as it is used: empty, or ending with a slash."""
    return f"{value.strip('/')}/" if value.strip("/") else ""


def aws_region() -> str | None:
    """The region that the environment names: boto3 reads AWS_DEFAULT_REGION alone, AWS_REGION counts too."""
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")


class Settings(BaseSettings):
    """What a run needs to know. Names in the environment are these in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    source: Annotated[str, AfterValidator(_source)] = Field("spacex", description="which API")
    source_url: Annotated[str, AfterValidator(_base_url)] = Field("", description="the API's address; empty: its public one")
    spacex_api_version: Literal["v4", "v5"] = Field("v5", description="version of the launches endpoint")
    launch_library_token: SecretStr = Field(SecretStr(""), description="token of Launch Library 2, which raises its limit")
    launch_library_provider_id: int = Field(121, ge=1, description="whose launches Launch Library 2 is asked for")
    full_snapshot_days: int = Field(7, ge=1, le=3650, description="most days between two readings of everything")
    s3_bucket: str = Field(min_length=3, description="bucket; must be versioned")
    s3_prefix: Annotated[str, AfterValidator(key_prefix)] = Field("", description="prefix of every key")
    mysql_host: str = Field(min_length=1, description="MySQL server")
    mysql_port: int = Field(3306, ge=1, le=65535, description="its port")
    mysql_user: str = Field(min_length=1, description="MySQL user")
    mysql_password: SecretStr = Field(description="its password")
    mysql_database: str = Field(min_length=1, max_length=64, description="MySQL database")
    mysql_admin_user: str = Field("", description="init-db alone: a user who may make users")
    mysql_admin_password: SecretStr = Field(SecretStr(""), description="its password")
    mysql_ssl_ca: Path | None = Field(None, description="certificate authorities; set: TLS is required and verified")
    mysql_allow_unverified: bool = Field(False, description="send secrets to a server whose TLS is not verified")
    iceberg_catalog: Annotated[str, AfterValidator(_catalog)] = Field(
        "", description="glue, or sqlite:///…: publish as Iceberg too"
    )
    iceberg_database: str = Field("spacex", pattern=r"^[a-z0-9_]{1,64}$", description="the catalog's database for its tables")
    log_group: str = Field("", description="CloudWatch log group; set: logs go there too")
    stack: str = Field("local", description="dimension of the metrics: whose they are")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level logged")
    run_timeout_s: int = Field(900, ge=10, le=86_400, description="most seconds that a run may take")
    max_rejected_ratio: float = Field(0.05, ge=0, le=1, description="gate: most launches that may be rejected")
    max_shrink_ratio: float = Field(0.10, ge=0, le=1, description="gate: most of a table that may vanish")
    stale_after_days: int = Field(30, ge=1, description="warn when the newest past launch is older")

    @field_validator("mysql_password", "mysql_admin_password", "launch_library_token")
    @classmethod
    def _one_secret(cls, value: SecretStr) -> SecretStr:
        try:
            whole = json.loads(value.get_secret_value())
        except ValueError:
            return value
        if isinstance(whole, dict):
            raise ValueError("is a whole JSON secret; in the task definition name its key (arn:…:password::)")
        return value

    @field_validator("launch_library_token")
    @classmethod
    def _one_word(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]*", value.get_secret_value()):
            raise ValueError("must be one word without spaces or line ends: it goes into a header")
        return value

    @field_validator("mysql_ssl_ca", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return value or None

    def elsewhere(self, prefix: str, database: str) -> "Settings":
        """The same settings for another prefix of the bucket and another database, without Iceberg, whose tables are of this one.

        Raises SettingsError when one is the same.
        """
        if key_prefix(prefix) == self.s3_prefix or database == self.mysql_database:
            raise SettingsError("--to-prefix and --to-database must both name other places than the settings do")
        return self.model_copy(update={"s3_prefix": key_prefix(prefix), "mysql_database": database, "iceberg_catalog": ""})

    @property
    def aws_region(self) -> str | None:
        """The region that the environment names."""
        return aws_region()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be printed."""
        secret = (self.mysql_password, self.mysql_admin_password, self.launch_library_token)
        return tuple(value.get_secret_value() for value in secret)


def load_settings() -> Settings:
    """The settings of the environment. Raises SettingsError that names every fault and no value."""
    try:
        return Settings()  # type: ignore[call-arg]  # the environment gives the rest
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_input=False, include_url=False, include_context=False):
            name = str(fault["loc"][0]).upper() if fault["loc"] else "settings"
            reason = "is not set" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
            faults.append(f"{name} {reason}" if reason.startswith("is ") else f"{name}: {reason}")
        raise SettingsError("; ".join(faults), hint="see the settings table in the README") from None
