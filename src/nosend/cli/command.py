"""The group of all verbs, and what each way to end means for the exit code."""

from __future__ import annotations

import importlib
import io
import logging
import os
import sys
from typing import Any

import click

from nosend import __version__
from nosend.cli.terminal import FORMATS, LEVELS, Session, tell
from nosend.errors import NosendError

# where each verb is; it is loaded when it is asked for
VERBS = {
    "init": "init.init",
    "sync": "intake.sync",
    "watch": "intake.watch",
    "scan": "intake.scan",
    "explain": "intake.explain",
    "rebuild": "intake.rebuild",
    "demo": "intake.demo",
    "adopt": "adopt.adopt",
    "check": "reading.check",
    "list": "reading.list_",
    "show": "reading.show",
    "filter": "filter.filter_",
    "export": "exports.export",
    "changes": "exports.changes",
    "add": "lists.add",
    "remove": "lists.remove",
    "allow": "lists.allow",
    "disallow": "lists.disallow",
    "import": "lists.import_",
    "undo": "lists.undo",
    "orders": "orders.orders",
    "outbox": "outbox.outbox",
    "backup": "backup.backup",
    "privacy": "privacy.privacy",
    "review": "review.review",
    "rules": "rules.rules",
    "doctor": "doctor.doctor",
    "status": "status.status",
    "login": "login.login",
}
_EPILOG = """\b
Exit codes:
  0   done; `check`: the message may be sent
  1   `check`: at least one must not be sent
  2   wrong usage or configuration
  70  a fault of nosend
  75  try again later (mailbox or database not reachable)
  130, 141  stopped by Ctrl-C; the reader of the output has gone
"""


class _ReaderGoneError(Exception):
    """Whoever read our output has had enough; click would end with 1, which says "must not be sent"."""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(".")
        verb: click.Command = getattr(importlib.import_module(f"nosend.cli.{module}"), name)
        return verb

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error


@click.group(
    cls=_Group, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    help="The configuration; else $NOSEND_CONFIG, ./config.toml, ~/.config/nosend, /etc/nosend.",
)
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default="text",
    envvar="NOSEND_LOG_FORMAT",
    help="How talk and log are written to stderr; json: an object a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    envvar="NOSEND_LOG_LEVEL",
    help="From which level up nosend logs; else from warning up.",
)
@click.version_option(__version__, prog_name="nosend")
@click.pass_context
def nosend(context: click.Context, config_file: str | None, log_format: str, log_level: str | None) -> None:
    """Keep the list of Amazon buyers who must not be messaged.

    Begin with `nosend init`, then `nosend sync`. `nosend demo` shows all of it on sample mail.
    """
    context.obj = Session(config_file, log_format, log_level)
    context.obj.start_log()
    if os.environ.get("NO_COLOR"):
        context.color = False


def main() -> int:
    """Run the command; gives the exit code that `nosend --help` documents."""
    Session(None).start_log()  # for what goes wrong before the command line is read
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show kana
    try:
        code = nosend.main(standalone_mode=False, prog_name="nosend")
        sys.stdout.flush()
    except NosendError as trouble:
        tell(*str(trouble).splitlines(), level=logging.ERROR)
        return trouble.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        tell("stopped")
        return 130
    except (_ReaderGoneError, BrokenPipeError):  # `nosend list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        tell(f"{error.strerror or error}: {error.filename or 'standard output'}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 75
    except Exception:
        logging.getLogger(__name__).exception("a fault of nosend, please report it:")
        return 70
    return code if isinstance(code, int) else 0
