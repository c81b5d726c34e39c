"""`rules list | test | learn`: a new language in five minutes, and nothing of one buyer in what is learned."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from conftest import ROOT, Shell
from letters import ALIAS, AMAZON, ORDER, STRANGER, forwarded, mail, multipart, read
from nosend.errors import ConfigError
from nosend.model import Letter
from nosend.verdict import learn, packfile, rules, wording
from samples import notice, order
from servers import Dovecot

# What a notice could say in each language, with a place for the name (and the word that leads to it) and the date
EN = "We were unable to deliver the message you sent{name}{date} for order [{id}] because the buyer wants no messages."
IT = "Non abbiamo recapitato il messaggio che hai inviato{name}{date} per l'ordine [{id}] perché l'acquirente no."
FR = "Nous n'avons pas transmis le message envoyé{name}{date} au sujet de la commande {id}, car l'acheteur ne veut pas."
DE = "Leider konnte Ihre Nachricht{name}{date} zur Bestellung {id} nicht zugestellt werden, weil der Käufer das will."
ES = "No hemos entregado el mensaje que enviaste{name}{date} para el pedido [{id}] porque el comprador no lo quiere."
JA = "購入者が受信しないように設定しているため、{name}{date}送信した注文 {id}に関するメッセージを送信できませんでした。"
LANGUAGES = {
    "en": (EN, " to {}", (" on 2026-09-10", " on November 10, 2026", " on Tuesday, 10 November 2026 at 2:35 PM", "")),
    "it": (IT, " a {}", (" il 2026-09-10", " il 10 novembre 2026", " il 10/11/2026 alle 14:35", "")),
    "fr": (FR, " à {}", (" le 2026-09-10", " le 10 novembre 2026 à 14:35", " le 1er novembre 2026", "")),
    "de": (DE, " an {}", (" vom 2026-09-10", " vom 10.11.2026 um 14:35 Uhr", " vom 10. November 2026", "")),
    "es": (ES, " a {}", (" el 2026-09-10", " el 10 de noviembre de 2026", " el 10/11/2026", "")),
    "ja": (JA, "{} 様に", ("2026-09-10に", "2026年11月10日に", "2026年9月1日 14:35に", "")),
}
WORDINGS = {
    "en": "We were unable to deliver the message you sent{gap}for order [{order}] because the buyer wants no messages",
    "it": "Non abbiamo recapitato il messaggio che hai inviato{gap}per l'ordine [{order}] perché l'acquirente no",
    "fr": "Nous n'avons pas transmis le message envoyé{gap}au sujet de la commande {order}, car l'acheteur ne veut pas",
    "de": "Leider konnte Ihre Nachricht{gap}zur Bestellung {order} nicht zugestellt werden, weil der Käufer das will",
    "es": "No hemos entregado el mensaje que enviaste{gap}para el pedido [{order}] porque el comprador no lo quiere",
    "ja": "購入者が受信しないように設定しているため{gap}送信した注文 {order}に関するメッセージを送信できませんでした",
}
NAMES = """
    Annabella|T. Rossi|J. R. R. Tolkien|Jean-Pierre Dupont|J.-P. Dupont|Ludwig van der Berg|María-José García López
    |Charles d'Ormesson|O’Neil Patrick|Dr. Anna Schmidt-Jones|MARIA ROSSI|frau Schmidt|Éloïse Ørsted
    |Maria de la Cruz y Ramos
