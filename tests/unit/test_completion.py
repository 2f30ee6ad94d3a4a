"""The lines for `~/.bashrc` and `~/.zshrc` as docs/commands.md prints them, in those shells."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/commands.md"
LINES = {shell: line for line, shell in re.findall(r"^    (eval .*_COMPLETE=(\w+)_source .*)$", PAGE.read_text(), re.MULTILINE)}


def typed(shell: list[str], script: str, **variables: str) -> str:
    """What a shell prints in which our command is on PATH."""
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}", **variables}
    done = subprocess.run([*shell, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_bash_completes_commands_and_options() -> None:
    script = f"""{LINES["bash"]}
    press_tab() {{
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
      _spacex_pipeline_completion "$1"
      echo "${{COMPREPLY[@]}}"
    }}
    press_tab spacex-pipeline ver
    press_tab spacex-pipeline verify --h
    press_tab spacex-pipeline runs s
    complete -p spacex-pipeline"""
    shown = typed(["bash"], script).splitlines()
    assert shown[:3] == ["verify", "--heal --help", "show"]
    assert "_spacex_pipeline_completion spacex-pipeline" in shown[3]


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
def test_zsh_has_a_completion_for_the_command() -> None:
    script = f"autoload -Uz compinit && compinit -u -D; {LINES['zsh']}; print $_comps[spacex-pipeline]"
    assert typed(["zsh", "-f"], script) == "_spacex_pipeline_completion\n"


def test_zsh_is_given_commands_with_their_help() -> None:
    """What its completion asks for at each press of the key."""
    asked = {"_SPACEX_PIPELINE_COMPLETE": "zsh_complete", "COMP_WORDS": "spacex-pipeline verify --h", "COMP_CWORD": "2"}
    shown = typed(["sh"], "spacex-pipeline", **asked).splitlines()
    assert [(shown[i], shown[i + 1]) for i in range(0, len(shown), 3)] == [("plain", "--heal"), ("plain", "--help")]
    assert shown[2].startswith("Repair what differs")
