"""What a key of the configuration is, and what several of them check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Key(NamedTuple):
    """One key of the configuration. `example` is what the example file shows when there is no default.

    `wrong` says what is wrong with a value of the right type, "" if nothing is.
    """

    name: str
    type: type
    default: Any
    help: str
    example: Any = None
    wrong: Callable[[Any], str] = lambda _: ""


required: Any = object()  # the default of a key that must be given


def no_variable(value: str) -> str:
    """Say what is wrong with the name of an environment variable; none is none."""
    return "" if re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)?", value) else "must be the NAME of an environment variable"


def no_choice(*choices: str) -> Callable[[str], str]:
    """Give a check that a value is one of these."""
    return lambda value: "" if value in choices else f"must be one of {', '.join(filter(None, choices))}"