""".replace("\n", "").split("|")
NAMES = [name.strip() for name in NAMES]


def said(language: str, name: str, date: str, ident: str = ORDER) -> str:
    sentence, leads, _ = LANGUAGES[language]
    return sentence.format(name=leads.format(name) if name else "", date=date, id=ident)


def letter(*paragraphs: str, subject: str = "", sender: str = AMAZON) -> Letter:
    return Letter(headers=(("From", sender),), subject=subject, paragraphs=paragraphs)


def draft(*sentences: str) -> learn.Draft:
    return learn.draft([letter(sentence) for sentence in sentences])


def compiled(told: learn.Draft) -> wording.Wording:
    """Give the wording of a draft that was loaded as a pack."""
    (one,) = packfile.read(learn.pack("mine", told), "draft", "draft").opt_outs
    return one


def is_found(one: wording.Wording, sentence: str) -> bool:
    return [match.is_one_sentence for match in wording.find((one,), (f"Hallo. {sentence} Ende.",))] == [True]


# One mail.


@pytest.mark.parametrize(
    ("language", "name"),
    # a Latin initial behind kana parts the sentence: "、J. P. Dupont 様"
    [(language, name) for language in LANGUAGES for name in NAMES if language != "ja" or "." not in name],
)
def test_id_name_and_date_of_one_mail_become_places(language: str, name: str) -> None:
    """The wording finds the notice of anybody else, and nothing of this buyer is in the draft."""
    for date in LANGUAGES[language][2]:
        told = draft(said(language, name, date))
        assert told.wording == WORDINGS[language], date
        one = compiled(told)
        for sentence in (
            *one.samples,
            said(language, name, date),
            said(language, "Ines Other", "2025-01-31", "403-7654321-0000001"),
            said(language, "", "", "D01-7654321-0000001"),
        ):
            assert is_found(one, sentence), (date, sentence)
        written = learn.pack("mine", told)
        assert [word for word in re.findall(r"\w{4,}", name) if word in written] == []
        assert ORDER not in written.replace(learn.SAMPLE_ORDER, "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_name_the_date_alone_becomes_a_gap(language: str) -> None:
    *dates, _ = LANGUAGES[language][2]
    for date in dates:
        told = draft(said(language, "", date))
        assert (told.wording.count("{gap}"), re.findall(r"\d", told.wording)) == (1, [])
        assert is_found(compiled(told), said(language, "Ines Other", "2025-01-31", order(2)))
    told = draft(said(language, "", ""))
    assert told.wording == WORDINGS[language].replace("{gap}", "、" if language == "ja" else " ")


def test_the_id_of_a_sample_is_an_invented_one() -> None:
    other = "302-1111111-2222222"
    told = draft(EN.format(name="", date="", id=other))
    assert (other in learn.pack("mine", told), learn.SAMPLE_ORDER in told.sample) == (False, True)


@pytest.mark.parametrize("name", ["anna", "anna maria rossi", "Anna rossi", "a buyer"])
def test_a_name_in_small_letters_is_known_by_the_date_behind_it(name: str) -> None:
    assert "{gap}for order" in draft(said("en", name, " on 2026-09-10")).wording
    assert is_found(compiled(draft(said("en", name, " on 2026-09-10"))), said("en", "Berta", ""))


@pytest.mark.parametrize("name", ["山田太郎", "山田 太郎", "Maria Rossi", "タロウ・ヤマダ", "さくら", "李雷"])
def test_a_japanese_name_is_known_by_its_title(name: str) -> None:
    for title in ("様に", " 様に", "さんに", "さまへ"):
        assert draft(JA.format(name=name + title, date="", id=ORDER)).wording == WORDINGS["ja"]


@pytest.mark.parametrize("word", ["お客様", "購入者様", "出品者様", "皆様", "仕様", "様々な"])
def test_japanese_words_that_only_look_like_a_title_stay(word: str) -> None:
    assert f"{word}の" in draft(JA.replace("メッセージ", f"{word}の件").format(name="", date="", id=ORDER)).wording


@pytest.mark.parametrize(
    "personal",
    [
        ALIAS,
        "Anna <anna@example.com>",
        "https://sellercentral.amazon.de/x?buyer=anna",
        "12345",
        "+49 30 1234567",
        "14:35",
    ],
)
def test_addresses_links_and_numbers_become_gaps(personal: str) -> None:
    told = draft(said("en", personal, ""))
    assert told.wording == WORDINGS["en"]


@pytest.mark.parametrize("greeting", ["Hello", "Dear Shop GmbH", "Gentile venditore", "Ciao Anna"])
def test_a_greeting_is_left_out(greeting: str) -> None:
    told = draft(f"{greeting}, {said('en', 'Anna', ' on 2026-09-10')}")
    assert told.wording == WORDINGS["en"]


def test_the_sentence_that_says_most_about_one_order_is_learned() -> None:
    told = learn.draft(
        [letter(ORDER, f"Order {ORDER}. {said('de', 'Anna', '')} Nr. {ORDER}, {order(2)} sind zwei. Danke.", "Tschüss")]
    )
    assert told.wording == WORDINGS["de"]


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("Nachricht nicht zugestellt", ("Nachricht nicht zugestellt",)),
        (f"Nachricht nicht zugestellt: {ORDER}", ("Nachricht nicht zugestellt",)),
        ("WG: Fwd: Nachricht nicht zugestellt (10.11.2026)", ("Nachricht nicht zugestellt",)),
        ("Nachricht an Anna Schmidt nicht zugestellt", ("nicht zugestellt",)),
        ("anna schmidt: Nachricht nicht zugestellt", ("Nachricht nicht zugestellt",)),
        (f"Hallo {ORDER} Du", ()),
        ("", ()),
    ],
)
def test_a_subject_is_learned_as_far_as_it_is_of_no_one_order(subject: str, told: tuple[str, ...]) -> None:
    one = letter(said("de", "Anna Schmidt", " vom 10.11.2026"), subject=subject)
    assert learn.draft([one], rules.builtin().forward_prefixes).subjects == told


@pytest.mark.parametrize(
    "sentence",
    [
        "{order} {gap} {id} is what we could not deliver because the buyer wants no messages of yours",
        'Say "no" \\ to \\u0041 {{ }} for order {id} because the buyer wants no messages\x00\x1b\x7f\u2028\ue000\ue001',
        "'''{id}''' could not be delivered \"\"\" because the buyer wants no messages # not a comment",
        "We could not deliver your message\tfor\u00a0order\u3000{id}\u200b because the buyer wants no messages \ud800",
        "We could not deliver, " * 80 + "your message for order {id}",
        "perhaps 1 " * 80
        + "we could not deliver your message for order {id} because the buyer wants none"
        + " perhaps 2" * 50,
    ],
    ids=["places", "escapes", "quotes", "spaces", "long", "gaps"],
)
def test_any_sentence_makes_a_draft_that_loads(sentence: str) -> None:
    text = sentence.replace("{id}", ORDER)
    told = draft(text)
    one = compiled(told)
    assert is_found(one, told.sample)
    assert wording.find((one,), (text,)) != ()
    learn.pack("mine", told).encode()


# Several mails.


def test_what_differs_between_mails_becomes_a_gap_and_what_is_the_same_stays() -> None:
    """No rule knows these names: only the comparison does."""
    some = [
        f"Viestiäsi {who} tilaukseen {order(n)} {when} ei voitu toimittaa, koska ostaja ei halua {n} viestiä."
        for n, (who, when) in enumerate(
            [("matille", "eilen"), ("liisalle ja pekalle", "tänään"), ("juhanille", "eilen")]
        )
    ]
    told = draft(*some)
    assert told.wording == "Viestiäsi{gap}tilaukseen {order}{gap}ei voitu toimittaa, koska ostaja ei halua{gap}viestiä"
    assert told.sample == told.wording.replace("{gap}", " … ").replace("{order}", learn.SAMPLE_ORDER)
    assert all(is_found(compiled(told), one) for one in some)
    assert "matille" in draft(some[0]).wording, "one mail alone does not tell"


def test_japanese_mails_are_compared_letter_by_letter() -> None:
    some = [
        JA.format(name=name, date="", id=order(n)) for n, name in enumerate(["山田花子へ", "佐藤へ", "李雷子さくらへ"])
    ]
    told = draft(*some)
    assert told.wording == WORDINGS["ja"]
    assert all(is_found(compiled(told), one) for one in some)


def test_equal_mails_are_as_one() -> None:
    one = said("it", "Anna", " il 2026-09-10")
    assert draft(one, one, one) == draft(one)


def test_words_that_two_names_share_by_chance_are_no_words_of_the_notice() -> None:
    some = [
        DE.format(name=f" für {name}", date="", id=order(n)) for n, name in enumerate(["A de B", "Ce de De", "X de Y"])
    ]
    assert draft(*some).wording == WORDINGS["de"]


def test_mails_of_two_languages_have_too_little_in_common() -> None:
    with pytest.raises(ConfigError, match="too few words in common: learn from notices of one language at a time"):
        draft(said("de", "Anna", ""), said("ja", "Anna", ""))


def test_a_sentence_of_few_words_cannot_be_learned() -> None:
    with pytest.raises(
        ConfigError, match=r"too few words beside the order id to know such a sentence by: 'Order \{order\}'"
    ):
        draft(f"Order {ORDER}.")


# What a mail brings.


def learned(raw: bytes) -> list[str]:
    return [one.paragraphs[-1] for one in learn.notices(read(raw))]


NOTICE = said("de", "Anna", "")
NOTE = f"Please look at order {order(1)}, which is of a buyer who has opted out, as I believe, some days ago."


def test_of_a_forward_the_notice_inside_is_learned() -> None:
    inner = "Content-Type: message/rfc822\n\n" + mail(NOTICE).decode()
    other = "Content-Type: message/rfc822\n\n" + mail(NOTICE.replace("Anna", "Berta")).decode()
    plain = "Content-Type: text/plain; charset=utf-8\n\n" + NOTE
    assert learned(mail(NOTICE)) == [NOTICE]
    assert learned(mail(forwarded(NOTICE).replace("Please look.", NOTE), From=STRANGER)) == [NOTICE]
    assert learned(multipart(plain, inner, From=STRANGER)) == [NOTICE]
    assert learned(multipart(plain, inner, other, From=STRANGER)) == [NOTICE, NOTICE.replace("Anna", "Berta")]
    assert learned(mail(f"{NOTE}\n\n> {NOTICE}", From=STRANGER)) == [NOTE]
    assert learned(mail(f"See below.\n\n> {NOTICE}", From=STRANGER)) == [NOTICE]
    assert learned(mail(f"{NOTICE}\n\n-----Original message-----\nFrom: {STRANGER}\n\n{NOTE}")) == [NOTICE]
    assert learned(mail("nothing", From=STRANGER)) == []


# The verb `rules learn`.


def written(shell: Shell, name: str, raw: bytes) -> str:
    (shell.folder / name).write_bytes(raw)
    return name


def german(number: int, name: str, date: str) -> bytes:
    """Write a German notice without the marker, as amazon.de might."""
    text = (
        f"Guten Tag,\n\nleider konnte die Nachricht, die Sie am {date} an {name} gesendet haben, zur Bestellung\n"
        f"[{order(number)}] nicht zugestellt werden, da der Käufer sich gegen unaufgeforderte Nachrichten entschieden "
        "hat.\n\nMit freundlichen Grüßen\nAmazon\n"
    )
    subject = "=?utf-8?q?Ihre_Nachricht_an_einen_K=C3=A4ufer_wurde_nicht_zugestellt?="
    fields = {"Content_Type": "text/plain; charset=utf-8", "Message_ID": f"<{number}@amazon.example>"}
    return mail(text, Subject=subject, Date="Tue, 10 Nov 2026 10:00:00 +0000", **fields)


def test_a_new_language_in_five_minutes(nosend: Shell, dovecot: Dovecot) -> None:
    """rules learn on one mail, edit, rules test, and sync lists the next buyer's; no code touched."""
    first = written(nosend, "first.eml", german(1, "Annegret von Lindenhof", "10.11.2026"))
    dovecot.fill("german", [german(2, "J. Okafor-Beyer", "2026-12-03")])
    (nosend.folder / "mine").mkdir()
    nosend.configure("german", dovecot.port)
    config = nosend.folder / "config.toml"
    config.write_text('packs = "mine"\n' + config.read_text())
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == []

    done = nosend("rules", "learn", first, "--name", "de-mine", "--output", "mine/de.toml")
    assert (done.stdout, done.stderr) == (
        "",
        "nosend: wrote mine/de.toml: edit it as it says, then run `nosend rules test mine/de.toml`\n",
    )
    pack = nosend.folder / "mine" / "de.toml"
    for personal in ("Annegret", "Lindenhof", "2026 an", order(1)):
        assert personal not in pack.read_text()
    told = nosend("rules", "test", "mine/de.toml").stderr
    assert told == (
        "nosend: de-mine.opt-out is unconfirmed: `nosend review` shows you such mails, none is listed\n"
        "nosend: 1 sample of 1 rule, 0 wrong\n"
    )
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == [], "it is not confirmed"

    text = pack.read_text().replace("confirmed = false", "confirmed = true")
    pack.write_text(text.replace('seen = ""', 'seen = "a notice of amazon.de, November 2026"'))
    assert nosend("rules", "test", "mine/de.toml").stderr == "nosend: 1 sample of 1 rule, 0 wrong\n"
    nosend("sync")
    assert nosend.rows("SELECT value FROM blacklist") == [(order(2),)]
    nosend("scan", first)
    assert nosend.rows("SELECT value FROM blacklist ORDER BY 1") == [(order(1),), (order(2),)]


