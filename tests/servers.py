"""Real servers for the tests: Dovecot on loopback, and a scripted one for what no real server will do."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from imapclient import IMAPClient

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSWORD = "secret"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def dovecot_binary() -> str | None:
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


def certificate(folder: Path) -> Path:
    """Make cert.pem for localhost, which is its own CA, and key.pem; gives the former."""
    path = folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", path],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


class Server:
    """What the real servers have in common. `port` speaks plain IMAP; any user has a mailbox of their own."""

    port: int
    password = PASSWORD

    def login(self, user: str) -> str:
        """Give the name by which a user logs in."""
        return user

    def client(self, user: str) -> IMAPClient:
        """Log in as another mail program would; use it in a `with`."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=30)
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.login(self.login(user), self.password)
        return client

    def fill(self, user: str, mails: list[bytes], folder: str = "INBOX") -> None:
        """Put mails into a folder, unseen, in this order; the folder is made if missing."""
        with self.client(user) as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            self.append(client, folder, [re.sub(rb"\r?\n", b"\r\n", raw) for raw in mails])

    def append(self, client: IMAPClient, folder: str, mails: list[bytes]) -> None:
        for raw in mails:
            client.append(folder, raw)

    def snapshot(self, user: str) -> dict[str, tuple[bytes, tuple[bytes, ...]]]:
        """Give every mail of every folder with its flags, as another client sees them."""
        found = {}
        with self.client(user) as client:
            for marks, _, name in client.list_folders():
                if b"\\Noselect" in marks:
                    continue
                client.select_folder(name, readonly=True)
                for uid, item in client.fetch(client.search(), ["FLAGS", "BODY.PEEK[]"]).items():
                    flags = tuple(sorted(flag for flag in item[b"FLAGS"] if flag != b"\\Recent"))
                    found[f"{name}/{uid}"] = (item[b"BODY[]"], flags)
        return found


class Dovecot(Server):
    """A Dovecot of its own, as root or not. Any user logs in with PASSWORD and has an empty mailbox of their own.

    `port` speaks plain IMAP with STARTTLS, `tls_port` TLS; `ca` is the certificate of both, for `localhost`. With the
    URL of an `introspection` endpoint (RFC 7662) access tokens that it calls active, with the scope "mail", are
    taken, too. `prefix` stands before all folders but INBOX; its last character is the delimiter. A `crowd` of users
    may be logged in all at once.
    """

    def __init__(
        self,
        introspection: str = "",
        mechanisms: str = "xoauth2 oauthbearer",
        *,
        prefix: str = "/",
        crowd: Sequence[str] = (),
    ) -> None:
        self._prefix = prefix
        # short and traversable: UNIX sockets have 108 bytes, and pytest's own folders are 0700
        self.home = Path(tempfile.mkdtemp(prefix="nsd", dir="/tmp"))
        self.home.chmod(0o755)
        me = pwd.getpwuid(os.getuid())
        self._as_root = me.pw_uid == 0
        self.account = pwd.getpwnam("nobody") if self._as_root else me
        self.port, self.tls_port = free_port(), free_port()
        self.ca = certificate(self.home)
        self._log = self.home / "dovecot.log"
        self._crowd = {user: 40_000 + number for number, user in enumerate(crowd)} if self._as_root else {}
        self.configuration = self.home / "dovecot.conf"
        self.configuration.write_text(
            (self._for_a_crowd(len(crowd)) if crowd else "")
            + self._settings()
            + (self._oauth(introspection, mechanisms) if introspection else "")
        )
        (self.home / "home").mkdir()
        self.give(self.home / "home")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def give(self, *paths: Path, user: str = "") -> None:
        """Let the user that Dovecot runs as own these files; of a crowd each user is one of their own."""
        if self._as_root:
            for path in paths:
                os.chown(path, self._crowd.get(user, self.account.pw_uid), self.account.pw_gid)

    def _settings(self) -> str:
        home, user = self.home, self.account.pw_name
        return f"""
base_dir = {home}/run
state_dir = {home}/state
log_path = {self._log}
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{self.ca}
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_fsync = never
mail_max_userip_connections = 100
default_internal_user = {user}
default_internal_group = {grp.getgrgid(self.account.pw_gid).gr_name}
default_login_user = {user}
first_valid_uid = 0
mail_location = maildir:~/mail
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={self.account.pw_uid} gid={self.account.pw_gid} home={home}/home/%u
}}
namespace inbox {{
  inbox = yes
  separator = {self._prefix[-1]}
  prefix = {self._prefix.strip("/")}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = {self.tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

    def _for_a_crowd(self, number: int) -> str:
        """Raise the limits. Users of one uid share 128 inotify instances, without which IDLE looks by the clock."""
        home = self.home
        users = [f"{user}::{uid}:{self.account.pw_gid}::{home}/home/{user}::" for user, uid in self._crowd.items()]
        (home / "users").write_text("".join(f"{line}\n" for line in users))
        return f"""
