"""Addresses of this machine, and what is wrong with those of the metrics and with URLs."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def no_prom(value: str) -> str:
    """Say what is wrong with metrics_file, "" if nothing is."""
    return "" if not value or value.endswith(".prom") else "must end in .prom: the textfile collector reads no others"


def listen_address(value: str) -> tuple[str, int]:
    """Give host and port of an address like 127.0.0.1:9464 or [::1]:9464. Raises ValueError when it is none."""
    host, _, port = value.rpartition(":")
    number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) else 0
    host = host[1:-1] if re.fullmatch(r"\[.*:.*\]", host) else host.replace(":", " ")
    if not 1 <= number <= 65535 or not is_loopback(host):
        raise ValueError(value)
    return host, number


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name or address alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def no_listener(value: str) -> str:
    """Say what is wrong with metrics_listen, "" if nothing is."""
    try:
        if value:
            listen_address(value)
    except ValueError:
        return "must be an address and a port of this machine alone, like 127.0.0.1:9464 or [::1]:9464"
    return ""


def no_url(url: object) -> str:
    """Say what is wrong with a URL to which secrets are sent, "" if nothing is; without showing it."""
    try:
        parts = urlsplit(url if isinstance(url, str) and url.isprintable() else "")
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in {"https", "http"} or not host or parts.username or parts.fragment or " " in str(url):
        return "must be a URL like https://name.example.com/path"
    if parts.scheme == "http" and not is_loopback(host):
        return "sends secrets in clear: http is allowed only to this machine, write https"
    return ""
