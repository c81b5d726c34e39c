"""The metrics: what they tell, in the text file and over HTTP; Prometheus' own parser reads them."""

from __future__ import annotations

import http.client
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import Shell
from nosend import __version__, config, monitor
from nosend.errors import ConfigError, StoreUnavailableError
from nosend.model import Kind
from nosend.monitor import metrics
from nosend.monitor.endpoint import Endpoint
from nosend.monitor.picture import look
from nosend.store.ledger import Cursor, Ledger
from samples import DAY, NOW, buyer, judged, notice, order
from servers import PASSWORD, Dovecot
from test_health import seen

CONFIG = """
[[mailbox]]
account = "shop"
host = "127.0.0.1"
tls = "none"
username = "me"
password_env = "SECRET"
accounts = { "de@shop.example" = "shop-de" }
"""
ALL = {metric.name for metric in metrics.METRICS}


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    (tmp_path / "config.toml").write_text(CONFIG)
    return config.load(tmp_path / "config.toml")


def parsed(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Read metrics as Prometheus' own client does: values by label values, by name."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type == "gauge" for family in families)
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples} for family in families
    }


def told(settings: config.Settings) -> dict[str, dict[tuple[str, ...], float]]:
    return parsed(metrics.text(look(settings.database, settings, NOW), settings))


def test_all_of_a_database_is_told(settings: config.Settings) -> None:
    mails = [
        seen(1, 1), seen(2, 20), seen(3, 1, Kind.SUSPECT), seen(4, 2, None),
        seen(5, 1, Kind.OTHER_NOTICE, rule="en.restricted"), seen(6, 1, Kind.SUSPECT, rule="en.content-filter"),
    ]  # fmt: skip
    with Ledger(settings.database) as ledger:
        ledger.record(mails, NOW, Cursor("shop", "INBOX", "me@host", 7, uid=6, last_uid=11))
        ledger.round_done("down", NOW - DAY, "refused")
        ledger.round_done("down", NOW, "refused")
        ledger.round_done("shop", NOW)
        ledger.round_begun("new")
    at = NOW.timestamp()
    size = float(sum(mails[n].mail.size for n in (2, 3, 5)))
    assert told(settings) == {
        "nosend_build_info": {(__version__,): 1},
        "nosend_mailbox_up": {("shop",): 1, ("down",): 0},
        "nosend_mailbox_last_success_timestamp_seconds": {("shop",): at},
        "nosend_mailbox_last_round_timestamp_seconds": {("shop",): at, ("down",): at},
        "nosend_mailbox_trouble_since_timestamp_seconds": {("down",): at - DAY.total_seconds()},
        "nosend_mailbox_last_mail_timestamp_seconds": {("shop",): at - DAY.total_seconds()},
        "nosend_mailbox_backlog": {("shop",): 5},
        "nosend_mails": {
            ("shop", "opt_out"): 2, ("shop", "suspect"): 2, ("shop", "set_aside"): 1, ("shop", "other_notice"): 1,
        },
        "nosend_waiting": {("down",): 0, ("new",): 0, ("shop",): 3},
        "nosend_entries": {("order",): 2, ("buyer",): 0},
        "nosend_amazon_mails": {
            ("shop", "7d", "opt_out"): 1, ("shop", "7d", "other_notice"): 1, ("shop", "7d", "suspect"): 2,
            ("shop", "30d", "opt_out"): 2, ("shop", "30d", "other_notice"): 1, ("shop", "30d", "suspect"): 2,
        },
        "nosend_template_changed": {("shop",): 0},
        "nosend_account_restricted_notices": {("shop",): 1},
        "nosend_messages_blocked_notices": {("shop",): 1},
        "nosend_kept_bytes": {(): size},
        "nosend_kept_waiting_bytes": {(): size},
    }  # fmt: skip


def test_a_changed_text_shows(settings: config.Settings) -> None:
    with Ledger(settings.database) as ledger:
        ledger.record([seen(1, 1, Kind.SUSPECT)], NOW)
    assert told(settings)["nosend_template_changed"] == {("shop",): 1}


