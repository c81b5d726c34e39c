"""The configuration: every key, and every mistake told at once, with its key and what would be right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from nosend import config, places
from nosend.config import Mailbox, Monitor, OAuth, Secret, Settings
from nosend.errors import ConfigError
from nosend.model import Accounts, Policy, Trust

NEEDED = {"account": '"shop"', "host": '"imap.example.com"', "username": '"me"', "password_env": '"SECRET"'}
HOST = "host = '{}' must be the name or address of the server alone; its port goes to port"
ONE_OF = (
    "give exactly one of password_env, password_file, password_command, password_keyring, password_credential, password"
)
SECRET = "correct horse battery staple"


def written(folder: Path, *tables: dict[str, str], top: str = "", mode: int = 0o600) -> Path:
    """Write a configuration with these mailboxes; a value of "" leaves its key out."""
    path = folder / "config.toml"
    lines = [top]
    for table in tables:
        lines += ["[[mailbox]]", *(f"{name} = {value}" for name, value in (NEEDED | table).items() if value)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(mode)
    return path


def problems(path: Path) -> list[str]:
    """Give what is told about a wrong configuration, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.removeprefix(f"{path}: ").removeprefix("mailbox 1: ") for problem in caught.value.problems]


def test_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, {})
    assert config.load(path) == Settings(
        path=path,
        database=tmp_path / "nosend.db",
        packs=None,
        expire_days=0,
        keep_days=365,
        keep_megabytes=500,
        mailboxes=(
            Mailbox(
                account="shop",
                host="imap.example.com",
                port=993,
                tls="implicit",
                ca_file=None,
                username="me",
                secret=Secret("password_env", "env", "SECRET", (), "me"),
                oauth=None,
                folders=("INBOX",),
                read_all=False,
                trust=Trust(),
                timeout=60,
            ),
        ),
    )


def test_every_key_is_heard(tmp_path: Path) -> None:
    """Relative paths are relative to the file; forwarders are lower-cased; a folder named twice is one."""
    keys = {
        "account": '"shop-us"', "host": '"mail.test"', "port": "1143", "tls": '"starttls"', "ca_file": '"certs/ca.pem"',
        "username": '"you"', "password_env": "", "password_file": '"/etc/secret"', "password_command": "[]",
        "password": '""', "password_keyring": '""', "password_credential": '""', "oauth": '""', "oauth_client_id": '""',
        "oauth_client_secret": "{}", "oauth_tenant": '""', "oauth_grant": '""', "oauth_scope": '""',
        "oauth_endpoints": "{}", "folders": '["INBOX", "Amazon/Opt-outs", "INBOX"]', "read_all": "true",
        "trusted_forwarders": '["Me@Shop.example", "mine.example"]', "timeout": "7",
        "trusted_authserv_id": '"MX.shop.example"', "authenticity": '"require"', "plus_accounts": "true",
        "accounts": '{ "US@shop.example" = "shop-us" }', "unknown_account": '"suspect"',
        "mark_notices": '""', "move_notices_to": '"Read/Opt-outs"',
    }  # fmt: skip
    assert keys.keys() == {key.name for key in config.TABLES["mailbox"]}
    top = {
        "database": '"data/list.db"', "packs": '"packs"', "expire_days": "365",
        "keep_days": "30", "keep_megabytes": "7",
        "heartbeat_file": '"run/alive"', "metrics_file": '"run/nosend.prom"', "metrics_listen": '"[::1]:9464"',
        "on_change_command": '["mail-me", "now"]', "poll_seconds": "7", "privacy": '"hash"',
    }  # fmt: skip
    assert top.keys() == {key.name for key in config.TOP_KEYS}
    path = written(tmp_path, keys, top="\n".join(f"{name} = {value}" for name, value in top.items()))
    settings = config.load(path)
    accounts = Accounts((("us@shop.example", "shop-us"),), plus=True, must_be_known=True)
    trust = Trust(frozenset({"me@shop.example", "mine.example"}), "mx.shop.example", Policy.REQUIRE, accounts)
    assert settings == Settings(
        path=path,
        database=tmp_path / "data/list.db",
        packs=tmp_path / "packs",
        expire_days=365,
        keep_days=30,
        keep_megabytes=7,
        poll_seconds=7,
        keeps_hashes=True,
        mailboxes=(
            Mailbox(
                account="shop-us",
                host="mail.test",
                port=1143,
                tls="starttls",
                ca_file=tmp_path / "certs/ca.pem",
                username="you",
                secret=Secret("password_file", "file", "/etc/secret", (), "you"),
                oauth=None,
                folders=("INBOX", "Amazon/Opt-outs"),
                read_all=True,
                trust=trust,
                timeout=7,
                move_notices_to="Read/Opt-outs",
            ),
        ),
        monitor=Monitor(tmp_path / "run/alive", tmp_path / "run/nosend.prom", ("::1", 9464), ("mail-me", "now")),
    )
    assert settings.trust_of("shop-us") == trust
    assert settings.trust_of("another") == Trust(trust.forwarders)
    assert settings.mailboxes[0].origin == "you@mail.test:1143"