SAMPLE_OF_GERMAN = (
    "leider konnte die Nachricht … gesendet haben, zur Bestellung [123-4567890-1234567] nicht zugestellt "
    "werden, da der Käufer sich gegen unaufgeforderte Nachrichten entschieden hat"
)


def test_a_draft_on_standard_output_is_toml_that_says_what_is_left_to_do(nosend: Shell) -> None:
    first = written(nosend, "first.eml", german(1, "Anna Lindenhof", "10.11.2026"))
    done = nosend("rules", "learn", first)
    assert done.stderr == ""
    assert tomllib.loads(done.stdout) == {
        "name": "mine",
        "version": 1,
        "failure_subjects": ["Ihre Nachricht an einen Käufer wurde nicht zugestellt"],
        "opt_out": [
            {
                "rule": "opt-out",
                "confirmed": False,
                "seen": "",
                "wording": "leider konnte die Nachricht{gap}gesendet haben, zur Bestellung [{order}] nicht "
                "zugestellt werden, da der Käufer sich gegen unaufgeforderte Nachrichten entschieden hat",
                "samples": [SAMPLE_OF_GERMAN],
            }
        ],
    }
    for step in ("# 1. ", "{gap}", "# 2. ", "confirmed = true", "# 3. nosend rules test", "# 4. "):
        assert step in done.stdout
    assert [path.name for path in nosend.folder.iterdir()] == ["first.eml"]


