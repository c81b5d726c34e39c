"""Write the generated parts: `why` of the fixtures, config.example.toml, the verbs' help in README.md.

`make docs` runs it; tests/test_docs.py fails when something is stale. Read the difference before you commit it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

import corpus
from conftest import MAILS, ROOT, expected
from nosend import config
from nosend.cli.command import nosend
from nosend.monitor import metrics
from test_corpus import told

README = ROOT / "README.md"
RECOGNITION = ROOT / "docs" / "recognition.md"
METRICS = ROOT / "docs" / "metrics.md"
EXAMPLE = ROOT / "config.example.toml"


def readme_with_help(text: str) -> str:
    """Put the verbs' help into the README's block."""
    return between(text, "help", "```text\n" + _help() + "```")


def recognition_with_corpus(text: str) -> str:
    """Put the counts of the corpus into docs/recognition.md."""
    return between(text, "corpus", corpus.table())


def metrics_with_table(text: str) -> str:
    """Put the table of all metrics into docs/metrics.md."""
    rows = [
        f"| `{one.name}` | {', '.join(f'`{label}`' for label in one.labels) or '-'} | {one.help} |"
        for one in metrics.METRICS
    ]
    return between(text, "metrics", "\n".join(["| metric | labels | what it tells |", "|---|---|---|", *rows]))


def between(text: str, name: str, content: str) -> str:
    """Put generated lines between the marks `<!-- name: begin -->` and `<!-- name: end -->`."""
    block = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    assert block.search(text), name
    return block.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)


def _help() -> str:
    shown = []
    for words in verbs():
        run = CliRunner().invoke(nosend, [*words, "--help"], prog_name="nosend", terminal_width=100)
        shown.append(run.output)
    return "\n".join(shown)


def verbs() -> list[list[str]]:
    """Give every verb, and below `review` and `rules` every verb of theirs, as words."""
    found = []
    context = click.Context(nosend)
    for name in nosend.list_commands(context):
        found.append([name])
        found += [[name, inner] for inner in sorted(getattr(nosend.get_command(context, name), "commands", {}))]
    return found


if __name__ == "__main__":
    for mail in MAILS:
        wanted = expected(mail) | {"why": told(mail)["why"]}
        text = json.dumps(wanted, ensure_ascii=False, indent=2) + "\n"
        mail.with_suffix(".json").write_text(text, encoding="utf-8")
    RECOGNITION.write_text(recognition_with_corpus(RECOGNITION.read_text(encoding="utf-8")), encoding="utf-8")
    METRICS.write_text(metrics_with_table(METRICS.read_text(encoding="utf-8")), encoding="utf-8")
    EXAMPLE.write_text(config.example(), encoding="utf-8")
    README.write_text(readme_with_help(README.read_text(encoding="utf-8")), encoding="utf-8")
