"""The verb `rules`: list the packs, test them, learn a new one from mails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nosend.cli.terminal import Session, tell
from nosend.errors import ConfigError
from nosend.identifiers import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nosend.model import Letter
    from nosend.verdict.packfile import Pack
    from nosend.verdict.rules import Rules
    from nosend.verdict.wording import Wording


@click.group()
def rules() -> None:
    """List the wordings of the language packs, test them, learn new ones.

    A pack of your own lies in the folder that `packs` names in the configuration, and wins over nosend's of the
    same name.
    """


@rules.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List every rule, a line each: name, version, confirmed or not, samples, pack, where it was seen."""
    for pack in _known(session).packs:
        for one in pack.wordings:
            confirmed = "confirmed" if one.confirmed else "unconfirmed"
            about = f"{one.rule:28} {one.version:3} {confirmed:11} {len(one.samples)} samples"
            click.echo(f"{about}  {one_line(pack.source)}: {one_line(one.seen)}")


@rules.command()
@click.argument("what", required=False, metavar="[PACK|MAIL]")
@click.pass_obj
def test(session: Session, what: str | None) -> int:
    """Test that every sample is found by its own rule and no other; or one PACK (name or .toml); or a MAIL.

    Of a mail it is told which rules of which packs find a sentence in it. Exit 2 when something is wrong.
    """
    known = _known(session)
    if what is None:
        return _samples(known, tuple(known.packs))
    named = [pack for pack in known.packs if pack.name == what]
    if named:
        return _samples(known, tuple(named))
    if what.endswith(".toml"):
        from nosend.config import packs  # noqa: PLC0415 - each verb loads what it needs
        from nosend.verdict import packfile  # noqa: PLC0415
        from nosend.verdict.rules import Rules  # noqa: PLC0415

        pack = packfile.read(packs.text(Path(what)), what, what)
        others = [other for other in known.packs if other.name != pack.name]
        return _samples(Rules.of([*others, pack]), (pack,))
    return _mails(known, what)


def _samples(known: Rules, chosen: tuple[Pack, ...]) -> int:
    from nosend.verdict import wording  # noqa: PLC0415 - each verb loads what it needs

    everything = (*known.opt_outs, *known.others)
    wrong = 0
    for pack in chosen:
        for one in pack.wordings:
            for sample in one.samples:
                found = [other.rule for other in everything if wording.find((other,), (sample,))]
                if found != [one.rule]:
                    wrong += 1
                    told = (
                        f"also by {', '.join(r for r in found if r != one.rule)}" if one.rule in found else "not by it"
                    )
                    click.echo(f"{one.rule}: a sample is found {told}: {one_line(sample)}")
    count = sum(len(one.samples) for pack in chosen for one in pack.wordings)
    tell(f"{count} samples of {sum(len(pack.wordings) for pack in chosen)} rules, {wrong} wrong")
    return 2 if wrong else 0


def _mails(known: Rules, name: str) -> int:
    from nosend.verdict import wording  # noqa: PLC0415 - each verb loads what it needs

    for path, letter in _letters(known, (name,)):
        click.echo(one_line(path))
        for one in (*known.opt_outs, *known.others):
            for match in wording.find((one,), _paragraphs(letter)):
                click.echo(f"  {_describe(one)}: {one_line(match.sentence)}")
        if known.tells_failure(letter.subject):
            click.echo(f"  a delivery failure by its subject: {one_line(letter.subject)}")
    return 0


def _describe(one: Wording) -> str:
    return f"{one.rule} {one.version}" + ("" if one.confirmed else " (unconfirmed)")


def _paragraphs(letter: Letter) -> tuple[str, ...]:
    return (*letter.paragraphs, *(text for inner in letter.inside for text in _paragraphs(inner)))


@rules.command()
@click.argument("mails", nargs=-1, required=True, metavar="MAIL...")
@click.option("--name", default="mine", show_default=True, help='The name of the pack, like "de".')
@click.option(
    "--output", "-o", metavar="FILE", help="Write the draft to FILE, which must not exist; else standard output."
)
@click.pass_obj
def learn(session: Session, mails: tuple[str, ...], name: str, output: str | None) -> None:
    """Make a draft of a pack from MAILs that you call opt-outs, with id, name and date replaced by places.

    From several mails of one language what differs becomes a gap. Put the draft into the folder of `packs`, edit
    it, and run `nosend rules test FILE`.
    """
    from nosend.verdict import learn as learning  # noqa: PLC0415 - each verb loads what it needs

    letters = [letter for _, letter in _letters(_known(session), mails)]
    notices = [_innermost(letter) for letter in letters]
    draft = learning.draft(notices)
    text = learning.pack(name, draft, tuple(dict.fromkeys(one_line(one.subject) for one in notices if one.subject)))
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with Path(output).open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigError(f"{output!r} cannot be written: {error.strerror}: name a file that does not exist") from error
    tell(f"wrote {output}: edit it, then run `nosend rules test {output}`")


def _innermost(letter: Letter) -> Letter:
    """Give the letter that a forward brings, if it brings one; else the letter itself."""
    from nosend import identifiers  # noqa: PLC0415 - each verb loads what it needs

    own = any(identifiers.order_ids(text) for text in letter.paragraphs)
    return letter if own or not letter.inside else _innermost(letter.inside[0])


def _letters(known: Rules, names: tuple[str, ...]) -> Iterator[tuple[str, Letter]]:
    from nosend import letter  # noqa: PLC0415 - each verb loads what it needs
    from nosend.mailbox import archive  # noqa: PLC0415

    for name in archive.files(names):
        for mail in archive.mails(name, ""):
            yield mail.place.folder, letter.read(mail.raw, known.marks)


def _known(session: Session) -> Rules:
    from nosend.config import packs  # noqa: PLC0415 - each verb loads what it needs
    from nosend.verdict import rules as known  # noqa: PLC0415

    settings = session.settings_or_none
    return known.load(packs.sources(settings.packs if settings else None))
