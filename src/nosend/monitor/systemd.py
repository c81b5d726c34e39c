"""What systemd is told: datagrams to $NOTIFY_SOCKET (sd_notify(3)). Without that socket nothing is told."""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

_SECONDS = 5.0  # a datagram waits while systemd's queue is full


class Systemd:
    """Tells systemd how the service is. No call raises: what could not be told is logged."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL byte of an abstract socket; other families (vsock:) are for virtual machines
        self._address = "\0" + path[1:] if path.startswith("@") else path if path.startswith("/") else ""

    def ready(self) -> None:
        """Say that the service has started, or has read its configuration again."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is read again; `ready` follows."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """Say in one line how it is; `systemctl status` shows it."""
        self._tell(f"STATUS={' '.join(text.split())}")

    def feed(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.settimeout(_SECONDS)
                line.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
            log.warning("systemd could not be told %s at $NOTIFY_SOCKET: %s", lines[0].partition("=")[0], error)
