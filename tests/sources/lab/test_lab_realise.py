import re
from itertools import pairwise

import pytest

from stilts_core.catalogue import UPOS
from stilts_core.sources.lab import realiser, worlds
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.gloss import SENTENCES, gloss
from stilts_core.sources.lab.languages import LANGUAGES
from stilts_core.sources.lab.meanings import Adjunct, Clause, Joined, Name, Noun, Pronoun, Question, outline

CONTENT = ("NOUN", "PROPN", "ADJ", "NUM")


@pytest.fixture(params=LANGUAGES)
def said(request):
    return realiser(request.param)


def texts(count):
    return [worlds.text(Dice("realiser", number)) for number in range(count)]


@pytest.mark.parametrize(
    ("english", "meaning"),
    [
        ("A farmer saw the old horses.", Clause("see", Noun("farmer", "a"), Noun("horse", "the", ("old",), True))),
        ("The thief stole an old coin.", Clause("steal", Noun("thief"), Noun("coin", "a", ("old",)))),
        ("Anna did not sleep.", Clause("sleep", Name(("Anna",), "PER"), negated=True)),
        ("They were not happy.", Clause("be", Pronoun("they"), state="happy", negated=True)),
        ("Whom did she see?", Clause("see", Pronoun("she"), Question("who"))),
        ("Who saw her?", Clause("see", Question("who"), Pronoun("she"))),
        ("To whom did he give it?", Clause("give", Pronoun("he"), Pronoun("it"), Question("who"))),
        ("Why were they sad?", Clause("be", Pronoun("they"), state="sad", time=Question("why"))),
        ("Where do men work?", Clause("work", Noun("man", "", (), True), place=Question("where"), general=True)),
        ("Mice are pets.", Clause("be", Noun("mouse", "", (), True), state=Noun("pet", "", (), True), general=True)),
        ("Not every thief ran.", Clause("run", Noun("thief", "not every"))),
        ("Keld Bank bought the house.", Clause("buy", Name(("Keld",), "ORG", "bank"), Noun("house"))),
        (
            "On Monday two men ran.",
            Clause("run", Noun("man", "two", (), True), time=Adjunct("on", "Monday"), moved="time"),
        ),
        (
            "Otto cried because he was ill.",
            Joined(Clause("cry", Name(("Otto",), "PER")), "because", Clause("be", Pronoun("he"), state="ill")),
        ),
    ],
)  # fmt: skip
def test_english_is_as_a_reader_expects_it(english, meaning):
    assert realiser("en").text(meaning) == english


def test_order_of_words_is_the_grammars(said):
    """Read from the glosses alone."""
    told = Clause("see", Noun("farmer"), Noun("horse", "two", ("old",), True), None, Adjunct("in", Noun("garden")))
    stems = [re.split(r"-", re.sub(r"(?:^|-)(?:[A-Z3.]+)(?=-)", "", t.gloss).strip("-"))[0] for t in said.tokens(told)]
    place = {word: stems.index(word) for word in ("farmer", "horse", "see", "old", "two", "in", "garden")}
    letters = {"S": place["farmer"], "V": place["see"], "O": place["horse"]}
    grammar = said.grammar
    assert "".join(sorted(letters, key=letters.get)) == grammar.order
    for word, head, value in (("old", "horse", grammar.adjective), ("two", "horse", grammar.numeral)):
        assert (place[word] < place[head]) == (value == "before")
    assert (place["in"] < place["garden"]) == (grammar.adposition == "before")
    assert (place["garden"] < min(letters.values())) == (grammar.adjuncts == "first")


def test_marks_are_those_of_the_grammar(said):
    """A plural object of a negated verb with a plural subject shows every affix and particle that there is."""
    told = Clause("see", Noun("farmer", "the", (), True), Noun("horse", "the", (), True), negated=True)
    tokens = said.tokens(told)
    grammar, glosses = said.grammar, " ".join(token.gloss for token in tokens)
    marks = {
        "PL": grammar.number,
        "PST": grammar.tense,
        "ACC": grammar.case,
        "DEF": grammar.article,
        "3PL": grammar.agreement,
    }
    for mark, value in marks.items():
        as_affix = bool(re.search(rf"[-.]{mark}\b|\b{mark}[-.]", glosses))
        as_particle = any(token.gloss == mark for token in tokens)
        assert (as_affix, as_particle) == (value in ("affix", "suffix"), value == "particle"), mark
    assert bool(re.search(r"NEG", glosses)) == (grammar.negation == "affix")
    assert ("not" in glosses.split()) == (grammar.negation != "affix")


