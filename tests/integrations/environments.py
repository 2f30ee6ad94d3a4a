"""The environments of Prefect and Airflow, as a person enters them: by the file beside the integration."""

import shlex
from pathlib import Path

from tests.program import QUICK

ROOT = Path(__file__).parents[2]


def with_environment(name: str, line: str) -> list[str]:
    """A command that types a line in a shell in which the integration's environment file was read."""
    # A person's shell has nothing of what makes our own tests quick, and some servers do not start with it.
    return ["bash", "-euc", f"unset {' '.join(QUICK)}; cd {shlex.quote(str(ROOT))}; . integrations/{name}/environment; {line}"]