def test_mails_of_an_mbox_are_learned_together(nosend: Shell) -> None:
    separator = b"From sender@x Sat Mar  1 12:00:00 2025\n"
    mails = [mail(f"Viestiäsi {who} tilaukseen {order(n)} ei voitu toimittaa, koska ostaja ei halua.")
             for n, who in enumerate(("matille", "liisalle"))]  # fmt: skip
    box = written(nosend, "notices.mbox", b"\n\n".join(separator + raw for raw in mails))
    (one,) = tomllib.loads(nosend("rules", "learn", box).stdout)["opt_out"]
    assert one["wording"] == "Viestiäsi{gap}tilaukseen {order} ei voitu toimittaa, koska ostaja ei halua"


def test_every_mail_that_has_nothing_to_learn_is_named(nosend: Shell) -> None:
    written(nosend, "good.eml", notice(1))
    written(nosend, "no-id.eml", mail("The buyer wants no messages."))
    written(nosend, "two-ids.eml", mail(f"Orders {order(1)} and {order(2)} could not be delivered."))
    written(nosend, "empty.eml", b"")
    done = nosend("rules", "learn", ".", "-o", "draft.toml", code=2)
    assert done.stderr.splitlines() == [
        f"nosend: {name!r}: no sentence in it holds just one order id: nothing to learn"
        for name in ("empty.eml", "no-id.eml", "two-ids.eml")
    ]
    assert not (nosend.folder / "draft.toml").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere.eml",), "'nowhere.eml' does not exist"),
        (("Maildir",), "there is no mail in Maildir"),
        ((), "Missing argument 'MAIL...'"),
        (("first.eml", "--name", "De"), '--name \'De\' must be a word like "de" or "pt-br", in small letters'),
        (("first.eml", "--name", ""), "--name '' must be a word"),
        (("first.eml", "--name", "../de"), "--name '../de' must be a word"),
        (("first.eml", "--name", "d" * 41), "must be a word"),
        (("first.eml", "-o", "mine.toml"), "'mine.toml' exists already and stays as it is: name another file"),
        (("first.eml", "-o", "nowhere/x.toml"), "'nowhere/x.toml': its folder does not exist, make it first"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_written(nosend: Shell, words: tuple[str, ...], told: str) -> None:
    written(nosend, "first.eml", german(1, "Anna", "2026-11-10"))
    (nosend.folder / "mine.toml").write_text("mine")
    (nosend.folder / "Maildir" / "cur").mkdir(parents=True)
    before = sorted(nosend.folder.rglob("*"))
    done = nosend("rules", "learn", *words, code=2)
    assert (done.stdout, told in done.stderr) == ("", True), done.stderr
    assert (sorted(nosend.folder.rglob("*")), (nosend.folder / "mine.toml").read_text()) == (before, "mine")


def test_a_draft_that_cannot_be_written_whole_leaves_nothing(nosend: Shell) -> None:
    written(nosend, "first.eml", german(1, "Anna", "2026-11-10"))
    command = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); from nosend.cli import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", command, "rules", "learn", "first.eml", "-o", "draft.toml"],
        cwd=nosend.folder, env=nosend.env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (75, "nosend: 'draft.toml' cannot be written: File too large\n")
    assert not (nosend.folder / "draft.toml").exists()


