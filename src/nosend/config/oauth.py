"""OAuth 2 (RFC 6749): the keys, what the known providers want, and what contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from nosend.config.addresses import no_url
from nosend.config.key import Key, no_choice
from nosend.config.secret import SECRETS, Secret, at, no_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEVICE, CODE, CLIENT = "device_code", "authorization_code", "client_credentials"
GRANTS = (DEVICE, CODE, CLIENT)
_ENDPOINTS = ("token", "authorization", "device_authorization")
_NEEDS = {DEVICE: ("token", "device_authorization"), CODE: ("token", "authorization"), CLIENT: ("token",)}


class Provider(NamedTuple):
    """What is known of a provider. `{tenant}` in an endpoint is oauth_tenant."""

    grants: tuple[str, ...]  # the first is the default
    endpoints: Mapping[str, str] = {}
    scope: str = ""
    scope_of_clients: str = ""  # for client_credentials
    redirect_host: str = "127.0.0.1"  # RFC 8252, 8.3
    extras: tuple[tuple[str, str], ...] = ()  # to the authorization endpoint
    secret_in_body: bool = True  # else HTTP Basic, which RFC 6749, 2.3.1, asks of every server
    secret_needed: bool = False


PROVIDERS = {
    "google": Provider(
        grants=(CODE,),  # the device flow gets no mail scope from Google, servers take an app password
        endpoints={
            "token": "https://oauth2.googleapis.com/token",
            "authorization": "https://accounts.google.com/o/oauth2/v2/auth",
        },
        scope="https://mail.google.com/",
        extras=(("access_type", "offline"), ("prompt", "consent")),  # else a second log-in gives no refresh token
        secret_needed=True,  # also of desktop applications
    ),
    "microsoft": Provider(
        grants=(DEVICE, CODE, CLIENT),
        endpoints={
            "token": "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
            "authorization": "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
            "device_authorization": "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
        },
        scope="https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
        scope_of_clients="https://outlook.office365.com/.default",
        redirect_host="localhost",  # the one whose port is free at Microsoft
    ),
    "custom": Provider(grants=(DEVICE, CODE, CLIENT), secret_in_body=False),
}


@dataclass(frozen=True, slots=True)
class OAuth:
    """How a mailbox gets its access tokens, checked; `token_file` is where they are kept."""

    grant: str
    client_id: str
    client_secret: Secret | None
    scope: str
    token_endpoint: str
    authorization_endpoint: str
    device_authorization_endpoint: str
    token_file: Path
    redirect_host: str = "127.0.0.1"
    extras: tuple[tuple[str, str], ...] = ()
    secret_in_body: bool = False


def _no_endpoints(value: Mapping[str, Any]) -> str:
    for name, url in value.items():
        if name not in _ENDPOINTS:
            return f"names {name!r}: there are {', '.join(_ENDPOINTS)}"
        if mistake := no_url(url):
            return f"{name} {mistake}"
    return ""


def _no_tenant(value: str) -> str:
    fits = value.replace("-", "").replace(".", "").isalnum() or not value
    return "" if fits else "must be a tenant's id or domain"


OAUTH_KEYS = (
    Key(
        "oauth",
        str,
        "",
        'instead of a password: log in with OAuth 2 at "google", "microsoft" or "custom" (any other provider);\n'
        "# docs/login.md shows it step by step, and `nosend login ACCOUNT` asks for the grant",
        wrong=no_choice("", *PROVIDERS),
    ),
    Key("oauth_client_id", str, "", "the id of the application that you registered at the provider"),
    Key(
        "oauth_client_secret",
        dict,
        {},
        'and its secret, if it has one, by its place: { env = "NAME" }, { file = "/path" },\n'
        '# { command = ["pass", "x"] }, { keyring = "SERVICE" }, { credential = "NAME" } or { plain = "..." }',
        wrong=no_secret,
    ),
    Key(
        "oauth_tenant", str, "", "Microsoft only: the tenant's id or domain; else everybody's, common", wrong=_no_tenant
    ),
    Key(
        "oauth_grant",
        str,
        "",
        '"device_code": a code to type into any browser; "authorization_code": a browser on this machine;\n'
        '# "client_credentials": a server without a person. "": the first of these that the provider has for mail',
        wrong=no_choice("", *GRANTS),
    ),
    Key("oauth_scope", str, "", "the scope to ask for, if not the provider's own for IMAP"),
    Key(
        "oauth_endpoints",
        dict,
        {},
        "the provider's URLs, all for custom, else those that differ: token, authorization, device_authorization,\n"
        '# like { token = "https://login.example.com/token", authorization = "https://login.example.com/authorize" }',
        wrong=_no_endpoints,
    ),
)
_NAMES = tuple(key.name for key in OAUTH_KEYS)


def contradictions(box: Mapping[str, Any]) -> list[str]:
    """Say what is wrong between the keys; when one is wrong itself it is missing, and nothing more is said."""
    if not box.keys() >= {*_NAMES, *SECRETS}:
        return []
    name = box["oauth"]
    if not name:
        return [
            f'{key} is given without oauth: write oauth = "google", "microsoft" or "custom"'
            for key in _NAMES
            if box[key]
        ]
    problems = [
        f"{key} is given with oauth, which needs no password: take it out; the secret of the client goes to "
        "oauth_client_secret"
        for key in SECRETS
        if box[key]
    ]
    provider, grant = PROVIDERS[name], box["oauth_grant"]
    if not box["oauth_client_id"]:
        problems.append("oauth_client_id is missing: register an application at the provider (docs/login.md)")
    if grant and grant not in provider.grants:
        problems.append(f"oauth_grant = {grant!r} gives no mail at {name}: there is {', '.join(provider.grants)}")
    grant = _grant(box)
    if not box["oauth_client_secret"] and (provider.secret_needed or grant == CLIENT):
        problems.append(f"oauth_client_secret is missing: {name} asks for it with {grant}")
    if box["oauth_tenant"] and name != "microsoft":
        problems.append(f"oauth_tenant is Microsoft's, not {name}'s: take it out")
    if name == "microsoft" and grant == CLIENT and box["oauth_tenant"] in {"", "common", "organizations", "consumers"}:
        problems.append("oauth_tenant is missing: client_credentials are of one tenant, name its id or domain")
    known = provider.endpoints | box["oauth_endpoints"]
    lacking = [one for one in _NEEDS.get(grant, ()) if one not in known]
    if lacking:
        problems.append(f"oauth_endpoints lacks {' and '.join(lacking)}: {grant} asks there")
    return problems


def _grant(box: Mapping[str, Any]) -> str:
    """Give the grant; the default of a custom provider is what its endpoints are for."""
    if box["oauth_grant"] or box["oauth"] != "custom":
        return str(box["oauth_grant"] or PROVIDERS[box["oauth"]].grants[0])
    given = box["oauth_endpoints"]
    return CODE if "authorization" in given and "device_authorization" not in given else DEVICE


def of(box: Mapping[str, Any], beside: Path, database: Path) -> OAuth | None:
    """Give how a mailbox gets its tokens, None without OAuth. They are kept in a folder beside the database."""
    if not box["oauth"]:
        return None
    provider, grant, client_id = PROVIDERS[box["oauth"]], _grant(box), box["oauth_client_id"]
    secret = [
        at(f"oauth_client_secret {place}", place, where, beside, client_id)
        for place, where in box["oauth_client_secret"].items()
    ]
    endpoints = {
        name: url.replace("{tenant}", box["oauth_tenant"] or "common")
        for name, url in (provider.endpoints | box["oauth_endpoints"]).items()
    }
    return OAuth(
        grant=grant,
        client_id=client_id,
        client_secret=secret[0] if secret else None,
        scope=box["oauth_scope"] or (provider.scope_of_clients if grant == CLIENT else provider.scope),
        token_endpoint=endpoints["token"],
        authorization_endpoint=endpoints.get("authorization", ""),
        device_authorization_endpoint=endpoints.get("device_authorization", ""),
        token_file=database.with_name(database.name + ".tokens") / f"{quote(box['account'], safe='')}.json",
        redirect_host=provider.redirect_host,
        extras=provider.extras,
        secret_in_body=provider.secret_in_body,
    )
