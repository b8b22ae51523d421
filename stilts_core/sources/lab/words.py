"""The words of a language: English ones by its own morphology, those of other languages invented or cognate."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from stilts_core.sources.lab import lexicon
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.grammar import Grammar
from stilts_core.sources.lab.scripts import Script


class Word(NamedTuple):
    """A word as it is written, its morphemes in Latin letters ("kitab-lar-i"), and their gloss ("book-PL-ACC")."""

    form: str
    morphemes: str
    gloss: str


class Sounds(NamedTuple):
    """What syllables are made of: an onset, a vowel and a coda, each chosen from a list ("" for none)."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]

    def word(self, dice: Dice, syllables: int) -> str:
        return "".join(dice.pick(part) for _ in range(syllables) for part in self)


FUNCTION_WORDS = {
    "det": ("the", "a", "some", "no", "every", "which"),
    "adposition": ("in", "on", "at", "near", "to", "of"),
    "particle": ("not", "PL", "ACC", "DAT", "PST", "Q"),
    "conjunction": ("and", "but", "because"),
    "pronoun": ("he", "she", "it", "they", "who", "what", "where", "when", "why", "then"),
    "aux": ("do",),
}


def vocabulary() -> Iterator[tuple[str, str]]:
    """Every lexeme as (kind, English word), names left out: function words first, as they are the shortest."""
    for kind, words in FUNCTION_WORDS.items():
        yield from ((kind, word) for word in words)
    yield from (("verb", word) for word in ("be", *lexicon.VERBS))
    yield from (("noun", word) for word in lexicon.NOUNS.above)
    said = dict.fromkeys(word for words in lexicon.ADJECTIVES.values() for word in words)
    yield from (("adjective", word) for word in (*said, *(w for w, main in lexicon.SYNONYMS.items() if main in said)))
    for kind in ("adverbs", "numbers", "days"):
        yield from ((kind, word) for word in lexicon.LISTS[kind])


_CASES = {"he": "him", "she": "her", "they": "them", "who": "whom"}
_BE = {(True, False): "was", (True, True): "were", (False, False): "is", (False, True): "are"}  # (past, plural)


class EnglishWords:
    """English morphology: plurals, pasts, whom and him."""

    def plain(self, kind: str, word: str, case: str = "") -> Word:
        """A word without inflection but for the case of pronouns; the case of names is not marked."""
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

    Words are shared with English in `cognates` percent of cases, and written as there in every script, as
    loanwords often are; all others follow the language's sounds. No two words are written alike, not even in an abjad.
    """

    def __init__(self, code: str, grammar: Grammar, script: Script, sounds: Sounds, cognates: int):
        self._grammar, self._script = grammar, script
        taken: set[str] = set()

        def new(proposals: Iterator[str]) -> str:
            word = next(word for word in proposals if script.write(word) not in taken)
            taken.add(script.write(word))
            return word

        def invented(dice: Dice, syllables: int) -> Iterator[str]:
            for tried in range(10_000):
                yield sounds.word(dice, syllables + tried // 20)

        self._stems: dict[tuple[str, str], str] = {}
        for kind, word in vocabulary():
            dice = Dice("word", code, kind, word)
            if not word.isupper() and dice.chance(cognates) and script.write(word) not in taken:
                self._stems[kind, word] = new(iter([word]))
            else:
                syllables = 1 if kind in FUNCTION_WORDS else dice.pick((1, 2, 2, 2, 3))
                self._stems[kind, word] = new(invented(dice, syllables))
        self._inflections: dict[tuple, Word] = {}
        taken.clear()  # an affix may sound like a word
        self._affixes = {key: new(invented(Dice("affix", code, key), 1)) for key in _affix_keys(grammar.exponence)}

    def stem(self, kind: str, word: str) -> str:
        """What a word is inflected from, in Latin letters; a name is the same in all languages."""
        return word if kind == "name" else self._stems[kind, word]

    def plain(self, kind: str, word: str, case: str = "") -> Word:
        """A word without inflection but for its case."""
        marks = [case] if case and self._grammar.case == "affix" else []
        inflected = self._inflected(word, self.stem(kind, word), marks)
        return inflected._replace(form=self._script.capital(inflected.form)) if kind == "days" else inflected

    def noun(self, word: str, plural: bool, case: str, definite: bool) -> Word:
        marks = ["PL"] if plural and self._grammar.number == "affix" else []
        marks += ["DEF"] if definite and self._grammar.article == "suffix" else []
        marks += [case] if case and self._grammar.case == "affix" else []
        return self._inflected(word, self.stem("noun", word), marks)

    def verb(self, word: str, past: bool, plural: bool, negated: bool) -> Word:
        marks = ["NEG"] if negated and self._grammar.negation == "affix" else []
        marks += ["PST"] if past and self._grammar.tense == "affix" else []
        marks += ["3PL"] if plural and self._grammar.agreement == "affix" else []
        return self._inflected(word, self.stem("aux" if word == "do" else "verb", word), marks)

    def _inflected(self, word: str, stem: str, marks: list[str]) -> Word:
        key = (stem, word, *marks)
        if key not in self._inflections:
            marks = [".".join(marks)] if marks and self._grammar.exponence == "fused" else marks
            parts = [(stem, word), *((self._affixes[mark], mark) for mark in marks)]
            if self._grammar.affixes == "before":
                parts.reverse()
            morphemes, gloss = ("-".join(side) for side in zip(*parts, strict=True))
            self._inflections[key] = Word(self._spelt(parts), morphemes, gloss)
        return self._inflections[key]

    def _spelt(self, parts: list[tuple[str, str]]) -> str:
        """The word in the language's script; a name, or a stem shared with English, keeps its Latin letters."""
        if any(morpheme == meaning for morpheme, meaning in parts):
            return "".join(m if m == meaning else self._script.write(m) for m, meaning in parts)
        return self._script.write("".join(morpheme for morpheme, _ in parts))


def _affix_keys(exponence: str) -> list[str]:
    if exponence == "separate":
        return ["PL", "DEF", "ACC", "DAT", "NEG", "PST", "3PL"]
    nouns = product(("", "PL"), ("", "DEF"), ("", "ACC", "DAT"))
    verbs = product(("", "NEG"), ("", "PST"), ("", "3PL"))
    return [".".join(filter(None, marks)) for marks in (*nouns, *verbs) if any(marks)]
