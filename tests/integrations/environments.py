"""The environments of Prefect and Airflow, as a person enters them: by the file beside the integration."""

import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]


def with_environment(name: str, line: str) -> list[str]:
    """A command that types a line in a shell in which the integration's environment file was read."""
    return ["bash", "-euc", f"cd {shlex.quote(str(ROOT))}; . integrations/{name}/environment; {line}"]