def test_paths_may_begin_at_home_or_be_absolute(tmp_path: Path) -> None:
    path = written(tmp_path, {"ca_file": '"~/ca.pem"'}, top='database = "/var/lib/nosend.db"')
    settings = config.load(path)
    assert (settings.database, settings.mailboxes[0].ca_file) == (Path("/var/lib/nosend.db"), Path.home() / "ca.pem")


@pytest.mark.parametrize(("tls", "port"), [("implicit", 993), ("starttls", 143)])
def test_port_follows_tls_unless_it_is_given(tmp_path: Path, tls: str, port: int) -> None:
    assert config.load(written(tmp_path, {"tls": f'"{tls}"'})).mailboxes[0].port == port
    assert config.load(written(tmp_path, {"tls": f'"{tls}"', "port": "1"})).mailboxes[0].port == 1


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"])
def test_password_in_clear_goes_to_this_machine(tmp_path: Path, host: str) -> None:
    assert config.load(written(tmp_path, {"tls": '"none"', "host": f'"{host}"'})).mailboxes[0].port == 143


@pytest.mark.parametrize("host", ["imap.example.com", "10.0.0.1", "0.0.0.0", "localhost.example.com", "127.0.0.1.nip"])
def test_password_in_clear_goes_to_no_other_machine(tmp_path: Path, host: str) -> None:
    assert problems(written(tmp_path, {"tls": '"none"', "host": f'"{host}"'})) == [
        f'tls = "none" sends the password in clear: allowed only to this machine, not to {host!r}'
    ]


