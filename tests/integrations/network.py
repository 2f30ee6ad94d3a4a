"""What the kernel tells of this process's network."""

from pathlib import Path

_IP = Path("/proc/net/snmp")
_IP6 = Path("/proc/net/snmp6")


def only_loopback() -> bool:
    """Whether loopback is the only interface."""
    interfaces = Path("/proc/net/dev")
    return interfaces.exists() and [line.split(":")[0].strip() for line in interfaces.read_text().splitlines()[2:]] == ["lo"]


def refused() -> int:
    """How many packets had nowhere to go: where there is only loopback, all that were to leave this machine."""
    names, values = (line.split()[1:] for line in _IP.read_text().splitlines() if line.startswith("Ip:"))
    ip6 = dict(line.split() for line in _IP6.read_text().splitlines()) if _IP6.exists() else {}
    return int(dict(zip(names, values, strict=True))["OutNoRoutes"]) + int(ip6.get("Ip6OutNoRoutes", 0))
