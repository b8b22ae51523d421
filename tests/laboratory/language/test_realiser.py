import re
from itertools import pairwise

import pytest
from latin import transliterate

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.generator import get_realiser
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.language.gloss import SENTENCES, gloss
from stilts_core.laboratory.world.events import draw_event, draw_quantified_event, draw_question, draw_state
from stilts_core.laboratory.world.meanings import Adjunct, Clause, Joined, Name, Noun, Pronoun, Question, outline
from stilts_core.laboratory.world.texts import draw_text
from stilts_core.tasks.catalogue import UPOS

CONTENT = ("NOUN", "PROPN", "ADJ", "NUM")


@pytest.fixture(params=LANGUAGES)
def realiser(request):
    return get_realiser(request.param)


def texts(count):
    return [draw_text(Dice("realiser", number)) for number in range(count)]


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
def test_english_sentences_are_grammatical(english, meaning):
    assert get_realiser("en").text(meaning) == english


def test_word_order_follows_the_grammar(realiser):
    """The test uses the glosses only."""
    event = Clause("see", Noun("farmer"), Noun("horse", "two", ("old",), True), None, Adjunct("in", Noun("garden")))
    glosses = [token.gloss for token in realiser.tokens(event)]
    stems = [re.sub(r"(?:^|-)(?:[A-Z3.]+)(?=-)", "", gloss).strip("-").split("-")[0] for gloss in glosses]
    position = {word: stems.index(word) for word in ("farmer", "horse", "see", "old", "two", "in", "garden")}
    letters = {"S": position["farmer"], "V": position["see"], "O": position["horse"]}
    grammar = realiser.grammar
    assert "".join(sorted(letters, key=letters.get)) == grammar.order
    for word, head, value in (("old", "horse", grammar.adjective), ("two", "horse", grammar.numeral)):
        assert (position[word] < position[head]) == (value == "before")
    assert (position["in"] < position["garden"]) == (grammar.adposition == "before")
    assert (position["garden"] < min(letters.values())) == (grammar.adjuncts == "first")


def test_marking_follows_the_grammar(realiser):
    """The event has a plural subject, a plural definite object and a negated verb, so every mark can occur."""
    event = Clause("see", Noun("farmer", "the", (), True), Noun("horse", "the", (), True), negated=True)
    tokens = realiser.tokens(event)
    grammar, glosses = realiser.grammar, " ".join(token.gloss for token in tokens)
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


def test_morphemes_spell_the_word(realiser):
    for text in texts(100):
        for sentence in text:
            for token in realiser.tokens(sentence):
                spelling = realiser.script.write(token.morphemes.replace("-", "").lower())
                latin = transliterate(realiser.script, token.form).lower()
                assert realiser.script.write(latin) == spelling or token.upos == "PROPN"
                assert token.morphemes.count("-") == token.gloss.count("-") or realiser.language.code == "en"


def test_translations_have_the_same_content_words(realiser):
    english = get_realiser("en")

    def content(tokens):
        stems = (re.sub(r"(^|-)[A-Z3.]+(?=-|$)", "", t.gloss).strip("-") for t in tokens if t.upos in CONTENT)
        return sorted(stems)

    for text in texts(200):
        for sentence in text:
            assert content(realiser.tokens(sentence)) == content(english.tokens(sentence))


def test_pos_tags_are_universal_and_entities_are_valid_iob2(realiser):
    for text in texts(300):
        for sentence in text:
            tokens = realiser.tokens(sentence)
            assert {token.upos for token in tokens} <= set(UPOS)
            for before, token in pairwise([None, *tokens]):
                if token.entity.startswith("I-"):
                    assert before.entity[2:] == token.entity[2:]


def test_no_two_meanings_have_the_same_english_sentence():
    """Except in number, which "sheep" does not show."""
    english, outlines = get_realiser("en"), {}
    for number in range(5000):
        event = draw_event(Dice("alike", number))
        assert outlines.setdefault(english.text(event), outline(event)) == outline(event)


def test_span_returns_a_substring_of_its_own_sentence(realiser):
    count = 0
    for number in range(100):
        events = tuple(draw_event(Dice("spans", number, i)) for i in range(3))
        text = realiser.text(*events)
        for index, event in enumerate(events):
            for role in ("agent", "patient", "recipient", "place", "time"):
                if getattr(event, role) is not None:
                    start, answer = realiser.span(events, index, role)
                    assert answer and text[start : start + len(answer)] == answer
                    before = realiser.text(*events[:index])
                    assert len(before) <= start < len(realiser.text(*events[: index + 1]))
                    count += 1
    assert count > 500


def test_dropped_pronoun_has_no_token():
    meaning = Clause("sleep", Pronoun("she"))
    lengths = {code: len(get_realiser(code).tokens(meaning)) for code in LANGUAGES}
    dropped = {code for code, language in LANGUAGES.items() if language.grammar.pronoun == "dropped"}
    particles = {code: language.grammar.tense == "particle" for code, language in LANGUAGES.items()}
    assert {code for code, n in lengths.items() if n - particles[code] == 2} == dropped


def test_every_word_has_morphemes_and_a_gloss(realiser):
    for sentence in SENTENCES:
        glossed = gloss(realiser, sentence)
        assert len(glossed.words) == len(glossed.morphemes) == len(glossed.glosses)
        assert glossed.translation == get_realiser("en").text(sentence)


def test_english_supertags_derive_a_sentence():
    """A chart parser with application and forward composition, independent of the realiser, parses the supertags."""
    english = get_realiser("en")
    for number in range(400):
        dice = Dice("supertags", number)
        sentence = dice.pick((draw_event, draw_state, draw_quantified_event, draw_question))(dice)
        if sentence.recipient and sentence.asked_role:
            continue  # the question word leaves a gap before the recipient, or stands after "to"
        categories = [token.category for token in english.tokens(sentence)[:-1]]
        assert "S" in parse(categories), english.text(sentence)


def parse(categories):
    """Return all categories that a chart parser derives for the whole sequence."""
    chart = {(i, i + 1): {nested(category)} for i, category in enumerate(categories)}
    for width in range(2, len(categories) + 1):
        for start in range(len(categories) - width + 1):
            end = start + width
            chart[start, end] = {
                result
                for middle in range(start + 1, end)
                for left in chart[start, middle]
                for right in chart[middle, end]
                for result in combine(left, right)
            }
    return chart[0, len(categories)]


def combine(left, right):
    """Yield the results of forward and backward application and of forward composition."""
    if isinstance(left, tuple) and left[1] == "/":
        if left[2] == right:
            yield left[0]
        if isinstance(right, tuple) and right[1] == "/" and left[2] == right[0]:
            yield (left[0], "/", right[2])
    if isinstance(right, tuple) and right[1] == "\\" and right[2] == left:
        yield right[0]


def nested(category):
    """Return a category as nested tuples (result, slash, argument): "(S\\NP)/NP" as (("S", "\\", "NP"), "/", "NP")."""
    depth = 0
    for i in range(len(category) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(category[i], 0)
        if depth == 0 and category[i] in "/\\":
            return nested(category[:i]), category[i], nested(category[i + 1 :])
    return nested(category[1:-1]) if category.startswith("(") else category