NO_FLAG = r'must be a keyword like "$NosendOptOut", or one of "\\Flagged", "\\Seen", "\\Answered"'
ONE_FOLDER = "must be the whole name of one folder, like Opt-outs: uses and patterns are for folders"
DELETES = r"mark_notices = '\\deleted' would have notices expunged: nosend deletes no mail; move_notices_to moves them"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"account": ""}, "account is missing: " + config.TABLES["mailbox"][0].help),
        ({"host": '" "'}, "host = ' ' must be the name or address of the server alone; its port goes to port"),
        ({"port": '"993"'}, "port = '993' must be a whole number"),
        ({"port": "65536"}, "port = 65536 must be between 1 and 65535"),
        ({"port": "-1"}, "port = -1 must be between 1 and 65535"),
        ({"port": "true"}, "port = True must be a whole number"),
        ({"tls": '"ssl"'}, "tls = 'ssl' must be one of implicit, starttls, none"),
        ({"username": "7"}, 'username = 7 must be a text in "quotes"'),
        ({"username": r'"a\r\nb"'}, "username = 'a\\r\\nb' holds a character that cannot be printed"),
        ({"folders": '"INBOX"'}, "folders = 'INBOX' must be a list like [\"one\", \"two\"]"),
        ({"folders": "[1]"}, "folders = [1] must be a list of texts"),
        ({"folders": "[]"}, 'folders = [] must name at least one folder, like ["INBOX"]'),
        ({"folders": '["INBOX", ""]'}, "folders = ['INBOX', ''] must name at least one folder, like [\"INBOX\"]"),
        ({"read_all": '"yes"'}, "read_all = 'yes' must be true or false"),
        (
            {"mark_notices": r'"\\deleted"'},
            DELETES,
        ),
        *(
            (
                {"mark_notices": f"'{flag}'"},
                f"mark_notices = {flag!r} {NO_FLAG}",
            )
            for flag in ("two words", r"\Recent", r"\*", "a(b", 'a"b', "a]b", "späm", "x" * 51)
        ),
        ({"move_notices_to": '"Opt-outs "'}, "move_notices_to = 'Opt-outs ' begins or ends with a space"),
        ({"move_notices_to": '"Opt-outs/"'}, "move_notices_to = 'Opt-outs/' must not end with a delimiter"),
        ({"move_notices_to": "'\\Trash'"}, rf"move_notices_to = '\\Trash' {ONE_FOLDER}"),
        ({"move_notices_to": '"*"'}, f"move_notices_to = '*' {ONE_FOLDER}"),
        (
            {"move_notices_to": '"Done"', "mark_notices": '"$Done"'},
            "mark_notices and move_notices_to are given: give one of them",
        ),
        (
            {"move_notices_to": '"inbox"'},
            "move_notices_to = 'inbox' is one of folders: name a folder that is not read",
        ),
        ({"timeout": "0"}, "timeout = 0 must be between 1 and 3600 seconds"),
        ({"timeout": "1.5"}, "timeout = 1.5 must be a whole number"),
        (
            {"trusted_forwarders": '["*@a.example"]'},
            "trusted_forwarders = ['*@a.example'] must be addresses or domains, not '*@a.example'",
        ),
        ({"trusted_forwarders": '["anna"]'}, "trusted_forwarders = ['anna'] must be addresses or domains, not 'anna'"),
        ({"password_env": ""}, f"no password: {ONE_OF}"),
        ({"password_file": '"x"'}, f"password_env and password_file are given: {ONE_OF}"),
        ({"password_env": '"hunter 2"'}, "password_env = (not shown) must be the NAME of an environment variable"),
        ({"host": '"imaps://localhost"'}, HOST.format("imaps://localhost")),
        ({"host": '"localhost:993"'}, HOST.format("localhost:993")),
        ({"pasword_env": '"X"'}, "unknown key 'pasword_env': did you mean 'password_env'?"),
        ({"folder": '["INBOX"]'}, "unknown key 'folder': did you mean 'folders'?"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_key_and_what_would_be_right(tmp_path: Path, keys: dict, told: str) -> None:
    assert problems(written(tmp_path, keys)) == [told]


@pytest.mark.parametrize(
    ("top", "told"),
    [
        ('privacy = "md5"', "privacy = 'md5' must be one of plain, hash"),
        ("privacy = true", 'privacy = True must be a text in "quotes"'),
    ],
)
def test_mistake_above_the_tables_is_told(tmp_path: Path, top: str, told: str) -> None:
    assert problems(written(tmp_path, {}, top=top)) == [told]


def test_key_like_no_other_is_told_with_all_that_are_known(tmp_path: Path) -> None:
    path = written(tmp_path, {"xyzzy": "1"}, top="quux = 2")
    known = ", ".join(key.name for key in config.TABLES["mailbox"])
    top = ", ".join(key.name for key in config.TOP_KEYS)
    assert problems(path) == [f"unknown key 'quux': known are {top}", f"unknown key 'xyzzy': known are {known}"]


def test_all_mistakes_are_told_at_once_each_with_its_mailbox(tmp_path: Path) -> None:
    path = written(tmp_path, {"account": '"a"', "port": '"x"'}, {"account": '"b"', "tls": "1"}, top="databse = 1")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    told = [
        f"{path}: unknown key 'databse': did you mean 'database'?",
        f"{path}: mailbox 1: port = 'x' must be a whole number",
        f'{path}: mailbox 2: tls = 1 must be a text in "quotes"',
    ]
    assert [problem for problem in caught.value.problems if problem in told] == told
    assert len(caught.value.problems) == len(told), "one mistake is told once"


def test_account_stands_for_one_mailbox_only(tmp_path: Path) -> None:
    assert problems(written(tmp_path, {}, {}, {"account": '"other"'})) == [
        "account 'shop' is used by 2 mailboxes: give each its own label"
    ]
    both = config.load(written(tmp_path, {}, {"account": '"other"'}))
    assert [mailbox.account for mailbox in both.mailboxes] == ["shop", "other"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_password_stands_only_in_a_file_that_others_cannot_read(tmp_path: Path, mode: int) -> None:
    keys = {"password_env": "", "password": f'"{SECRET}"'}
    path = written(tmp_path, keys, mode=mode)
    told = f"password stands in a file that others can read: chmod 600 {path}, or use password_env"
    assert problems(path) == [told]
    path.chmod(0o600)
    assert config.load(path).mailboxes[0].secret == Secret("password", "plain", SECRET, (), "me")
    config.load(written(tmp_path, {}, mode=0o644))  # without a password anybody may read it


@pytest.mark.parametrize(
    "keys",
    [
        {"password": f'["{SECRET}"]'},
        {"password": f'"{SECRET}"', "port": "-1"},
        {"password": f'{{word = "{SECRET}"}}', "password_env": ""},
        {"password_command": f'"echo {SECRET}"', "password_env": ""},
        {"password_command": f'["echo", 1, "{SECRET}"]', "password_env": ""},
        {"password_file": f'["{SECRET}"]', "password_env": ""},
        {"pasword": f'"{SECRET}"'},
        {"password": f'"{SECRET}', "password_env": ""},
    ],
)
def test_secret_is_never_shown(tmp_path: Path, keys: dict) -> None:
    assert SECRET not in "\n".join(problems(written(tmp_path, keys, mode=0o644)))


def test_mailbox_shows_itself_without_its_password(tmp_path: Path) -> None:
    settings = config.load(written(tmp_path, {"password_env": "", "password": f'"{SECRET}"'}))
    assert settings.mailboxes[0].secret == Secret("password", "plain", SECRET, (), "me")
    assert SECRET not in repr(settings)
    assert "Mailbox('shop', 'me@imap.example.com:993')" in repr(settings)


@pytest.mark.parametrize("flag", ["", "$NosendOptOut", r"\Flagged", r"\seen", "a.b-c/d", "[x"])
def test_flags_and_keywords_that_notices_can_be_marked_with(tmp_path: Path, flag: str) -> None:
    assert config.load(written(tmp_path, {"mark_notices": f"'{flag}'"})).mailboxes[0].mark_notices == flag


@pytest.mark.parametrize("text", ["mailbox = 1", "[mailbox]\naccount = 'shop'", "mailbox = [1]"])
def test_mailbox_needs_two_brackets(tmp_path: Path, text: str) -> None:
    assert problems(written(tmp_path, top=text)) == ["mailbox: write [[mailbox]], with two brackets"]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "does not exist: `nosend init {path}` writes one"),
        (Path.mkdir, "cannot be read"),
        (lambda path: path.write_bytes(b'database = "\xff"'), "is not UTF-8: save it as UTF-8"),
        (lambda path: path.write_text("database = nosend.db"), "is not TOML"),
        (lambda path: path.write_text("[[mailbox]\n"), "is not TOML"),
    ],
    ids=["missing", "folder", "latin-1", "no quotes", "bracket"],
)
def test_file_that_is_no_configuration_is_told(tmp_path: Path, make, told: str) -> None:
    path = tmp_path / "my.toml"
    make(path)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert f"configuration {str(path)!r} {told.format(path=path)}" in str(caught.value)


