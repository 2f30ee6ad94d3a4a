"""docs/troubleshooting.md has every message that a person may search for, and none that the program does not say."""

import re

from tests.messages import APP, checks, every_text, hints, messages

PAGE = (APP.parent / "docs/troubleshooting.md").read_text()
QUOTED = re.findall(r"^\| `(.+?)` \| .+ \|$", PAGE, re.MULTILINE)


def test_every_message_warning_and_hint_has_an_entry() -> None:
    assert sorted((messages() | hints()) - set(QUOTED)) == []


def test_every_entry_is_a_message_that_the_program_says() -> None:
    said = "\n".join([*messages(), *hints(), *every_text()])
    assert [entry for entry in QUOTED if entry not in said] == []


def test_every_check_of_the_doctor_has_an_entry() -> None:
    part = PAGE.split("## What `doctor` finds")[1].split("\n## ")[0]
    named = set(re.findall(r"^\| ([A-Za-z]\S*(?: \S+)*?) \| ", part, re.MULTILINE)) - {"check"}
    assert len(checks()) > 15
    assert checks() | {"S3 clock", "MySQL clock"} == named


def test_no_message_has_two_entries() -> None:
    assert len(QUOTED) > 150
    assert sorted(QUOTED) == sorted(set(QUOTED))
