"""A proxy between nosend and a real server: it takes capabilities away, and kills at a chosen command."""

from __future__ import annotations

import re
import signal
import socket
import socketserver
import subprocess
import threading


class Between:
    """Passes lines on. `without`: words that the server does not announce. `lines` keeps what the client said.

    `kill(process, command)`: the process is killed before the command is passed on, or, with `answered`, when the
    server has done it and before its answer comes through.
    """

    def __init__(self, port: int, *without: str) -> None:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._pass(self.request, self.rfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                pass  # one of both hung up

        self.lines: list[bytes] = []
        self._upstream = port
        self._hidden = [re.compile(rb" %s(?=[ \])\r])" % re.escape(word.encode())) for word in without]
        self._victim: tuple[subprocess.Popen[bytes], bytes, bool] | None = None
        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def kill(self, process: subprocess.Popen[bytes], command: str, *, answered: bool) -> None:
        self._victim = (process, command.encode(), answered)

    def said(self, command: str) -> list[bytes]:
        """Give the lines of the client that begin with a command, without their tags."""
        found = [line.partition(b" ")[2].strip() for line in self.lines]
        return [line for line in found if line.upper().startswith(command.encode())]

    def _pass(self, client: socket.socket, said) -> None:
        with socket.create_connection(("127.0.0.1", self._upstream)) as server:
            killing = threading.Event()
            threading.Thread(target=self._answers, args=(server, client, killing), daemon=True).start()
            while line := said.readline():
                self.lines.append(line)
                if self._victim and line.partition(b" ")[2].upper().startswith(self._victim[1]):
                    if not self._victim[2]:
                        self._shoot()
                        return
                    killing.set()
                server.sendall(line)

    def _answers(self, server: socket.socket, client: socket.socket, killing: threading.Event) -> None:
        with server.makefile("rb") as answers:
            for line in answers:
                if killing.is_set() and not line.startswith(b"*"):
                    self._shoot()
                    return
                changed = line
                if b"CAPABILITY" in line or b"PERMANENTFLAGS" in line:
                    for word in self._hidden:
                        changed = word.sub(b"", changed)
                try:
                    client.sendall(changed)
                except OSError:
                    return

    def _shoot(self) -> None:
        assert self._victim
        self._victim[0].send_signal(signal.SIGKILL)
        self._victim[0].wait(10)
        self._victim = None

    def __enter__(self) -> Between:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
