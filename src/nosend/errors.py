"""One class for each way a run can stop, by what the caller has to do about it.

Each message is a sentence for a person: it names the value and the remedy. `exit_code` is the process's
answer, as `nosend --help` documents it.
"""

from __future__ import annotations


class NosendError(Exception):
    """The root of all troubles that nosend names; never raised itself."""

    exit_code = 70


class ConfigError(NosendError):
    """Wrong configuration or usage: mend it and start again. `problems` holds all mistakes, one a line."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class UnknownKeyError(NosendError, ValueError):
    """A key that is neither an order id nor a buyer alias."""

    exit_code = 2


class UnknownChangeError(NosendError, ValueError):
    """A change number that is not in the log, or not any more: take the whole list instead."""

    exit_code = 2


class MailboxRefusedError(NosendError):
    """The mailbox said no and will go on saying no: log-in, certificate, folder."""

    exit_code = 2


class MailboxUnreachableError(NosendError):
    """The mailbox cannot be reached now: what was committed stays, try again later."""

    exit_code = 75


class MailboxBusyError(MailboxUnreachableError):
    """The mailbox takes no log-ins now: throttled. Who asks again soon makes it worse."""


class StoreRefusedError(NosendError):
    """The database file is not usable as it is named: not a file, not nosend's, from a newer nosend."""

    exit_code = 2


class StoreUnavailableError(NosendError):
    """The database cannot be used now: another process holds it, the disk is full. Nothing was half-written."""

    exit_code = 75


class DestinationError(NosendError):
    """An export or a configuration could not be written; what stood there before is whole."""

    exit_code = 75
