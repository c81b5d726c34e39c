"""`python -m nosend` is the command."""

from nosend.cli import run

run()
