"""OAuth 2 through the real command: a provider on loopback, and a Dovecot that asks it about each token."""

from __future__ import annotations

import base64
import json
import re
import signal
import socketserver
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import Shell
from nosend import config
from nosend.errors import MailboxRefusedError, MailboxUnreachableError
from nosend.mailbox import login
from nosend.mailbox.sasl import Bearer
from oauth import CLIENT_ID, CLIENT_SECRET, Knobs, Provider
from servers import Dovecot, Scripted, free_port
from test_sync import notice, order
from test_watch import Watching

AGAIN = "run `nosend login shop`"


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def provider(server: Provider) -> Provider:
    server.knobs = Knobs()
    return server


@pytest.fixture(scope="module")
def mails(dovecot: Dovecot, server: Provider) -> Iterator[Dovecot]:
    """Dovecot with OAuth; `dovecot` is there for its skip where Dovecot is missing."""
    own = Dovecot(f"{server.url}/introspect")
    yield own
    own.remove()


@pytest.fixture
def shop(nosend: Shell, provider: Provider, mails: Dovecot) -> Shell:
    """Configure alice's mailbox for the device flow, empty, nothing granted."""
    configure(nosend, provider, mails)
    return nosend


def configure(nosend: Shell, provider: Provider, mails: Dovecot, **keys: object) -> None:
    wanted = {"oauth": "custom", "oauth_client_id": CLIENT_ID, "oauth_scope": "mail", "oauth_grant": "device_code"}
    user = str(keys.pop("user", "alice"))
    nosend.configure(user, mails.port, **({"password_env": None} | wanted | keys))
    tables = {"oauth_endpoints": provider.endpoints} | {
        name: keys[name] for name in ("oauth_client_secret",) if name in keys
    }
    path = nosend.folder / "config.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(tuple(tables))]
    lines += [
        f"{name} = {{ {', '.join(f'{k} = {json.dumps(v)}' for k, v in one.items())} }}" for name, one in tables.items()
    ]
    path.write_text("\n".join(lines) + "\n")


def token_file(nosend: Shell) -> Path:
    return nosend.folder / "nosend.db.tokens" / "shop.json"


def kept(nosend: Shell) -> dict[str, str]:
    return json.loads(token_file(nosend).read_text())


def grant(nosend: Shell, provider: Provider, user: str = "alice") -> None:
    """Write the token file as `nosend login` does, without asking."""
    given = provider.given(user)
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    told = {"username": user, "client_id": CLIENT_ID, "expires_at": end, "refresh_token": "", "scope": ""} | given
    token_file(nosend).parent.mkdir(mode=0o700, exist_ok=True)
    token_file(nosend).write_text(json.dumps({k: v for k, v in told.items() if k not in {"token_type", "expires_in"}}))
    token_file(nosend).chmod(0o600)


def run_out(nosend: Shell, left: timedelta = timedelta(seconds=30)) -> None:
    """Let the kept access token have no more than this left."""
    told = kept(nosend) | {"expires_at": (datetime.now(UTC) + left).isoformat()}
    token_file(nosend).write_text(json.dumps(told))


def asked(nosend: Shell) -> str:
    """Give the access token of the mailbox's log-in, as each connect asks for it."""
    (mailbox,) = config.load(nosend.folder / "config.toml").mailboxes
    found = login.credentials(mailbox, nosend.env)
    assert isinstance(found, Bearer)
    return found.token


def no_secret(text: str, provider: Provider) -> None:
    assert not re.search(r"access-|refresh-|s3cr|device-code", text), text
    assert not any(token in text for token in (*provider.access, *provider.refresh))


