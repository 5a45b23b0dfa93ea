"""Whether a host is this machine: there, and nowhere else, credentials may travel in plain text."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