def test_file_of_a_windows_editor_is_a_configuration(tmp_path: Path) -> None:
    path = written(tmp_path, {})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert config.load(path).mailboxes[0].account == "shop"


def test_configuration_without_a_mailbox_names_a_database(tmp_path: Path) -> None:
    assert config.load(written(tmp_path)) == Settings(
        tmp_path / "config.toml", tmp_path / "nosend.db", None, 0, 365, 500, ()
    )


def test_example_shows_every_key_and_loads_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(config.example(), encoding="utf-8")
    (mailbox,) = config.load(path).mailboxes
    assert (mailbox.account, mailbox.port) == ("shop-us", 993)
    assert mailbox.secret == Secret("password_env", "env", "NOSEND_PASSWORD", (), "orders@example.com")


def test_example_shows_every_key_with_its_default() -> None:
    shown = tomllib.loads(re.sub(r"^# ([a-z_]+ = |\[\[)", r"\1", config.example(), flags=re.MULTILINE))
    tables = {name: shown.pop(name) for name in config.TABLES}
    assert all(len(of_a_name) == 1 for of_a_name in tables.values())
    of_all = [(shown, config.TOP_KEYS), *((tables[name][0], keys) for name, keys in config.TABLES.items())]
    for table, keys in of_all:
        assert table == {key.name: key.default if key.example is None else key.example for key in keys}


