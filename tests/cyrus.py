"""A real Cyrus on loopback, the second dialect of IMAP: folders below `INBOX.`, unpacked by .ci/cyrus."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from imapclient import IMAPClient, imap_utf7

from servers import PASSWORD, Server, certificate, free_port

_AS_ROOT = os.getuid() == 0
_HOME_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_UNPACKED = (Path("/var/cache") if _AS_ROOT else _HOME_CACHE) / "nosend-cyrus"


def cyrus_root() -> Path | None:
    """Give the folder below which Cyrus lies: where .ci/cyrus put it, or the system's."""
    places = (_UNPACKED, Path("/"))
    return next((place for place in places if (place / "usr/lib/cyrus/bin/master").is_file()), None)


class _Passwords(socketserver.ThreadingUnixStreamServer):
    """saslauthd's socket: any user logs in with PASSWORD."""

    daemon_threads = True
    block_on_close = False

    class RequestHandlerClass(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _, password, _, _ = (self.rfile.read(struct.unpack("!H", self.rfile.read(2))[0]) for _ in range(4))
            said = b"OK" if password == PASSWORD.encode() else b"NO"
            self.wfile.write(struct.pack("!H", len(said)) + said)

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), self.RequestHandlerClass)
        path.chmod(0o777)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class Cyrus(Server):
    """A Cyrus of its own, as root or not. Any user logs in with PASSWORD and has an empty mailbox of their own.

    `port` speaks plain IMAP with STARTTLS, `tls_port` TLS; `ca` is the certificate of both, for `localhost`.
    """

    def __init__(self) -> None:
        root = cyrus_root()
        assert root, "sh .ci/cyrus unpacks Cyrus"
        self._root = root
        self.home = Path(tempfile.mkdtemp(prefix="nsc", dir="/tmp"))
        self.home.chmod(0o755)
        self._account = pwd.getpwnam("nobody") if _AS_ROOT else pwd.getpwuid(os.getuid())
        self.port, self.tls_port = free_port(), free_port()
        self.ca = certificate(self.home)
        (self.home / "auth").mkdir()
        self._passwords = _Passwords(self.home / "auth" / "mux")
        for name in ("conf", "spool"):
            (self.home / name).mkdir()
        self._configure()
        if _AS_ROOT:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def _configure(self) -> None:
        home, programs = self.home, self._root / "usr/lib/cyrus/bin"
        (home / "imapd.conf").write_text(f"""
configdirectory: {home}/conf
defaultpartition: default
partition-default: {home}/spool
cyrus_user: {self._account.pw_name}
cyrus_group: {grp.getgrgid(self._account.pw_gid).gr_name}
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {home}/auth/mux
sasl_mech_list: PLAIN
allowplaintext: yes
altnamespace: no
unixhierarchysep: no
autocreate_quota: 0
autocreate_post: no
imapidlepoll: 1
maxlogins_per_user: 0
skiplist_unsafe: yes
failedloginpause: 0
tls_server_cert: {home}/cert.pem
tls_server_key: {home}/key.pem
""")
        (home / "cyrus.conf").write_text(f"""
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -C {home}/imapd.conf" listen="127.0.0.1:{self.port}" prefork=0 maxchild=100
  imaps cmd="{programs}/imapd -s -C {home}/imapd.conf" listen="127.0.0.1:{self.tls_port}" prefork=0 maxchild=100
}}
EVENTS {{
}}
""")

    def start(self) -> None:
        home, root = self.home, self._root
        libraries = ":".join(f"{root}/{folder}/{os.uname().machine}-linux-gnu" for folder in ("lib", "usr/lib"))
        with (home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [root / "usr/lib/cyrus/bin/master", "-C", home / "imapd.conf", "-M", home / "cyrus.conf",
                 "-p", home / "master.pid", "-D"],
                env=os.environ | {"LD_LIBRARY_PATH": libraries},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd=home,
                start_new_session=True,  # it ends by a signal to its whole process group
            )  # fmt: skip
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as line:
                    if line.recv(4) == b"* OK":
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"Cyrus did not start: {(home / 'log').read_text()}")

    def append(self, client: IMAPClient, folder: str, mails: list[bytes]) -> None:
        """Append all in one command (RFC 3502): each APPEND is written through to the disk, which takes 17 ms."""
        if not mails:
            return
        imap, tag = client._imap, client._imap._new_tag()
        name = imap._quote(imap_utf7.encode(folder).decode()).encode()
        imap.send(
            b"%s APPEND %s" % (tag, name) + b"".join(b" {%d+}\r\n%s" % (len(raw), raw) for raw in mails) + b"\r\n"
        )
        kind, said = imap._command_complete("APPEND", tag)
        assert kind == "OK", said

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def remove(self) -> None:
        self.stop()
        self._passwords.shutdown()
        self._passwords.server_close()
        shutil.rmtree(self.home, ignore_errors=True)