def test_what_would_surprise_is_said(nosend: Shell) -> None:
    written(nosend, "first.eml", german(1, "Anna", "2026-11-10"))
    done = nosend("rules", "learn", "first.eml", "--name", "de")
    assert done.stderr == (
        "nosend: 'de' is the name of a pack of nosend's own: yours would go for all of it, its words of forwards as "
        'well; to add to it, name yours otherwise, like "de-mine"\n'
    )
    known = ROOT / "fixtures" / "wording" / "it-name-with-initial.eml"
    done = nosend("rules", "learn", known)
    assert done.stderr == "nosend: it.opt-out finds that sentence already: nothing is to be learned from it\n"


# The verbs `rules list` and `rules test`.


def test_list_is_a_line_a_rule_and_one_for_each_pack_without(nosend: Shell) -> None:
    lines = nosend("rules", "list").stdout.splitlines()
    own = rules.builtin().packs
    named = [one.rule for pack in own for one in pack.wordings or ()]
    assert [line.split()[0] for line in lines] == [
        name for pack in own for name in ([one.rule for one in pack.wordings] or [pack.name])
    ]
    assert len(lines) == len(named) + 1
    told = {line.split()[0]: " ".join(line.split()) for line in lines}
    assert told["it.opt-out"] == "it.opt-out 2 confirmed 1 sample built in: a real notice of amazon.it, September 2026"
    assert told["en.opt-out"].startswith("en.opt-out 2 confirmed 2 samples built in: 2017: viral-launch.com")
    assert told["ar.opt-out"] == "ar.opt-out 2 unconfirmed 1 sample built in: nowhere: our own translation"
    assert told["es-mx"] == "es-mx 2 no rule 0 samples built in"