# Where it is found.


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, str]]:
    (tmp_path / "here").mkdir()
    (tmp_path / "home" / "nosend").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "home")}


def test_configuration_is_found_in_this_order(searched) -> None:
    """The named one, $NOSEND_CONFIG, ./config.toml, the user's; each hides those after it."""
    root, environment = searched
    users = root / "home" / "nosend" / "config.toml"
    users.touch()
    assert places.find(None, environment) == str(users)
    (root / "here" / "config.toml").touch()
    assert places.find(None, environment) == "config.toml"
    environment["NOSEND_CONFIG"] = "by environment.toml"
    assert places.find(None, environment) == "by environment.toml"
    assert places.find("given.toml", environment) == "given.toml"


def test_no_configuration_is_told_with_the_places_that_were_looked_at(searched) -> None:
    root, environment = searched
    users = root / "home" / "nosend" / "config.toml"
    with pytest.raises(ConfigError) as caught:
        places.find(None, environment)
    assert str(caught.value) == (
        f"no configuration: looked for config.toml, {users}, /etc/nosend/config.toml. "
        "`nosend init` writes one; --config FILE names another"
    )


# OAuth

NO_PASSWORD = {"password_env": ""}
GOOGLE = NO_PASSWORD | {"oauth": '"google"', "oauth_client_id": '"id"', "oauth_client_secret": '{ env = "X" }'}
MICROSOFT = NO_PASSWORD | {"oauth": '"microsoft"', "oauth_client_id": '"id"'}
CUSTOM = NO_PASSWORD | {"oauth": '"custom"', "oauth_client_id": '"id"'}
TOKEN = 'token = "https://login.example/token"'


def test_what_google_and_microsoft_want_is_known(tmp_path: Path) -> None:
    path = written(tmp_path, GOOGLE, MICROSOFT | {"account": '"b"', "oauth_tenant": '"shop.example"'})
    google, microsoft = (mailbox.oauth for mailbox in config.load(path).mailboxes)
    assert google == OAuth(
        grant="authorization_code",
        client_id="id",
        client_secret=Secret("oauth_client_secret env", "env", "X", (), "id"),
        scope="https://mail.google.com/",
        token_endpoint="https://oauth2.googleapis.com/token",
        authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
        device_authorization_endpoint="",
        token_file=tmp_path / "nosend.db.tokens" / "shop.json",
        redirect_host="127.0.0.1",
        extras=(("access_type", "offline"), ("prompt", "consent")),
        secret_in_body=True,
    )
    assert microsoft == OAuth(
        grant="device_code",
        client_id="id",
        client_secret=None,
        scope="https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
        token_endpoint="https://login.microsoftonline.com/shop.example/oauth2/v2.0/token",
        authorization_endpoint="https://login.microsoftonline.com/shop.example/oauth2/v2.0/authorize",
        device_authorization_endpoint="https://login.microsoftonline.com/shop.example/oauth2/v2.0/devicecode",
        token_file=tmp_path / "nosend.db.tokens" / "b.json",
        redirect_host="localhost",
        extras=(),
        secret_in_body=True,
    )


def test_client_credentials_of_microsoft_ask_for_the_scope_of_applications(tmp_path: Path) -> None:
    keys = {"oauth_grant": '"client_credentials"', "oauth_tenant": '"t"', "oauth_client_secret": '{ keyring = "x" }'}
    oauth = config.load(written(tmp_path, MICROSOFT | keys)).mailboxes[0].oauth
    assert oauth
    assert (oauth.grant, oauth.scope) == ("client_credentials", "https://outlook.office365.com/.default")


