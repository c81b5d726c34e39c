"""The verb `rules`: list the packs, test them, learn a new one from mails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nosend.cli.terminal import Session, tell
from nosend.errors import ConfigError, DestinationError
from nosend.identifiers import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nosend.model import Letter
    from nosend.verdict.packfile import Pack
    from nosend.verdict.rules import Rules
    from nosend.verdict.wording import Wording

_BUILT_IN = "built in"


@click.group()
def rules() -> None:
    """List the wordings of the language packs, test them, learn new ones.

    A pack of your own lies in the folder that `packs` names in the configuration. It adds to nosend's; one of the
    same name goes for nosend's as a whole.
    """


@rules.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List every rule, a line each: name, version, confirmed or not, samples, pack, where it was seen.

    Only a confirmed opt-out lists anybody; an unconfirmed one brings a mail before you. A pack without a rule knows
    subjects and forwards only.
    """
    for pack in _known(session).packs:
        source = one_line(pack.source)
        for one in pack.wordings:
            confirmed = "confirmed" if one.confirmed else "unconfirmed"
            about = f"{one.rule:28} {one.version:3} {confirmed:11} {_count(len(one.samples), 'sample'):>9}"
            click.echo(f"{about}  {source}: {one_line(one.seen) or 'not said where it was seen'}")
        if not pack.wordings:
            click.echo(f"{pack.name:28} {pack.version:3} {'no rule':11} {_count(0, 'sample'):>9}  {source}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
    if what.lower().endswith(".toml"):
        from nosend.config import packs  # noqa: PLC0415 - each verb loads what it needs
        from nosend.verdict import packfile  # noqa: PLC0415
        from nosend.verdict.rules import Rules  # noqa: PLC0415

        pack = packfile.read(packs.text(Path(what)), what, what)
        others = [other for other in known.packs if other.name != pack.name]
        return _samples(Rules.of([*others, pack]), (pack,))
    if what != "-" and not Path(what).exists():
        names = ", ".join(pack.name for pack in known.packs)
        raise ConfigError(f"{what!r} is neither a mail nor a .toml file that exists, nor one of the packs {names}")
    return _mails(known, what)


def _samples(known: Rules, chosen: tuple[Pack, ...]) -> int:
    """Tell what is wrong with the samples of these packs, and with those of others that a rule of theirs finds."""
    own = {one.rule for pack in chosen for one in pack.wordings}
    everything = [(pack, one, sample) for pack in known.packs for one in pack.wordings for sample in one.samples]
    wrong = [told for pack, one, sample in everything for told in _wrong(known, pack, one, sample, own)]
    for told in wrong:
        click.echo(told)
    tell(*(told for pack in chosen for told in _replaced(pack)))
    for pack in chosen:
        for one in pack.opt_outs:
            if pack.source != _BUILT_IN and not one.confirmed:
                tell(f"{one.rule} is unconfirmed: `nosend review` shows you such mails, none is listed")
    samples = sum(one.rule in own for _, one, _ in everything)
    tell(f"{_count(samples, 'sample')} of {_count(len(own), 'rule')}, {len(wrong)} wrong")
    return 2 if wrong else 0


def _replaced(pack: Pack) -> Iterator[str]:
    """Say which rules of nosend's are gone because of a pack of the same name."""
    from nosend.verdict.rules import builtin  # noqa: PLC0415 - each verb loads what it needs

    for own in builtin().packs:
        if own.name == pack.name and pack.source != _BUILT_IN and own.wordings:
            rules = ", ".join(one.rule for one in own.wordings)
            yield f"{pack.name} goes for nosend's pack of that name, whose {rules} are not asked any more: or rename it"


def _wrong(known: Rules, pack: Pack, one: Wording, sample: str, own: set[str]) -> Iterator[str]:
    """Say what is wrong with a sample, as far as the rules named `own` have to do with it."""
    from nosend.verdict import wording  # noqa: PLC0415 - each verb loads what it needs

    where = f"{one.rule}: {one_line(sample)!r}"
    matches = wording.find((one,), (sample,))
    if one.rule in own and not matches:
        yield f"{where} is not found by its own rule"
    elif one.rule in own and one in pack.opt_outs and not any(match.is_one_sentence for match in matches):
        yield f"{where} is found over the end of a sentence only: such a mail is never listed, write one sentence"
    for other_pack in known.packs:
        for other in other_pack.wordings:
            concerned = other.rule != one.rule and {other.rule, one.rule} & own
            if concerned and wording.find((other,), (sample,)) and not _gives_way((other_pack, other), (pack, one)):
                yield f"{where} is found by {other.rule} too"


def _gives_way(*pairs: tuple[Pack, Wording]) -> bool:
    """Tell whether of two opt-outs that find a sentence one is a user's and one nosend's guess, which goes second."""
    opt_outs = all(one in pack.opt_outs for pack, one in pairs)
    guess = any(pack.source == _BUILT_IN and not one.confirmed for pack, one in pairs)
    return opt_outs and guess and any(pack.source != _BUILT_IN for pack, _ in pairs)


def _mails(known: Rules, name: str) -> int:
    from nosend.verdict import wording  # noqa: PLC0415 - each verb loads what it needs

    for path, letter in _letters(known, (name,)):
        click.echo(one_line(path))
        found = [
            (one, match)
            for one in (*known.opt_outs, *known.others)
            for match in wording.find((one,), _paragraphs(letter))
        ]
        for one, match in found:
            click.echo(f"  {_describe(one)}: {one_line(match.sentence)}")
        if not found:
            click.echo("  no rule finds a sentence in it")
        if known.tells_failure(letter.subject):
            click.echo(f"  a delivery failure by its subject: {one_line(letter.subject)}")
    return 0


def _describe(one: Wording) -> str:
    return f"{one.rule} {one.version}" + ("" if one.confirmed else " (unconfirmed)")


def _paragraphs(letter: Letter) -> tuple[str, ...]:
    return (*letter.paragraphs, *(text for inner in letter.inside for text in _paragraphs(inner)))


@rules.command()
@click.argument("mails", nargs=-1, required=True, metavar="MAIL...")
@click.option("--name", default="mine", show_default=True, help='The name of the pack, like "de-mine".')
@click.option(
    "--output", "-o", metavar="FILE", help="Write the draft to FILE, which must not exist; else standard output."
)
@click.pass_obj
def learn(session: Session, mails: tuple[str, ...], name: str, output: str | None) -> None:
    """Make a draft of a pack from MAILs that you call opt-outs, with id, name and date replaced by places.

    One mail is enough; from several of one language what differs becomes a gap, which is surer. Edit the draft as it
    says itself, run `nosend rules test FILE`, and put it into the folder of `packs`.
    """
    from nosend.verdict import learn as learning  # noqa: PLC0415 - each verb loads what it needs
    from nosend.verdict import packfile, wording  # noqa: PLC0415

    if mistake := packfile.wrong_name(name):
        raise ConfigError(f"--name {name!r} {mistake}")
    known = _known(session)
    told = [(path, learning.notices(letter)) for path, letter in _letters(known, mails)]
    problems = [
        f"{path!r}: no sentence in it holds just one order id: nothing to learn" for path, own in told if not own
    ]
    if problems or not told:
        raise ConfigError(*problems or [f"there is no mail in {', '.join(mails)}"])
    draft = learning.draft([one for _, own in told for one in own], known.forward_prefixes)
    _write(learning.pack(name, draft), output)
    for match in wording.find(tuple(one for one in known.opt_outs if one.confirmed), (draft.sample,)):
        tell(f"{match.wording.rule} finds that sentence already: nothing is to be learned from it")
    if any(pack.name == name and pack.source == _BUILT_IN for pack in known.packs):
        tell(
            f"{name!r} is the name of a pack of nosend's own: yours would go for all of it, its words of forwards "
            f'as well; to add to it, name yours otherwise, like "{name}-mine"'
        )
    if output:
        tell(f"wrote {output}: edit it as it says, then run `nosend rules test {output}`")


def _write(text: str, output: str | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    path = Path(output)
    try:
        with path.open("x", encoding="utf-8") as stream:
            try:
                stream.write(text)
                stream.flush()
            except BaseException:
                path.unlink()  # half of it would keep the next `learn` from writing it
                raise
    except FileExistsError:
        raise ConfigError(f"{output!r} exists already and stays as it is: name another file") from None
    except FileNotFoundError:
        raise ConfigError(f"{output!r}: its folder does not exist, make it first") from None
    except OSError as error:
        raise DestinationError(f"{output!r} cannot be written: {error.strerror}") from error


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