def test_test_without_a_word_tests_all_and_a_name_one(nosend: Shell) -> None:
    own = rules.builtin().packs
    counts = sum(len(one.samples) for pack in own for one in pack.wordings), sum(len(pack.wordings) for pack in own)
    assert nosend("rules", "test").stderr == f"nosend: {counts[0]} samples of {counts[1]} rules, 0 wrong\n"
    assert nosend("rules", "test", "en").stderr == "nosend: 5 samples of 4 rules, 0 wrong\n"
    assert nosend("rules", "test", "es-mx").stderr == "nosend: 0 samples of 0 rules, 0 wrong\n"
    done = nosend("rules", "test", "eng", code=2)
    names = ", ".join(pack.name for pack in own)
    assert done.stderr == (
        f"nosend: 'eng' is neither a mail nor a .toml file that exists, nor one of the packs {names}\n"
    )
    assert "nowhere.toml: cannot be read: No such file" in nosend("rules", "test", "nowhere.toml", code=2).stderr


SAMPLE = f"Leider wurde die Nachricht zur Bestellung {ORDER} nicht zugestellt, da der Käufer keine Nachrichten möchte."
GUESSED = SAMPLE.replace("keine Nachrichten", "keine nicht wichtigen Nachrichten von Verkäufern")


def pack_of(words: str, *samples: str, name: str = "mine", confirmed: bool = True, kind: str = "opt_out") -> str:
    return (
        f'name = "{name}"\nversion = 1\n[[{kind}]]\nrule = "rule"\nseen = "here"\n'
        f"confirmed = {str(confirmed).lower()}\nwording = '{words}'\nsamples = {list(samples)!r}\n"
    )


