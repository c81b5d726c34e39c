"""pymap, an IMAP server in Python, as a process of its own on a free loopback port."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

USER, PASSWORD = "demouser", "demopass"
_START_SECONDS = 30.0


class ImapServer:
    """An empty mailbox for USER with PASSWORD, while the `with` lasts. `port` is where it listens.

    Raises ModuleNotFoundError when pymap is not installed.
    """

    def __init__(self) -> None:
        if find_spec("pymap") is None:
            raise ModuleNotFoundError("No module named 'pymap'", name="pymap")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> Self:
        pymap = [sys.executable, "-c", "from pymap.main import main; main()"]
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-tls", "dict"]
        user = ["--demo-user", USER, "--demo-password", PASSWORD]
        self._process = subprocess.Popen(
            [*pymap, *options, *user],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        self._stop()
        raise RuntimeError("the demo's IMAP server did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
