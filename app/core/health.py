"""What the doctor finds: one check for each thing that a run needs."""

from dataclasses import dataclass

MOST_SKEW_S = 60


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and how to repair it. The exit code is that of the system it belongs to."""

    name: str
    passed: bool
    found: str
    hint: str
    exit_code: int
    warning: bool = False
    """A run works all the same, but a person should look; such a check has passed."""

    @property
    def verdict(self) -> str:
        """The check in one word."""
        return "FAIL" if not self.passed else "warn" if self.warning else "pass"


def clock_check(system: str, skew_s: float, exit_code: int) -> Check:
    """How far a system's clock is from the one here."""
    apart = abs(skew_s) > MOST_SKEW_S
    found = f"{abs(skew_s):.0f} s apart from this machine's"
    return Check(f"{system} clock", True, found, "let both keep time by NTP" if apart else "", exit_code, warning=apart)
