"""The command: one small function a verb. The only place that prints and exits.

stdout is data, stderr is talk. What a verb needs is imported when it runs.
"""

from __future__ import annotations

import sys


def run() -> None:
    """Be the console script."""
    from nosend.cli import quick  # noqa: PLC0415 - not needed to import a verb

    code = quick.check(sys.argv[1:])
    if code is None:
        from nosend.cli.command import main  # noqa: PLC0415 - click takes longer to load than `check` to answer

        code = main()
    sys.exit(code)
