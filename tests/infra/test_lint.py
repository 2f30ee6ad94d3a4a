"""What tflint's rules for the language ask for: nothing declared in vain, everything described, no deprecated syntax.

tflint itself is in no package registry that these tests install from.
"""

import re
from pathlib import Path

import pytest
from environment import INFRA

ROOTS = [INFRA / "terraform", INFRA / "bootstrap"]


@pytest.fixture(params=ROOTS, ids=lambda p: p.name)
def code(request: pytest.FixtureRequest) -> str:
    """A root module's text without comments."""
    return text_of(request.param)


def text_of(root: Path) -> str:
    """All of a root module, without comments."""
    text = "\n".join(path.read_text() for path in sorted(root.glob("*.tf")))
    return re.sub(r"(^|\s)#(?![^\n\"]*\"[^\n\"]*$).*$", r"\1", text, flags=re.MULTILINE)


def blocks(code: str, kind: str) -> dict[str, str]:
    """Blocks of a kind with one label, by that label."""
    return dict(re.findall(rf'^{kind} "(\w+)" \{{$(.*?)^\}}$', code, re.MULTILINE | re.DOTALL))


def declared(code: str) -> set[str]:
    """What is declared, as it would be referred to."""
    names = {f"var.{name}" for name in blocks(code, "variable")}
    names |= {f"data.{kind}.{name}" for kind, name in re.findall(r'^data "(\w+)" "(\w+)"', code, re.MULTILINE)}
    for body in re.findall(r"^locals \{$(.*?)^\}$", code, re.MULTILINE | re.DOTALL):
        names |= {f"local.{name}" for name in re.findall(r"^  (\w+) +=", body, re.MULTILINE)}
    return names


def test_nothing_is_declared_in_vain(code: str) -> None:
    assert {name for name in declared(code) if not re.search(rf"{re.escape(name)}\b", code)} == set()


def test_what_is_declared_in_vain_would_be_found() -> None:
    seeded = text_of(ROOTS[0]) + '\nvariable "unused" {\n  type = string\n}\n\nlocals {\n  idle = 1\n}\n'
    assert {name for name in declared(seeded) if not re.search(rf"{re.escape(name)}\b", seeded)} == {"var.unused", "local.idle"}


def test_variables_have_a_type_and_a_description(code: str) -> None:
    for name, body in blocks(code, "variable").items():
        assert re.search(r"^  type +=", body, re.MULTILINE), name
        assert re.search(r'^  description += "[A-Z].+\."$', body, re.MULTILINE), name


def test_outputs_have_a_description(code: str) -> None:
    for name, body in blocks(code, "output").items():
        assert re.search(r'^  description += "[A-Z].+\."$', body, re.MULTILINE), name


def test_names_are_snake_case(code: str) -> None:
    names = re.findall(r'^(?:resource|data) "\w+" "([^"]+)"|^(?:variable|output) "([^"]+)"', code, re.MULTILINE)
    assert names
    assert [name for pair in names for name in pair if name and not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []


def test_versions_are_required(code: str) -> None:
    assert re.search(r'^  required_version += ">= 1\.11\.0"$', code, re.MULTILINE)
    assert re.search(r'source += "hashicorp/aws"\s+version += ">= 5\.100\.0, < 7\.0\.0"', code)


def test_no_deprecated_syntax(code: str) -> None:
    assert not re.search(r'= "\$\{[^}"]+\}"$', code, re.MULTILINE), "an interpolation alone"
    assert not re.search(r"[a-z_\]]\.\d+\b", re.sub(r'"[^"\n]*"', "", code)), "an index after a dot"
    assert "<<" not in code, "checkov reads no file whose heredoc holds a placeholder"


def test_nothing_that_version_6_of_the_provider_took_away(code: str) -> None:
    """By its upgrade guide, as far as it names kinds that are used here."""
    kinds = set(re.findall(r'^(?:resource|data) "(\w+)"', code, re.MULTILINE))
    removed = {
        "aws_eip": r"^  vpc +=",
        "aws_ecs_task_definition": r"inference_accelerator",
        "aws_db_instance": r"^  character_set_name",
        "aws_region": r"data\.aws_region\.\w+\.name",
        "aws_flow_log": r"log_group_name",
        "aws_vpc_endpoint_service": r"data\.aws_vpc_endpoint_service\.\w+\.region",
        "aws_s3_bucket": r"(?:aws_s3_bucket)\.\w+(?:\[\d\])?\.region\b",
    }
    assert {kind for kind, found in removed.items() if kind in kinds and re.search(found, code, re.MULTILINE)} == set()


def test_no_partition_is_written_down(code: str) -> None:
    """`amazonaws.com` and `arn:aws` differ in China and GovCloud; what names them all, or is the same in all, may stay."""
    same_everywhere = ('service_name      = "com.amazonaws.${var.region}.s3"', '"sts.amazonaws.com"')
    for line in code.splitlines():
        if (
            any(known in line for known in same_everywhere)
            or "consoles" in line
            or "error_message" in line
            or "description" in line
        ):
            continue
        assert not re.search(r"amazonaws\.com|arn:aws", line), line
