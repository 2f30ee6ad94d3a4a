"""All settings, read from the environment once; nobody else looks there. Secrets are typed so that they can't be printed."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError

_BYTE_ORDER_MARK = "\ufeff"
_HOST = r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_ADDRESS = rf"(?i:https?)://{_HOST}(:{_PORT})?(/[!-~]*)?"
_VERSION = r"/(v[45]|latest|2\.[0-9]+\.[0-9]+)(/.*)?$"
_SECRETS = ("mysql_password", "mysql_admin_password", "launch_library_token")
_TEXT_OF_A_PERSON = {"mysql_password", "mysql_admin_password"}  # may hold anything that a person can think of
_OF_CLIENTS = re.compile(r"AWS_[A-Z0-9_]+|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE)  # what boto3 and requests read
_HINT = f"docs/settings.md explains them, python -m {__package__}.env_file prints a file to fill in"
_FOR_INIT_DB = ("mysql_admin_user", "mysql_admin_password")
# In infra/terraform/variables_job.tf are the same rules; tests/fixtures/settings.yaml has the cases that both are held to.


def _source(value: str) -> str:
    from . import sources  # a source needs the settings first

    if not sources.is_source(value):
        raise ValueError(f"must be one of {', '.join(sources.known())}")
    return value


def _base_url(value: str) -> str:
    if not value:
        return value
    if not re.match(r"(?i:https?)://[^/?#]", value):
        raise ValueError("must be an address that begins with http:// or https://")
    if "@" in re.split("[/?#]", value.split("://")[1])[0]:
        raise ValueError("must hold no user and no password: it is printed and stored")
    bare = re.split("[?#]", value)[0].rstrip("/")
    right = re.sub(_VERSION, "", bare)
    if right != value.rstrip("/"):
        raise ValueError(f"must be {right}: the program adds the version and the endpoint itself, and ? and # have no place")
    if not re.fullmatch(_ADDRESS, value):
        raise ValueError("must be an address of host, port and path, in ASCII and without spaces")
    return value.rstrip("/")


def _catalog(value: str) -> str:
    if value and value != "glue" and not re.fullmatch(r"sqlite:///.+", value):
        raise ValueError("must be empty, glue, or sqlite:/// and the path of a file")
    if value and find_spec("pyiceberg") is None:
        raise ValueError('must be empty where pyiceberg is not installed: pip install "spacex-pipeline[iceberg]"')
    return value


def _database(value: str) -> str:
    if not re.fullmatch("[a-z0-9_]{1,64}", value):
        raise ValueError("must be 1 to 64 lower-case letters, digits and underscores")
    return value


def key_prefix(value: str) -> str:
    """A prefix of keys as it is used: empty, or ending with a slash."""
    return f"{value.strip('/')}/" if value.strip("/") else ""


def _path_alone(value: str) -> str:
    if "://" in value:
        raise ValueError("must be a path inside the bucket, without s3:// and the bucket's name")
    return value


def _name_alone(value: str) -> str:
    if "/" in value and not value.startswith("arn:"):
        raise ValueError("must be the bucket's name alone, without s3:// and without a path, which goes into S3_PREFIX")
    return value


def _host_alone(value: str) -> str:
    if "/" in value or "@" in value or re.fullmatch(r"[^:]*:[0-9]*", value):
        raise ValueError("must be the host alone: MYSQL_PORT, MYSQL_USER and MYSQL_DATABASE have the rest")
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,18}", value):
        raise ValueError("must be a whole number, in digits alone")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", value):
        raise ValueError("must be a number such as 0.05")
    return value


def _fault_of(value: str, *, any_text: bool = False) -> str | None:
    """What is wrong with a value as text, whatever it is for: what files, shells and editors leave in it."""
    if value.endswith("\r"):
        return "ends with a carriage return: the file that it comes from has the line ends of Windows"
    if value.endswith("\n"):
        return "ends with a line end"
    if _BYTE_ORDER_MARK in value:
        return "holds a byte order mark: save the file that it comes from without one"
    if any_text:
        return None
    if value != value.strip():
        return "begins or ends with a space"
    if value[0] in "\"'" or value[-1] in "\"'":
        return "begins or ends with a quotation mark, which docker --env-file takes for a part of the value"
    if re.search("[\x00-\x1f\x7f]", value):
        return "holds a control character"
    return None


_lower, _upper = BeforeValidator(str.lower), BeforeValidator(str.upper)
Whole = Annotated[int, BeforeValidator(_whole)]
Ratio = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]


def aws_region() -> str | None:
    """The region that the environment names: boto3 reads AWS_DEFAULT_REGION alone, AWS_REGION counts too."""
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")


class Settings(BaseSettings):
    """What a run needs to know. Names in the environment are these in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    source: Annotated[str, _lower, AfterValidator(_source)] = Field("spacex", description="which API")
    source_url: Annotated[str, AfterValidator(_base_url)] = Field("", description="the API's address; empty: its public one")
    spacex_api_version: Annotated[Literal["v4", "v5"], _lower] = Field("v5", description="version of the launches endpoint")
    launch_library_token: SecretStr = Field(SecretStr(""), description="token of Launch Library 2, which raises its limit")
    launch_library_provider_id: Whole = Field(
        121, ge=1, le=2_147_483_647, description="whose launches Launch Library 2 is asked for"
    )
    full_snapshot_days: Whole = Field(7, ge=1, le=3650, description="most days between two readings of everything")
    s3_bucket: Annotated[str, AfterValidator(_name_alone)] = Field(min_length=3, description="bucket; must be versioned")
    s3_prefix: Annotated[str, AfterValidator(_path_alone), AfterValidator(key_prefix)] = Field(
        "", description="prefix of every key"
    )
    mysql_host: Annotated[str, AfterValidator(_host_alone)] = Field(description="MySQL server")
    mysql_port: Whole = Field(3306, ge=1, le=65535, description="its port")
    mysql_user: str = Field(description="MySQL user")
    mysql_password: SecretStr = Field(description="its password")
    mysql_database: str = Field(max_length=64, description="MySQL database")
    mysql_admin_user: str = Field("", description="init-db alone: a user who may make users")
    mysql_admin_password: SecretStr = Field(SecretStr(""), description="its password")
    mysql_ssl_ca: Path | None = Field(None, description="certificate authorities; set: TLS is required and verified")
    mysql_allow_unverified: bool = Field(False, description="send secrets to a server whose TLS is not verified")
    iceberg_catalog: Annotated[str, AfterValidator(_catalog)] = Field(
        "", description="glue, or sqlite:///…: publish as Iceberg too"
    )
    iceberg_database: Annotated[str, AfterValidator(_database)] = Field(
        "spacex", description="the catalog's database for its tables"
    )
    log_group: str = Field("", description="CloudWatch log group; set: logs go there too")
    stack: str = Field("local", description="dimension of the metrics: whose they are")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _upper] = Field("INFO", description="least level logged")
    run_timeout_s: Whole = Field(900, ge=10, le=86_400, description="most seconds that a run may take")
    max_rejected_ratio: Ratio = Field(0.05, description="gate: most launches that may be rejected")
    max_shrink_ratio: Ratio = Field(0.10, description="gate: most of a table that may vanish")
    stale_after_days: Whole = Field(30, ge=1, le=36_500, description="warn when the newest past launch is older")

    @field_validator(*_SECRETS)
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

    @field_validator("*", mode="before")
    @classmethod
    def _plain_text(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str) and value and (fault := _fault_of(value, any_text=info.field_name in _TEXT_OF_A_PERSON)):
            raise ValueError(fault)
        return value

    def without_secrets(self) -> "Settings":
        """The same settings for a process that goes to S3 alone."""
        return self.model_copy(update=dict.fromkeys(_SECRETS, SecretStr("")))

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