@contextmanager
def at_browser(nosend: Shell, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `nosend login shop` and give it with the address that it shows."""
    run = subprocess.Popen(
        [sys.executable, "-m", "nosend", "login", "shop", *words],
        cwd=nosend.folder, env=nosend.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with run:
        try:
            assert run.stderr is not None
            for line in run.stderr:
                if "http" in line:
                    yield run, line.split()[1]
                    break
                assert "open this" in line, line + run.stderr.read()
        finally:
            run.kill()


# Granted, and used


def test_code_typed_on_another_machine_lets_sync_in(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    """RFC 8628: pending, then granted; the token file is the owner's alone; sync asks nobody again."""
    mails.fill("alice", [notice(1)])
    provider.knobs.polls = ["authorization_pending", "authorization_pending"]
    done = shop("login", "shop")
    assert f"open {provider.url}/activate in a browser on any machine and enter the code WDJB-MJHT" in done.stderr
    assert f"logged in to alice@127.0.0.1:{mails.port}; the grant is kept in " in done.stderr
    assert provider.knobs.grants() == ["device_code"] * 3
    assert provider.knobs.seen("/device") == [{"scope": "mail", "client_id": CLIENT_ID}]
    assert stat.S_IMODE(token_file(shop).stat().st_mode) == 0o600
    assert stat.S_IMODE(token_file(shop).parent.stat().st_mode) == 0o700
    synced = shop("sync")
    assert (synced.stdout, synced.stderr) == ("", "")
    assert shop("list").stdout.count(order(1)) == 1
    assert provider.knobs.grants() == ["device_code"] * 3
    assert sorted(path.name for path in token_file(shop).parent.iterdir()) == ["shop.json", "shop.json.lock"]
    no_secret(done.stderr + done.stdout, provider)


def test_browser_on_this_machine_lets_sync_in(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    """RFC 8252 and 7636 as Google has them: the stub checks the challenge, the verifier and the redirect URI."""
    configure(
        shop, provider, mails, oauth="google", oauth_grant="authorization_code", oauth_scope="mail",
        oauth_client_secret={"env": "CLIENT_SECRET"},
    )  # fmt: skip
    shop.env["CLIENT_SECRET"] = CLIENT_SECRET
    with at_browser(shop) as (run, url):
        assert provider.browse(url) == 200
        out, err = run.communicate(timeout=60)
        assert run.returncode == 0, err
    (asked,) = provider.knobs.seen("/authorize")
    assert asked["access_type"] == "offline"
    assert asked["login_hint"] == "alice"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", asked["redirect_uri"])
    (redeemed,) = provider.knobs.seen("/token")
    assert redeemed["client_secret"] == CLIENT_SECRET
    assert len(redeemed["code_verifier"]) >= 43
    shop("sync")
    no_secret(out + err, provider)


def test_port_of_the_redirection_can_be_chosen(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    """With Microsoft's redirect URI, whose host is a name."""
    configure(shop, provider, mails, oauth="microsoft", oauth_grant="authorization_code")
    port = free_port()
    with at_browser(shop, "--port", str(port)) as (run, url):
        taken = shop("login", "shop", "--port", str(port), code=2)
        assert f"port {port} cannot be listened at" in taken.stderr
        assert provider.browse(url) == 200
        assert run.wait(60) == 0
    assert provider.knobs.seen("/authorize")[0]["redirect_uri"] == f"http://localhost:{port}"


def test_answer_with_another_state_is_not_believed(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    configure(shop, provider, mails, oauth_grant="authorization_code")
    with at_browser(shop) as (run, url):
        assert provider.browse(url, state="of-somebody-else") == 200
        assert "its state is not ours" in run.stderr.readline()
        assert provider.knobs.seen("/token") == [], "the code of another is not redeemed"
        assert provider.browse(url) == 200
        assert run.wait(60) == 0


def test_client_credentials_need_no_login(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    """A token is asked for, kept, and asked for again when it has run out; there is no refresh token."""
    configure(shop, provider, mails, oauth_grant="client_credentials", oauth_client_secret={"env": "CLIENT_SECRET"})
    shop.env["CLIENT_SECRET"] = CLIENT_SECRET
    shop("sync")
    shop("sync")
    assert provider.knobs.grants() == ["client_credentials"]
    run_out(shop)
    done = shop("login", "shop")
    assert "client_credentials need no log-in, and work for alice@127.0.0.1" in done.stderr
    assert provider.knobs.grants() == ["client_credentials"] * 2
    assert provider.knobs.seen("/token")[0] == {
        "grant_type": "client_credentials", "scope": "mail", "client_id": CLIENT_ID,
    }, "a custom provider gets the secret by HTTP Basic"  # fmt: skip


@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
def test_the_mechanism_that_the_server_has_is_used(shop: Shell, provider: Provider, mechanism: str) -> None:
    own = Dovecot(f"{provider.url}/introspect", mechanism)
    try:
        configure(shop, provider, own)
        shop("login", "shop")
        shop("sync")
        provider.knobs.user = "mallory"
        refused = shop("login", "shop", code=2).stderr
        assert "refused the access token of 'alice'" in refused
        assert "with status" in refused, "the error result of the server was read, and the exchange ended"
    finally:
        own.remove()


# Renewed


def test_token_is_renewed_before_it_ends_and_the_rotated_one_kept(shop: Shell, provider: Provider) -> None:
    grant(shop, provider)
    first = kept(shop)
    run_out(shop)
    shop("sync")
    second = kept(shop)
    run_out(shop)
    shop("sync")
    third = kept(shop)
    for key in ("access_token", "refresh_token"):
        assert len({first[key], second[key], third[key]}) == 3
    asked = [form["refresh_token"] for form in provider.knobs.seen("/token")]
    assert asked == [first["refresh_token"], second["refresh_token"]]
    assert stat.S_IMODE(token_file(shop).stat().st_mode) == 0o600


def test_refresh_token_is_kept_when_the_answer_has_none(shop: Shell, provider: Provider) -> None:
    provider.knobs.rotates = False
    grant(shop, provider)
    first = kept(shop)
    run_out(shop)
    shop("sync")
    assert kept(shop)["refresh_token"] == first["refresh_token"]
    assert kept(shop)["access_token"] != first["access_token"]


def test_token_that_ended_early_is_renewed_once_without_a_word(shop: Shell, provider: Provider) -> None:
    grant(shop, provider)
    provider.expire("alice")
    synced = shop("sync")
    assert synced.stderr == ""
    assert provider.knobs.grants() == ["refresh_token"]


@pytest.mark.parametrize(
    ("lifetime", "renewals"), [(3600, 1), ("3600", 1), (30, 3), (None, 3), (-1, 3), ("soon", 3), (1e300, 1)]
)
def test_lifetime_is_read_as_it_is_told(shop: Shell, provider: Provider, lifetime: object, renewals: int) -> None:
    """Of a token whose end is near or was not told another is asked for at each connect."""
    grant(shop, provider)
    provider.knobs.lifetime = lifetime
    for _ in range(3):
        if not provider.knobs.grants():
            run_out(shop)
        asked(shop)
    assert provider.knobs.grants() == ["refresh_token"] * renewals


def test_of_two_processes_one_renews_and_both_go_on(shop: Shell, provider: Provider) -> None:
    """A refresh token that rotates can be used once: the second process takes what the first was given."""
    grant(shop, provider)
    run_out(shop)
    provider.knobs.before_answer = lambda: time.sleep(0.5)
    with ThreadPoolExecutor() as both:
        runs = [both.submit(shop, "doctor") for _ in range(4)]
        assert [run.result().returncode for run in runs] == [0] * 4
    assert provider.knobs.grants() == ["refresh_token"]


# Refused


def test_revoked_grant_is_told_with_the_command_that_mends_it(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    """At each round the same line and exit code; the mailbox is never switched off, and goes on after the log-in."""
    mails.fill("alice", [notice(2)])
    grant(shop, provider)
    before = kept(shop)
    provider.revoke("alice")
    for _ in range(2):
        done = shop("sync", code=2)
        assert done.stderr == (
            "nosend: account 'shop': the provider gives no token (invalid_grant: *** was revoked): "
            f"the grant was revoked, or has run out: {AGAIN}\n"
        )
    assert kept(shop) == before, "what is there stays there"
    assert AGAIN in shop("status").stdout
    shop("login", "shop")
    assert shop("sync").stderr == ""
    assert order(2) in shop("list").stdout


def test_mailbox_without_a_grant_is_told(shop: Shell) -> None:
    assert shop("sync", code=2).stderr == f"nosend: account 'shop': was not granted access yet: {AGAIN}\n".replace(
        "'shop': was", "'shop' was"
    )


def test_grant_of_another_user_is_refused_and_not_kept(shop: Shell, provider: Provider) -> None:
    shop("login", "shop")
    before = kept(shop)
    provider.knobs.user = "mallory"
    done = shop("login", "shop", code=2)
    assert "refused the access token of 'alice'" in done.stderr
    assert f"was it granted by that user and for mail? {AGAIN.removeprefix('run ')} asks again" in done.stderr
    assert kept(shop) == before
    no_secret(done.stderr, provider)
    shop("sync")


def test_grant_with_another_scope_is_refused_with_the_scope(shop: Shell, provider: Provider) -> None:
    provider.knobs.scope = "contacts"
    done = shop("login", "shop", code=2)
    assert "the scope that was granted is 'contacts'" in done.stderr
    assert not token_file(shop).exists()


def test_grant_for_another_username_or_client_is_not_used(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    grant(shop, provider)
    configure(shop, provider, mails, user="bob")
    assert f"was not granted access yet: {AGAIN}" in shop("sync", code=2).stderr
    configure(shop, provider, mails, oauth_client_id="another")
    assert f"was not granted access yet: {AGAIN}" in shop("sync", code=2).stderr


@pytest.mark.parametrize(
    ("polls", "told"),
    [
        (["access_denied"], f"the access was denied: {AGAIN} again and consent"),
        (["expired_token"], f"nobody entered the code in time: {AGAIN} again"),
        (["authorization_pending", "odd\x1b[2Jerror"], "the provider gives no token (odd [2Jerror)"),
    ],
)
def test_device_flow_that_ends_without_a_grant_is_told(shop: Shell, provider: Provider, polls: list, told: str) -> None:
    provider.knobs.polls = polls
    assert told in shop("login", "shop", code=2).stderr
    assert not token_file(shop).exists()


def test_slow_down_is_heeded(shop: Shell, provider: Provider) -> None:
    """The provider denies whoever polls again within six seconds (RFC 8628, 3.5)."""
    provider.knobs.polls = ["slow_down"]
    shop("login", "shop")
    assert provider.knobs.grants() == ["device_code"] * 2


def test_person_who_says_no_in_the_browser_is_told(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    configure(shop, provider, mails, oauth_grant="authorization_code")
    provider.knobs.consents = False
    with at_browser(shop) as (run, url):
        assert provider.browse(url) == 200
        _, err = run.communicate(timeout=60)
    assert run.returncode == 2
    assert f"(access_denied: the person said no): the access was denied: {AGAIN} again and consent" in err


def test_wrong_client_secret_is_told_and_not_shown(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    configure(shop, provider, mails, oauth_grant="client_credentials", oauth_client_secret={"env": "CLIENT_SECRET"})
    shop.env["CLIENT_SECRET"] = "not-the-s3cr:t"
    done = shop("sync", code=2)
    assert "check oauth_client_id and oauth_client_secret" in done.stderr
    no_secret(done.stderr, provider)


def test_account_that_has_a_password_or_is_not_there_is_told(nosend: Shell) -> None:
    nosend.configure("alice", 1)
    assert "logs in with a password: there is nothing to grant" in nosend("login", "shop", code=2).stderr
    assert "no mailbox has account 'shep': did you mean 'shop'?" in nosend("login", "shep", code=2).stderr


def test_server_without_oauth_is_told(shop: Shell, provider: Provider, dovecot: Dovecot) -> None:
    configure(shop, provider, dovecot)
    assert "offers no log-in by OAuth (OAUTHBEARER, XOAUTH2)" in shop("login", "shop", code=2).stderr


def test_refusal_that_repeats_the_token_does_not_show_it(shop: Shell, provider: Provider) -> None:
    """Whatever a server says of the token or of the exchange, in clear or in base64."""

    def answer(tag: bytes, command: bytes, line: bytes) -> bytes | None:
        if command == b"CAPABILITY":
            return b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n" + tag + b" OK done\r\n"
        if command.startswith(b"AUTHENTICATE"):
            return b"+ \r\n"
        said.append(line.strip())
        if len(said) == 1:
            reason = json.dumps({"status": "401", "scope": next(iter(provider.access))}).encode()
            return b"+ " + base64.b64encode(reason) + b"\r\n"
        tag = scripted.lines[-3].split()[0]
        return tag + b" NO " + said[0] + b" " + next(iter(provider.access)).encode() + b"\r\n"

    said: list[bytes] = []
    provider.access.clear()
    with Scripted(answer) as scripted:
        mails = type("Port", (), {"port": scripted.port})
        configure(shop, provider, mails)
        done = shop("login", "shop", code=2)
    assert "refused the access token of 'alice'" in done.stderr
    assert "with status 401, scope ***" in done.stderr
    assert said[0].decode() not in done.stderr
    no_secret(done.stderr, provider)


# Not now


GARBAGE = [
    (b"", "gave an answer that cannot be read"),
    (b"<html>welcome</html>", "gave an answer that cannot be read"),
    (b"[]", "gave an answer that cannot be read"),
    (b"[" * 200_000, "gave an answer that cannot be read"),
    (b'"' + b"x" * 1_500_000 + b'"', "gave an answer that cannot be read"),
    (b"{}", "gave no bearer token"),
    (b'{"access_token": "a\\r\\nb", "token_type": "Bearer"}', "gave no bearer token"),
    (b'{"access_token": "access-x", "token_type": "mac"}', "gave no bearer token"),
    (b'{"access_token": 7, "token_type": "Bearer"}', "gave no bearer token"),
    (b'{"access_token": "access-x", "refresh_token": {}, "scope": []}', "gave no bearer token"),
]


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, b"oops", "answered 500: try again later"),
        (503, b'{"error": "invalid_grant"}', "answered 503: try again later"),
        (429, b"", "answered 429: try again later"),
        (400, b'{"error": "temporarily_unavailable"}', "cannot answer now (temporarily_unavailable)"),
        *((200, body, told) for body, told in GARBAGE[:-1]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_trouble_at_the_provider_is_transient_and_costs_no_grant(
    shop: Shell, provider: Provider, status: int, body: bytes, told: str
) -> None:
    grant(shop, provider)
    run_out(shop)
    before = kept(shop)
    provider.knobs.script = [(status, body)]
    with pytest.raises(MailboxUnreachableError) as trouble:
        asked(shop)
    assert told in str(trouble.value)
    assert kept(shop) == before
    no_secret(f"{trouble.value!r} {trouble.value.__cause__!r}", provider)
    assert asked(shop), "the next round goes on"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (302, b"", "sends us elsewhere (302): check oauth_endpoints"),
        (307, b"{}", "sends us elsewhere (307): check oauth_endpoints"),
        (404, b"<html>not here</html>", "answered 404 without a reason: check oauth_endpoints"),
        (400, b'{"error": "invalid_scope"}', "check oauth_scope (asked for: 'mail')"),
        (400, b'{"error": "interaction_required"}', f"the provider wants to see the person again: {AGAIN}"),
        (200, b'{"error": "unauthorized_client"}', "the application may not do this"),
    ],
)
def test_what_a_person_must_mend_is_told(shop: Shell, provider: Provider, status: int, body: bytes, told: str) -> None:
    grant(shop, provider)
    run_out(shop)
    provider.knobs.script = [(status, body)]
    with pytest.raises(MailboxRefusedError) as trouble:
        asked(shop)
    assert told in str(trouble.value)
    assert asked(shop)


def test_provider_that_is_down_or_silent_is_transient(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    grant(shop, provider)
    run_out(shop)
    before = kept(shop)
    path = shop.folder / "config.toml"
    text = path.read_text()
    path.write_text(text.replace(provider.url, f"http://127.0.0.1:{free_port()}"))
    assert "cannot be reached (Connection refused): try again later" in shop("sync", code=75).stderr
    path.write_text(text.replace("timeout = 20", "timeout = 1"))
    provider.knobs.before_answer = lambda: time.sleep(3)
    provider.knobs.rotates = False
    assert "did not answer in 1 s: try again later" in shop("sync", code=75).stderr
    provider.knobs.before_answer = lambda: None
    assert kept(shop) == before
    path.write_text(text)
    assert shop("sync").stderr == ""


def test_answer_that_drips_is_given_up_as_a_whole(shop: Shell, provider: Provider) -> None:
    """Each piece comes well within the timeout, the answer never."""

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n")
            while not over.wait(0.2):
                self.request.sendall(b"X-More: to come\r\n")

    over = threading.Event()
    grant(shop, provider)
    run_out(shop)
    path = shop.folder / "config.toml"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = path.read_text().replace(provider.url, f"http://127.0.0.1:{server.server_address[1]}")
        path.write_text(text.replace("timeout = 20", "timeout = 1"))
        assert "did not answer in 1 s: try again later" in shop("sync", code=75).stderr
        over.set()
        server.shutdown()


def test_secrets_in_clear_go_through_no_proxy(shop: Shell, provider: Provider) -> None:
    grant(shop, provider)
    run_out(shop)
    proxy = f"http://127.0.0.1:{free_port()}"
    assert shop("sync", env={"http_proxy": proxy, "HTTP_PROXY": proxy, "no_proxy": ""}).stderr == ""
    assert provider.knobs.grants() == ["refresh_token"]


def test_certificate_of_the_provider_is_checked(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    own = Provider(certificate=(mails.ca, mails.home / "key.pem"))
    try:
        configure(shop, own, mails)
        grant(shop, provider)
        run_out(shop)
        own.refresh |= provider.refresh
        done = shop("sync", code=2)
        assert "its certificate is not trusted (self-signed certificate): check oauth_endpoints" in done.stderr
        assert own.knobs.requests == []
        configure(shop, own, mails)
        shop("sync", code=None, env={"SSL_CERT_FILE": str(mails.ca)})
        assert own.knobs.grants() == ["refresh_token"]
    finally:
        own.close()


def test_device_flow_outlives_a_provider_in_trouble(shop: Shell, provider: Provider) -> None:
    """A poll that fails is tried again, more slowly (RFC 8628, 3.5)."""
    begun = provider.knobs
    begun.before_answer = lambda: begun.script.append((503, b"")) if len(begun.requests) == 1 else None
    shop("login", "shop")
    assert begun.grants() == ["device_code"] * 2


# Kept


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_token_file_that_others_can_read_is_refused(shop: Shell, provider: Provider, mode: int) -> None:
    grant(shop, provider)
    token_file(shop).chmod(mode)
    done = shop("sync", code=2)
    assert (
        "others can read the token file 'nosend.db.tokens/shop.json': chmod 600 nosend.db.tokens/shop.json"
        in done.stderr
    )


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b"\xff", b'{"username": "alice", "client_id": "nosend-test"}']
)
def test_damaged_token_file_is_told_and_mended_by_the_login(shop: Shell, provider: Provider, data: bytes) -> None:
    grant(shop, provider)
    token_file(shop).write_bytes(data)
    assert f"is damaged: {AGAIN}" in shop("sync", code=2).stderr
    shop("login", "shop")
    shop("sync")


def test_folder_that_cannot_be_written_is_told_before_anybody_is_asked(shop: Shell, provider: Provider) -> None:
    grant(shop, provider)
    run_out(shop)
    (token_file(shop).parent / "shop.json.new").mkdir()
    asked = len(provider.knobs.requests)
    assert "cannot be written (Is a directory)" in shop("sync", code=2).stderr
    assert "cannot be written (Is a directory)" in shop("login", "shop", code=2).stderr
    assert len(provider.knobs.requests) == asked, "the refresh token was not spent"


@contextmanager
def syncing(nosend: Shell) -> Iterator[subprocess.Popen[str]]:
    run = subprocess.Popen(
        [sys.executable, "-m", "nosend", "sync"], cwd=nosend.folder, env=nosend.env, stderr=subprocess.PIPE, text=True
    )
    with run:
        try:
            yield run
        finally:
            run.kill()


def test_sigterm_while_a_token_is_renewed_loses_nothing(shop: Shell, provider: Provider) -> None:
    """The provider has forgotten the old refresh token; the answer is waited for and written, then the run ends."""
    grant(shop, provider)
    run_out(shop)
    before = kept(shop)
    runs: list[subprocess.Popen[str]] = []

    def stop() -> None:
        runs[0].send_signal(signal.SIGTERM)
        time.sleep(0.5)

    provider.knobs.before_answer = stop
    with syncing(shop) as run:
        runs.append(run)
        assert run.wait(60) == 0
    assert kept(shop)["refresh_token"] != before["refresh_token"]
    provider.knobs.before_answer = lambda: None
    assert shop("sync").stderr == ""


def test_kill_before_the_answer_leaves_the_old_tokens_whole(shop: Shell, provider: Provider) -> None:
    """Where the provider still knows the old refresh token nothing is lost; where not, the remedy is told."""
    grant(shop, provider)
    run_out(shop)
    before = kept(shop)
    runs: list[subprocess.Popen[str]] = []
    for rotates in (False, True):
        provider.knobs.rotates = rotates
        provider.knobs.before_answer = lambda: (runs[-1].kill(), runs[-1].wait())
        with syncing(shop) as run:
            runs.append(run)
            assert run.wait(60) == -signal.SIGKILL
        assert kept(shop) == before
        provider.knobs.before_answer = lambda: None
        if not rotates:
            assert shop("sync").stderr == ""
            run_out(shop)
            before = kept(shop)
    assert AGAIN in shop("sync", code=2).stderr


def test_what_a_killed_run_wrote_but_did_not_rename_is_taken_up(shop: Shell, provider: Provider) -> None:
    """The rotated refresh token stands in the new file only, with what the file was made longer by."""
    grant(shop, provider)
    new = token_file(shop).with_name("shop.json.new")
    new.write_text(token_file(shop).read_text() + " " * 1000)
    new.chmod(0o600)
    old = kept(shop) | {"refresh_token": "refresh-forgotten", "access_token": "access-forgotten"}
    token_file(shop).write_text(json.dumps(old))
    run_out(shop)
    assert shop("sync").stderr == ""
    assert not new.exists()
    assert "forgotten" not in token_file(shop).read_text()


def test_half_of_a_new_file_is_dropped(shop: Shell, provider: Provider) -> None:
    grant(shop, provider)
    new = token_file(shop).with_name("shop.json.new")
    for half in (b"", b" " * 65_536, token_file(shop).read_bytes()[:40]):
        new.write_bytes(half)
        run_out(shop)
        assert shop("sync").stderr == ""
        assert not new.exists()


def test_account_with_an_odd_name_has_a_file_in_the_folder(shop: Shell, provider: Provider, mails: Dovecot) -> None:
    account = "../../etc/shöp no 1"
    configure(shop, provider, mails, account=account)
    assert f"run `nosend login '{account}'`" in shop("sync", code=2).stderr
    shop("login", account)
    assert shop("sync").stderr == ""
    names = sorted(path.name for path in token_file(shop).parent.iterdir() if path.suffix == ".json")
    assert names == ["..%2F..%2Fetc%2Fsh%C3%B6p%20no%201.json"]
    assert not (shop.folder.parent / "etc").exists()


def test_the_daemon_outlives_its_tokens_and_tells_a_revoked_grant_once(
    shop: Shell, provider: Provider, mails: Dovecot
) -> None:
    grant(shop, provider)
    mails.fill("alice", [notice(3)])
    running = Watching(shop)
    try:
        running.until_listed(order(3))
        time.sleep(1.5)
        provider.expire("alice")
        mails.kick("alice")
        mails.fill("alice", [notice(4)])
        running.until_listed(order(4))
        assert "Z warning: " not in running.told()
        assert "Z error: " not in running.told(), "a token that ends while it waits is no failure"
        time.sleep(1.5)
        provider.revoke("alice")
        mails.kick("alice")
        running.until_told("the grant was revoked, or has run out")
        for _ in range(3):
            running.poll_now()
            time.sleep(0.7)
        assert running.told().count("the grant was revoked") == 1
        assert AGAIN in running.told()
        mails.fill("alice", [notice(5)])
        shop("login", "shop")
        running.poll_now()
        running.until_listed(order(5))
        running.end()
    finally:
        running.process.kill()
        running.process.wait()
    no_secret(running.told(), provider)