def test_an_empty_database_has_metrics(settings: config.Settings) -> None:
    Ledger(settings.database).close()
    assert {name: values for name, values in told(settings).items() if values} == {
        "nosend_build_info": {(__version__,): 1},
        "nosend_entries": {("order",): 0, ("buyer",): 0},
        "nosend_kept_bytes": {(): 0},
        "nosend_kept_waiting_bytes": {(): 0},
    }


def test_names_follow_prometheus_conventions() -> None:
    for metric in metrics.METRICS:
        assert metric.name.startswith("nosend_")
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket")), "these are no gauges' names"
        assert ("timestamp" in metric.name) == metric.name.endswith("_timestamp_seconds")
        assert metric.help.endswith(".")


def test_no_label_holds_what_a_mail_says(settings: config.Settings) -> None:
    """Whoever writes to orders+NAME@shop.example would else write labels, as many as he likes."""
    mails = [replace(seen(n, 1, rule="r"), account=f"{order(n)} {buyer(n)}") for n in range(5)]
    mails += [replace(judged(n, alias=buyer(n)), account="shop-de") for n in range(5, 7)]
    with Ledger(settings.database) as ledger:
        ledger.record(mails, NOW)
    text = metrics.text(look(settings.database, settings, NOW), settings)
    assert "111-" not in text
    assert "buyer0" not in text
    seven = {labels: value for labels, value in parsed(text)["nosend_amazon_mails"].items() if labels[1] == "30d"}
    assert seven == {
        (account, "30d", verdict): count if verdict == "opt_out" else 0
        for account, count in ((metrics.OTHERS, 5), ("shop-de", 2))
        for verdict in ("opt_out", "other_notice", "suspect")
    }


def test_an_account_may_be_called_anything(settings: config.Settings) -> None:
    name = 'a "shop"\\n } 1 # \u5e97'
    with Ledger(settings.database) as ledger:
        ledger.round_done(name, NOW)
    assert told(settings)["nosend_mailbox_up"] == {(name,): 1}


# The file.


def test_sync_writes_metrics_and_touches_the_heartbeat(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("metrics", [notice(1)])
    nosend.configure("metrics", dovecot.port)
    path = nosend.folder / "config.toml"
    path.write_text('metrics_file = "nosend.prom"\nheartbeat_file = "alive"\n' + path.read_text())
    assert nosend("sync").stderr == ""
    file, alive = nosend.folder / "nosend.prom", nosend.folder / "alive"
    values = parsed(file.read_text())
    assert (values.keys(), values["nosend_mailbox_up"]) == (ALL, {("shop",): 1})
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert PASSWORD not in file.read_text()
    alive.unlink()
    nosend("sync", code=2, env={"NOSEND_PASSWORD": "wrong"})
    assert parsed(file.read_text())["nosend_mailbox_up"] == {("shop",): 0}
    assert not alive.exists(), "no server answered"


def test_metrics_that_cannot_be_written_are_told_and_the_round_stands(nosend: Shell, dovecot: Dovecot) -> None:
    dovecot.fill("nofile", [notice(1)])
    nosend.configure("nofile", dovecot.port)
    path = nosend.folder / "config.toml"
    path.write_text('metrics_file = "nowhere/nosend.prom"\n' + path.read_text())
    done = nosend("sync", code=2)
    assert done.stderr.startswith("nosend: 'nowhere/nosend.prom' is no file that can be made")
    assert nosend.rows("SELECT count(*) FROM blacklist") == [(1,)]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("metrics_file", "metrics.txt", "must end in .prom"),
        ("metrics_listen", "9464", "must be an address and a port of this machine alone"),
        ("metrics_listen", "0.0.0.0:9464", "must be an address and a port of this machine alone"),
        ("metrics_listen", "[::]:9464", "must be an address and a port of this machine alone"),
        ("metrics_listen", "::1:9464", "must be an address and a port of this machine alone"),
        ("metrics_listen", "shop.example:9464", "must be an address and a port of this machine alone"),
        ("metrics_listen", "127.0.0.1:0", "must be an address and a port of this machine alone"),
        ("metrics_listen", "127.0.0.1:65536", "must be an address and a port of this machine alone"),
    ],
)
def test_wrong_keys_are_told(tmp_path: Path, key: str, value: str, told: str) -> None:
    (tmp_path / "config.toml").write_text(f'{key} = "{value}"\n')
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "config.toml")
    assert caught.value.problems[0].startswith(f"{tmp_path / 'config.toml'}: {key} = '{value}' {told}")