def load_settings(files: Sequence[Path] = (), *, for_init_db: bool = False) -> Settings:
    """The settings of the environment, and of files where that has none. Raises SettingsError: every fault, no value."""
    faults: list[str] = []
    if files:
        from .env_file import read  # whose example is made from the settings

        found, faults = read(files)
        for name, value in found.items():
            if not os.environ.get(name):
                os.environ[name] = value
    faults += [*_faults_of_clients(), *_faults_of_names(), *_missing(_FOR_INIT_DB if for_init_db else ())]
    try:
        settings = Settings()  # type: ignore[call-arg]  # the environment gives the rest
    except ValidationError as error:
        faults += _faults(error)
    if faults:
        raise SettingsError("; ".join(faults), hint=_HINT)
    return settings


def _faults_of_clients() -> Iterator[str]:
    """What is wrong with variables that boto3 and requests read; an empty one is made an unset one, which it is not to boto3."""
    for name, value in list(os.environ.items()):
        if _OF_CLIENTS.fullmatch(name):
            if not value:
                del os.environ[name]
            elif fault := _fault_of(value):
                yield f"{name} {fault}"


def _faults_of_names() -> Iterator[str]:
    for name in os.environ:
        plain = name.strip(f"{_BYTE_ORDER_MARK} \t\r\n")
        if plain != name and (plain.lower() in Settings.model_fields or _OF_CLIENTS.fullmatch(plain)):
            yield f"{plain} is set by a name that begins or ends with a space or a byte order mark"


def _missing(needed: Iterable[str]) -> Iterator[str]:
    given = {name.lower() for name, value in os.environ.items() if value}
    return (f"{name.upper()} is not set, and init-db needs a user who may make users" for name in needed if name not in given)


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(fault["loc"][0]).upper() if fault["loc"] else "settings"
        reason = {"missing": "is not set", "bool_parsing": "must be true or false"}.get(fault["type"], fault["msg"])
        reason = re.sub("^(Input|String) should ", "must ", reason.removeprefix("Value error, "))
        yield f"{name}: {reason}" if reason.startswith("must ") else f"{name} {reason}"
