"""The words of a language: English words by English morphology, words of other languages invented or cognate."""

from collections.abc import Iterator
from itertools import count, product
from typing import NamedTuple

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.grammar import Grammar
from stilts_core.laboratory.language.scripts import Script
from stilts_core.laboratory.world import lexicon


class Word(NamedTuple):
    """An inflected word: its spelling, its morphemes in Latin letters ("kitab-lar-i"), their gloss ("book-PL-ACC")."""

    form: str
    morphemes: str
    gloss: str


CONSONANTS = "bcdfghjklmnpqrstvwxz"  # y is a vowel in the laboratory


class Sounds(NamedTuple):
    """The sounds of syllables. A syllable has an onset, a vowel and a coda, each from a list ("" for none)."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]

    def draw_word(self, dice: Dice, syllables: int) -> str:
        """Draw a word of so many syllables."""
        return "".join(dice.pick(sounds) for _ in range(syllables) for sounds in self)

    def exchange_consonants(self, dice: Dice) -> "Sounds":
        """Return other sounds with syllables of the same shapes: every consonant becomes another one."""
        others = str.maketrans(CONSONANTS, "".join(dice.sample(CONSONANTS, len(CONSONANTS))))
        return Sounds(*(tuple(sound.translate(others) for sound in sounds) for sounds in self))


FUNCTION_WORDS = {
    "det": ("the", "a", "some", "no", "every", "which"),
    "adposition": ("in", "on", "at", "near", "to", "of"),
    "particle": ("not", "PL", "ACC", "DAT", "PST", "Q"),
    "conjunction": ("and", "but", "because"),
    "pronoun": ("he", "she", "it", "they", "who", "what", "where", "when", "why", "then"),
    "aux": ("do",),
}


def vocabulary() -> Iterator[tuple[str, str]]:
    """Yield every lexeme except names as (kind, English word); function words come first because they are shortest."""
    for kind, words in FUNCTION_WORDS.items():
        yield from ((kind, word) for word in words)
    yield from (("verb", word) for word in ("be", *lexicon.VERBS))
    yield from (("noun", word) for word in lexicon.NOUNS.parent)
    adjectives = list(dict.fromkeys(word for words in lexicon.ADJECTIVES.values() for word in words))
    adjectives += [word for word, main in lexicon.SYNONYMS.items() if main in adjectives]
    yield from (("adjective", word) for word in adjectives)
    for kind in ("adverbs", "numbers", "days"):
        yield from ((kind, word) for word in lexicon.WORD_LISTS[kind])


_CASES = {"he": "him", "she": "her", "they": "them", "who": "whom"}
_BE = {(True, False): "was", (True, True): "were", (False, False): "is", (False, True): "are"}  # (past, plural)


class EnglishWords:
    """The words of English, inflected for number, tense and, in pronouns, case."""

    def plain(self, kind: str, word: str, case: str = "") -> Word:
        """Return a word that is not inflected; only pronouns have a case."""
        form = _CASES.get(word, word) if kind == "pronoun" and case else word
        return Word(form, form, word)

    def noun(self, word: str, plural: bool, case: str, definite: bool) -> Word:
        form = _plural(word) if plural else word
        return Word(form, form, f"{word}-PL" if plural else word)

    def verb(self, word: str, past: bool, plural: bool, negated: bool) -> Word:
        form = _BE[past, plural] if word == "be" else _past(word) if past else word
        return Word(form, form, f"{word}-PST" if past else word)


def _plural(noun: str) -> str:
    if noun in lexicon.IRREGULAR_PLURALS:
        return lexicon.IRREGULAR_PLURALS[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def _past(verb: str) -> str:
    if verb == "do":
        return "did"
    if lexicon.VERBS[verb].past:
        return lexicon.VERBS[verb].past
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{verb}d" if verb.endswith("e") else f"{verb}ed"


class InventedWords:
    """The words of an invented language.

    `cognates` percent of the words are shared with English. They keep their Latin letters in every script, as many
    loanwords do. All other words consist of the language's sounds. No two words have the same spelling, not even in an
    abjad. The `key` decides the random choices.
    """

    def __init__(self, key: str, grammar: Grammar, script: Script, sounds: Sounds, cognates: int) -> None:
        self._grammar, self._script = grammar, script
        self._stems = _invent_stems(key, script, sounds, cognates)
        self._affixes = _invent_affixes(key, grammar.exponence, script, sounds)
        self._inflections: dict[tuple[str, ...], Word] = {}

    def stem(self, kind: str, word: str) -> str:
        """Return the stem of a word in Latin letters; a name is the same in all languages."""
        return word if kind == "name" else self._stems[kind, word]

    def plain(self, kind: str, word: str, case: str = "") -> Word:
        """Return a word that has no inflection but case."""
        marks = [case] if case and self._grammar.case == "affix" else []
        inflected = self._inflect(word, self.stem(kind, word), marks)
        return inflected._replace(form=self._script.capitalise(inflected.form)) if kind == "days" else inflected

    def noun(self, word: str, plural: bool, case: str, definite: bool) -> Word:
        marks = ["PL"] if plural and self._grammar.number == "affix" else []
        marks += ["DEF"] if definite and self._grammar.article == "suffix" else []
        marks += [case] if case and self._grammar.case == "affix" else []
        return self._inflect(word, self.stem("noun", word), marks)

    def verb(self, word: str, past: bool, plural: bool, negated: bool) -> Word:
        marks = ["NEG"] if negated and self._grammar.negation == "affix" else []
        marks += ["PST"] if past and self._grammar.tense == "affix" else []
        marks += ["3PL"] if plural and self._grammar.agreement == "affix" else []
        return self._inflect(word, self.stem("aux" if word == "do" else "verb", word), marks)

    def _inflect(self, word: str, stem: str, marks: list[str]) -> Word:
        key = (stem, word, *marks)
        if key not in self._inflections:
            marks = [".".join(marks)] if marks and self._grammar.exponence == "fused" else marks
            segments = [(stem, word), *((self._affixes[mark], mark) for mark in marks)]
            if self._grammar.affixes == "before":
                segments.reverse()
            morphemes, gloss = ("-".join(side) for side in zip(*segments, strict=True))
            self._inflections[key] = Word(self._spell(segments), morphemes, gloss)
        return self._inflections[key]

    def _spell(self, segments: list[tuple[str, str]]) -> str:
        """Spell (morpheme, meaning) pairs in the language's script; names and cognate stems keep Latin letters."""
        if any(morpheme == meaning for morpheme, meaning in segments):
            return "".join(m if m == meaning else self._script.write(m) for m, meaning in segments)
        return self._script.write("".join(morpheme for morpheme, _ in segments))