def test_morphemes_are_the_word(said):
    for text in texts(100):
        for sentence in text:
            for token in said.tokens(sentence):
                spelt = said.script.write(token.morphemes.replace("-", "").lower())
                read = said.script.read(token.form).lower()
                assert said.script.write(read) == spelt or token.upos == "PROPN"
                assert token.morphemes.count("-") == token.gloss.count("-") or said.language.code == "en"


def test_every_language_says_the_same_things(said):
    """The content words of a translation are those of the English sentence."""
    english = realiser("en")

    def content(tokens):
        stems = (re.sub(r"(^|-)[A-Z3.]+(?=-|$)", "", t.gloss).strip("-") for t in tokens if t.upos in CONTENT)
        return sorted(stems)

    for text in texts(200):
        for sentence in text:
            assert content(said.tokens(sentence)) == content(english.tokens(sentence))


def test_tags_are_universal_and_entities_well_formed(said):
    for text in texts(300):
        for sentence in text:
            tokens = said.tokens(sentence)
            assert {token.upos for token in tokens} <= set(UPOS)
            for before, token in pairwise([None, *tokens]):
                if token.entity.startswith("I-"):
                    assert before.entity[2:] == token.entity[2:]


def test_two_meanings_are_never_said_alike_in_english():
    """But for number, which two sheep do not show."""
    english, found = realiser("en"), {}
    for number in range(5000):
        event = worlds.event(Dice("alike", number))
        assert found.setdefault(english.text(event), outline(event)) == outline(event)


def test_spans_are_where_they_say(said):
    found = 0
    for number in range(100):
        told = tuple(worlds.event(Dice("spans", number, i)) for i in range(3))
        text = said.text(*told)
        for index, event in enumerate(told):
            for role in ("agent", "patient", "recipient", "place", "time"):
                if getattr(event, role) is not None:
                    start, answer = said.span(told, index, role)
                    assert answer and text[start : start + len(answer)] == answer
                    before = said.text(*told[:index])
                    assert len(before) <= start < len(said.text(*told[: index + 1]))
                    found += 1
    assert found > 500


def test_a_dropped_pronoun_is_not_said():
    meaning = Clause("sleep", Pronoun("she"))
    kept = {said: len(realiser(said).tokens(meaning)) for said in LANGUAGES}
    dropped = {code for code, language in LANGUAGES.items() if language.grammar.pronoun == "dropped"}
    particles = {code: language.grammar.tense == "particle" for code, language in LANGUAGES.items()}
    assert {code for code, n in kept.items() if n - particles[code] == 2} == dropped


def test_glosses_have_a_column_for_every_word(said):
    for sentence in SENTENCES:
        glossed = gloss(said, sentence)
        assert len(glossed.words) == len(glossed.morphemes) == len(glossed.glosses)
        assert glossed.translation == realiser("en").text(sentence)


def test_english_supertags_derive_a_sentence():
    """A chart parser with application and forward composition, which knows nothing of the realiser."""
    english = realiser("en")
    for number in range(400):
        told = Dice("supertags", number)
        sentence = told.pick((worlds.event, worlds.state, worlds.quantified, worlds.question))(told)
        if sentence.recipient and sentence.asked:
            continue  # what is asked for leaves a gap before the recipient, or stands after "to"
        categories = [token.category for token in english.tokens(sentence)[:-1]]
        assert "S" in derived(categories), english.text(sentence)


def derived(categories):
    """All categories that a chart finds for the whole sequence."""
    chart = {(i, i + 1): {parsed(category)} for i, category in enumerate(categories)}
    for width in range(2, len(categories) + 1):
        for start in range(len(categories) - width + 1):
            end = start + width
            chart[start, end] = {
                result
                for middle in range(start + 1, end)
                for left in chart[start, middle]
                for right in chart[middle, end]
                for result in combined(left, right)
            }
    return chart[0, len(categories)]


def combined(left, right):
    """Forward and backward application, forward composition."""
    if isinstance(left, tuple) and left[1] == "/":
        if left[2] == right:
            yield left[0]
        if isinstance(right, tuple) and right[1] == "/" and left[2] == right[0]:
            yield (left[0], "/", right[2])
    if isinstance(right, tuple) and right[1] == "\\" and right[2] == left:
        yield right[0]


def parsed(category):
    """A category as nested tuples (result, slash, argument): "(S\\NP)/NP" as (("S", "\\", "NP"), "/", "NP")."""
    depth = 0
    for i in range(len(category) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(category[i], 0)
        if depth == 0 and category[i] in "/\\":
            return parsed(category[:i]), category[i], parsed(category[i + 1 :])
    return parsed(category[1:-1]) if category.startswith("(") else category