@pytest.mark.parametrize(
    ("value", "address"),
    [("127.0.0.1:9464", ("127.0.0.1", 9464)), ("localhost:1", ("localhost", 1)), ("[::1]:65535", ("::1", 65535))],
)
def test_addresses_of_this_machine_are_heard(tmp_path: Path, value: str, address: tuple[str, int]) -> None:
    (tmp_path / "config.toml").write_text(f'metrics_listen = "{value}"\n')
    assert config.load(tmp_path / "config.toml").monitor.metrics_listen == address


# The endpoint.


class Daemon:
    """What the daemon tells the endpoint."""

    late: tuple[str, ...] = ()
    trouble = False

    def metrics(self) -> str:
        if self.trouble:
            raise StoreUnavailableError("database 'nosend.db' is held by another process: try again later")
        return "# HELP x y\n"


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def endpoint(daemon: Daemon) -> Iterator[Endpoint]:
    with Endpoint(("127.0.0.1", 0), daemon.metrics, lambda: daemon.late) as one:
        yield one


def get(endpoint: Endpoint, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str, str]:
    """Give status, type and text of an answer."""
    line = http.client.HTTPConnection(host, endpoint.port, timeout=20)
    line.request(method, path)
    answer = line.getresponse()
    text = answer.read().decode()
    line.close()
    return answer.status, answer.headers["Content-Type"], text


def test_metrics_are_answered(endpoint: Endpoint, daemon: Daemon) -> None:
    assert get(endpoint, "/metrics") == (200, metrics.CONTENT_TYPE, "# HELP x y\n")
    assert get(endpoint, "/metrics?a=b", "HEAD") == (200, metrics.CONTENT_TYPE, "")
    daemon.trouble = True
    status, _, text = get(endpoint, "/metrics")
    assert (status, text) == (503, "database 'nosend.db' is held by another process: try again later\n")


def test_health_is_answered_with_the_accounts_that_are_late(endpoint: Endpoint, daemon: Daemon) -> None:
    assert get(endpoint, "/healthz")[::2] == (200, "ok\n")
    daemon.late = ("shop-de", "shop-us")
    status, _, text = get(endpoint, "/healthz")
    assert (status, [name for name in daemon.late if name in text]) == (503, ["shop-de", "shop-us"])
    daemon.late = ()
    assert get(endpoint, "/healthz")[0] == 200


def test_nothing_else_is_answered(endpoint: Endpoint) -> None:
    assert get(endpoint, "/")[::2] == (404, "there are /metrics and /healthz\n")
    assert get(endpoint, "/metrics", "POST")[0] == 501


def test_a_silent_client_holds_up_neither_the_others_nor_the_end(daemon: Daemon) -> None:
    with Endpoint(("127.0.0.1", 0), daemon.metrics, lambda: ()) as endpoint:
        silent = [socket.create_connection(("127.0.0.1", endpoint.port)) for _ in range(5)]
        silent[0].sendall(b"GET /metr")
        assert get(endpoint, "/healthz")[0] == 200
    for line in silent:
        line.close()


def test_an_address_that_is_taken_is_told(endpoint: Endpoint, daemon: Daemon) -> None:
    with pytest.raises(ConfigError, match=rf'metrics_listen = "127.0.0.1:{endpoint.port}" cannot be listened on'):
        Endpoint(("127.0.0.1", endpoint.port), daemon.metrics, lambda: ())


def test_ipv6_is_listened_on(daemon: Daemon) -> None:
    with Endpoint(("::1", 0), daemon.metrics, lambda: ()) as endpoint:
        assert get(endpoint, "/healthz", host="::1")[0] == 200


def test_the_real_metrics_are_answered(settings: config.Settings) -> None:
    Ledger(settings.database).close()
    with Endpoint(("127.0.0.1", 0), lambda: monitor.exposition(settings, NOW), lambda: ()) as endpoint:
        assert parsed(get(endpoint, "/metrics")[2]).keys() == ALL