Words = EnglishWords | InventedWords


def _invent_stems(key: str, script: Script, sounds: Sounds, cognates: int) -> dict[tuple[str, str], str]:
    stems: dict[tuple[str, str], str] = {}
    spellings: set[str] = set()
    for kind, word in vocabulary():
        dice = Dice("word", key, kind, word)
        if not word.isupper() and dice.chance(cognates) and script.write(word) not in spellings:
            stem = word
        else:
            syllables = 1 if kind in FUNCTION_WORDS else dice.pick((1, 2, 2, 2, 3))
            stem = _invent_word(dice, script, sounds, syllables, spellings)
        spellings.add(script.write(stem))
        stems[kind, word] = stem
    return stems


def _invent_affixes(key: str, exponence: str, script: Script, sounds: Sounds) -> dict[str, str]:
    affixes: dict[str, str] = {}
    spellings: set[str] = set()  # of affixes only: an affix may sound like a word
    for meaning in _affix_meanings(exponence):
        affixes[meaning] = _invent_word(Dice("affix", key, meaning), script, sounds, 1, spellings)
        spellings.add(script.write(affixes[meaning]))
    return affixes


def _invent_word(dice: Dice, script: Script, sounds: Sounds, syllables: int, spellings: set[str]) -> str:
    """Draw words until the spelling of one is new; every 20 attempts they become one syllable longer."""
    for attempt in count():
        word = sounds.draw_word(dice, syllables + attempt // 20)
        if script.write(word) not in spellings:
            break
    return word


def _affix_meanings(exponence: str) -> list[str]:
    """List the meanings that have an affix: single ones or, with fused exponence, combinations of them."""
    if exponence == "separate":
        return ["PL", "DEF", "ACC", "DAT", "NEG", "PST", "3PL"]
    nouns = product(("", "PL"), ("", "DEF"), ("", "ACC", "DAT"))
    verbs = product(("", "NEG"), ("", "PST"), ("", "3PL"))
    return [".".join(filter(None, marks)) for marks in (*nouns, *verbs) if any(marks)]