FITS = "wurde die Nachricht zur Bestellung {order} nicht zugestellt"
PARTED = SAMPLE.replace(", da", ". Da")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (pack_of(FITS, SAMPLE), []),
        (pack_of("zur Bestellung {order} nicht angekommen", SAMPLE), [f"{SAMPLE!r} is not found by its own rule"]),
        (pack_of("wurde die Nachricht zur Bestellung {order}{gap}möchte", PARTED),
         [f"{PARTED!r} is found over the end of a sentence only: such a mail is never listed, write one sentence"]),
        (pack_of("wurde die Nachricht zur Bestellung {order}{gap}möchte", PARTED, kind="other"), []),
        (pack_of(FITS, GUESSED), []),
        (pack_of(FITS, GUESSED, confirmed=False), []),
        (pack_of(FITS, GUESSED, kind="other"), [f"{GUESSED!r} is found by de.opt-out too"]),
    ],
    ids=["good", "not found", "two sentences", "two of another cause", "guess", "both guesses", "other cause"],
)  # fmt: skip
def test_a_pack_is_tested_before_it_is_used(nosend: Shell, text: str, told: list[str]) -> None:
    """Where nosend itself only guesses, a user's opt-out may find what the guess finds; another cause may not."""
    written(nosend, "mine.toml", text.encode())
    done = nosend("rules", "test", "mine.toml", code=2 if told else 0)
    assert done.stdout.splitlines() == [f"mine.rule: {line}" for line in told]
    assert done.stderr.endswith(f"nosend: 1 sample of 1 rule, {len(told)} wrong\n")


def test_a_pack_that_takes_what_is_anothers_is_wrong(nosend: Shell) -> None:
    taken = [
        (one.rule, sample)
        for pack in rules.builtin().packs
        for one in pack.wordings
        for sample in one.samples
        if "for order" in sample
    ]
    assert [rule for rule, _ in taken] == ["en.opt-out", "en.opt-out", "en.closed-thread"]
    sentence = f"We could not deliver it for order {ORDER} because the buyer said so."
    written(nosend, "mine.toml", pack_of("for order {order} because the", sentence).encode())
    done = nosend("rules", "test", "mine.toml", code=2)
    assert done.stdout.splitlines() == [f"{rule}: {sample!r} is found by mine.rule too" for rule, sample in taken]


def test_two_rules_of_one_pack_that_find_one_sample_are_wrong(nosend: Shell) -> None:
    second = (
        pack_of("Bestellung {order} nicht zugestellt", SAMPLE).partition("version = 1\n")[2].replace('"rule"', '"two"')
    )
    written(nosend, "mine.toml", (pack_of("zur Bestellung {order} nicht", SAMPLE) + second).encode())
    assert nosend("rules", "test", "mine.toml", code=2).stdout.splitlines() == [
        f"mine.rule: {SAMPLE!r} is found by mine.two too",
        f"mine.two: {SAMPLE!r} is found by mine.rule too",
    ]


def test_a_broken_pack_is_refused_by_test_with_its_lines(nosend: Shell) -> None:
    written(nosend, "mine.toml", pack_of("zur Bestellung {name}", SAMPLE, name="M").encode())
    assert nosend("rules", "test", "mine.toml", code=2).stderr.splitlines() == [
        'nosend: mine.toml:1: name = \'M\' must be a word like "de" or "pt-br", in small letters',
        "nosend: mine.toml:7: wording: '{name}' is no place: there are {order} and {gap}",
    ]


def test_of_a_mail_it_is_told_which_rules_find_a_sentence_in_it(nosend: Shell) -> None:
    (nosend.folder / "mine").mkdir()
    written(nosend, "mine/mine.toml", pack_of("zur Bestellung {order} nicht zugestellt", SAMPLE).encode())
    (nosend.folder / "config.toml").write_text('packs = "mine"\n')
    written(nosend, "1.eml", mail(GUESSED, Content_Type="text/plain; charset=utf-8"))
    assert nosend("rules", "test", "1.eml").stdout.splitlines() == [
        "1.eml",
        f"  mine.rule 1: {GUESSED}",
        f"  de.opt-out 2 (unconfirmed): {GUESSED}",
        "  a delivery failure by its subject: Your message to a buyer could not be delivered",
    ]
    written(nosend, "2.eml", mail("Hello", Subject="Hello"))
    assert nosend("rules", "test", "2.eml").stdout.splitlines() == ["2.eml", "  no rule finds a sentence in it"]
    written(
        nosend, "3.eml", mail(forwarded(GUESSED), From=STRANGER, Subject="Hi", Content_Type="text/plain; charset=utf-8")
    )
    assert nosend("rules", "test", "3.eml").stdout.splitlines()[1:] == [
        f"  mine.rule 1: {GUESSED}",
        f"  de.opt-out 2 (unconfirmed): {GUESSED}",
    ]