@pytest.mark.parametrize(
    ("endpoints", "grant"),
    [
        ("device_authorization", "device_code"),
        ("authorization", "authorization_code"),
        ("authorization device_authorization", "device_code"),
    ],
)
def test_grant_of_a_custom_provider_is_what_its_endpoints_are_for(tmp_path: Path, endpoints: str, grant: str) -> None:
    given = ", ".join([TOKEN, *(f'{name} = "http://127.0.0.1:8/{name}"' for name in endpoints.split())])
    oauth = config.load(written(tmp_path, CUSTOM | {"oauth_endpoints": f"{{ {given} }}"})).mailboxes[0].oauth
    assert oauth
    assert oauth.grant == grant


PASSWORD_TOO = (
    "password_env is given with oauth, which needs no password: take it out; the secret of the client goes to "
    "oauth_client_secret"
)
IN_CLEAR = "token sends secrets in clear: http is allowed only to this machine, write https"
NO_URL = "token must be a URL like https://name.example.com/path"
SECRET_PLACES = "there are env, file, command, keyring, credential, plain"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"oauth": '"gogle"'}, ["oauth = 'gogle' must be one of google, microsoft, custom"]),
        (
            {"oauth_tenant": '"t"'},
            ['oauth_tenant is given without oauth: write oauth = "google", "microsoft" or "custom"'],
        ),
        (
            GOOGLE
            | {"password_env": '"X"', "oauth_client_id": "", "oauth_grant": '"device_code"', "oauth_tenant": '"t"'},
            [
                PASSWORD_TOO,
                "oauth_client_id is missing: register an application at the provider (docs/login.md)",
                "oauth_grant = 'device_code' gives no mail at google: there is authorization_code",
                "oauth_tenant is Microsoft's, not google's: take it out",
                "oauth_endpoints lacks device_authorization: device_code asks there",
            ],
        ),
        (
            MICROSOFT | {"oauth_grant": '"client_credentials"'},
            [
                "oauth_client_secret is missing: microsoft asks for it with client_credentials",
                "oauth_tenant is missing: client_credentials are of one tenant, name its id or domain",
            ],
        ),
        (
            GOOGLE | {"oauth_client_secret": ""},
            ["oauth_client_secret is missing: google asks for it with authorization_code"],
        ),
        (CUSTOM, ["oauth_endpoints lacks token and device_authorization: device_code asks there"]),
        (MICROSOFT | {"oauth_tenant": '"a/b"'}, ["oauth_tenant = 'a/b' must be a tenant's id or domain"]),
        (
            GOOGLE | {"oauth_client_secret": f'{{ env = "X", plain = "{SECRET}" }}'},
            [f'oauth_client_secret = (not shown) must name one place, like {{ env = "NAME" }}; {SECRET_PLACES}'],
        ),
        (
            GOOGLE | {"oauth_client_secret": f'{{ secret = "{SECRET}" }}'},
            [f'oauth_client_secret = (not shown) must name one place, like {{ env = "NAME" }}; {SECRET_PLACES}'],
        ),
        (
            GOOGLE | {"oauth_client_secret": f'{{ command = "{SECRET}" }}'},
            ["oauth_client_secret = (not shown) command must be a list of texts"],
        ),
        (
            GOOGLE | {"oauth_client_secret": f'{{ env = "{SECRET}" }}'},
            ["oauth_client_secret = (not shown) env must be the NAME of an environment variable"],
        ),
    ],
)  # fmt: skip
def test_mistakes_between_the_keys_of_oauth_are_told_at_once(tmp_path: Path, keys: dict, told: list[str]) -> None:
    assert problems(written(tmp_path, keys)) == told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://login.example/token", IN_CLEAR),
        ("http://127.0.0.1.nip.example/t", IN_CLEAR),
        ("ftp://login.example/token", NO_URL),
        ("https:///token", NO_URL),
        ("https://login.example:port/", "token is no URL"),
        ("https://login.example/a b", NO_URL),
    ],
)  # fmt: skip
def test_endpoint_must_be_a_url_that_keeps_secrets(tmp_path: Path, url: str, told: str) -> None:
    (problem,) = problems(written(tmp_path, MICROSOFT | {"oauth_endpoints": f'{{ token = "{url}" }}'}))
    assert problem == f"oauth_endpoints = {{'token': {url!r}}} {told}"