default_process_limit = {2 * number + 100}
default_client_limit = {10 * number + 1000}
mailbox_idle_check_interval = 2 secs
service imap {{
  process_limit = {2 * number + 100}
}}
service imap-login {{
  service_count = 0
  process_limit = 4
}}
userdb {{
  driver = passwd-file
  args = {home}/users
}}
"""

    def _oauth(self, introspection: str, mechanisms: str) -> str:
        settings = self.home / "oauth2.conf"
        settings.write_text(
            f"introspection_mode = post\nintrospection_url = {introspection}\nusername_attribute = username\n"
            "active_attribute = active\nactive_value = true\nforce_introspection = yes\nscope = mail\n"
        )
        return f"""
auth_mechanisms = plain login {mechanisms}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {settings}
}}
"""

    def start(self) -> None:
        binary = dovecot_binary()
        assert binary
        self._process = subprocess.Popen(
            [binary, "-F", "-c", self.configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as line:
                    if line.recv(4) == b"* OK":
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"Dovecot did not start: {self._log.read_text() if self._log.exists() else 'no log'}")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def kick(self, user: str) -> None:
        """Cut the connections of a user, as an administrator does."""
        doveadm = shutil.which("doveadm", path=f"{os.environ.get('PATH')}:/usr/bin:/usr/local/bin")
        subprocess.run([doveadm, "-c", self.configuration, "kick", user], check=True, capture_output=True)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def maildir(self, user: str, folder: str = "INBOX") -> Path:
        """Give the Maildir of a user's folder, made if missing."""
        mail = self.home / "home" / user / "mail"
        path = mail if folder == "INBOX" else mail / f".{folder.replace('/', '.')}"
        for name in ("cur", "new", "tmp"):
            (path / name).mkdir(parents=True, exist_ok=True)
        self.give(mail.parent, mail, path, path / "cur", path / "new", path / "tmp", user=user)
        return path

    def fill(self, user: str, mails: list[bytes], folder: str = "INBOX") -> None:
        """Put mails into a folder, unseen, in this order."""
        path = self.maildir(user, folder)
        start = sum(1 for part in ("new", "cur") for _ in (path / part).iterdir())
        for number, raw in enumerate(mails, start):
            file = path / "tmp" / f"{1_700_000_000 + number}.M{number}.localhost"
            file.write_bytes(raw)
            self.give(file, user=user)
            file.rename(path / "new" / file.name)  # whole, whoever is looking

    def deliver(self, user: str, mail: bytes) -> None:
        """Deliver a mail to a user's INBOX as a mail server does."""
        lda = shutil.which("dovecot-lda", path="/usr/lib/dovecot:/usr/libexec/dovecot:/usr/local/libexec/dovecot")
        assert lda
        subprocess.run([lda, "-c", self.configuration, "-d", user, "-f", "a@b"], input=mail, check=True, timeout=60)


class Scripted:
    """A server on a real socket whose answers are a function's: `answer(tag, command, line) -> bytes`.

    The function gets the tag, the command's words in upper case and the whole line; None hangs up, b"" says
    nothing. `lines` keeps what the client said. With `hangs_up` set it hangs up after the answer.
    """

    def __init__(self, answer, greeting: bytes = b"* OK ready\r\n", greets_after: float = 0.0) -> None:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.connected()
                time.sleep(greets_after)
                self.wfile.write(greeting)
                while line := self.rfile.readline():
                    outer.lines.append(line)
                    tag, _, rest = line.strip().partition(b" ")
                    said = answer(tag, rest.upper(), line)
                    if said is None:
                        return
                    self.wfile.write(said)
                    if outer.hangs_up:
                        return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                pass  # the client hung up

        self.lines: list[bytes] = []
        self.hangs_up = False
        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def connected(self) -> None:
        """Begin a new connection."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Counted:
    """A way to a server on this machine that keeps what the client says: a line of `lines` is a round trip."""

    def __init__(self, port: int) -> None:
        self.lines: list[bytes] = []
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def after_log_in(self) -> int:
        """Count the commands after the log-in, without the log-out."""
        words = [line.split(b" ")[1].strip().upper() for line in self.lines]
        return len([word for word in words[words.index(b"LOGIN") + 1 :] if word != b"LOGOUT"])

    def __enter__(self) -> Counted:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._between, args=(client,), daemon=True).start()

    def _between(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
            back.start()
            self._pass(client, server, self.lines)
            back.join()

    @staticmethod
    def _pass(giver: socket.socket, taker: socket.socket, lines: list[bytes] | None = None) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while data := giver.recv(65536):
                if lines is not None:
                    *whole, rest = (rest + data).split(b"\r\n")
                    lines += whole
                taker.sendall(data)
        for end in (giver, taker):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