def test_endpoint_is_one_that_there_is(tmp_path: Path) -> None:
    (problem,) = problems(written(tmp_path, MICROSOFT | {"oauth_endpoints": '{ tokens = "https://x.example" }'}))
    assert problem.endswith("names 'tokens': there are token, authorization, device_authorization")


def test_secret_of_the_client_stands_only_in_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    path = written(tmp_path, GOOGLE | {"oauth_client_secret": f'{{ plain = "{SECRET}" }}'}, mode=0o644)
    assert problems(path) == [
        f'oauth_client_secret stands in a file that others can read: chmod 600 {path}, or use {{ env = "NAME" }}'
    ]
    path.chmod(0o600)
    assert SECRET not in repr(config.load(path))


# Where changes are sent.

HOOK = '[[sink]]\nname = "crm"\nurl = "https://crm.example/in?token=hush"\nsecret = { env = "CRM" }\n'
COMMAND = '[[sink]]\nname = "tell"\ncommand = ["tell", "me"]\n'


def with_sinks(folder: Path, *tables: str, mode: int = 0o600) -> Path:
    path = written(folder, {}, mode=mode)
    path.write_text(path.read_text() + "".join(tables))
    return path


def test_sinks_are_a_command_or_a_webhook_with_its_secret(tmp_path: Path) -> None:
    settings = config.load(with_sinks(tmp_path, COMMAND, HOOK))
    secret = Secret("secret env", "env", "CRM", (), "crm")
    assert settings.sinks == (
        config.Sink("tell", ("tell", "me")),
        config.Sink("crm", (), "https://crm.example/in?token=hush", secret),
    )
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("[[sink]]\ncommand = ['x']", "name is missing: by what you call it"),
        (HOOK.replace('"crm"', '"c r m"'), "name = 'c r m' must be a short name"),
        (HOOK + "command = ['x']", "give exactly one of command and url"),
        ('[[sink]]\nname = "crm"', "give exactly one of command and url"),
        (HOOK.replace("secret", "# secret"), "secret is missing: without it nobody can tell"),
        (COMMAND + 'secret = { env = "CRM" }', "secret is given with command, which needs none"),
        (HOOK.replace("https", "http"), "url = (not shown) sends secrets in clear"),
        (HOOK.replace("crm.example/", "/"), "url = (not shown) must be a URL like"),
        (HOOK.replace("{ env", "{ place"), "secret = (not shown) must name one place"),
        (HOOK.replace("url", "uri"), "unknown key 'uri': did you mean 'url'?"),
    ],
)
def test_what_is_wrong_with_a_sink_is_told_and_nothing_secret(tmp_path: Path, table: str, told: str) -> None:
    found = problems(with_sinks(tmp_path, table))
    assert found[0].startswith(f"sink 1: {told}")
    assert "hush" not in "".join(found)


def test_all_mistakes_of_sinks_are_told_at_once(tmp_path: Path) -> None:
    found = problems(with_sinks(tmp_path, HOOK.replace("url", "uri"), COMMAND, COMMAND, "[[sink]]\nname = 1"))
    assert [one.partition(":")[0] for one in found] == [
        "sink 1", "sink 4", "sink 1", "sink 'tell' is there 2 times"
    ]  # fmt: skip


def test_secret_of_a_sink_in_a_file_that_others_can_read(tmp_path: Path) -> None:
    path = with_sinks(tmp_path, HOOK.replace("env", "plain"), mode=0o644)
    (told,) = problems(path)
    assert told == f'sink 1: secret stands in a file that others can read: chmod 600 {path}, or use {{ env = "NAME" }}'
    path.chmod(0o600)
    assert config.load(path).sinks[0].secrets[0].place == "plain"
