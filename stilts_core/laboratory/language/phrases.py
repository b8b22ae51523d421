"""Phrases of one language: noun phrases, names, pronouns, and adjuncts."""

from stilts_core.laboratory.language.design import LabLanguage
from stilts_core.laboratory.language.tokens import VERB_PHRASE, Token, Tokens, functor, make_token, opposite
from stilts_core.laboratory.world.lexicon import WORD_LISTS
from stilts_core.laboratory.world.meanings import Adjunct, Name, Noun, Pronoun, Question, Thing


class PhraseRealiser:
    """Realises things and adjuncts in one language. Every phrase is built once."""

    def __init__(self, language: LabLanguage) -> None:
        self._code, self._script = language.code, language.script
        self._grammar, self._words = language.grammar, language.words()
        self._phrases: dict[tuple, Tokens] = {}

    def noun_phrase(self, thing: Thing | str, case: str = "") -> Tokens:
        """Realise a thing or, as a string, a day of the week.

        `case` is "" for a subject or after an adposition, ACC for an object, DAT for a recipient. A dropped pronoun has
        no tokens.
        """
        key = (thing, case)
        if key not in self._phrases:
            marked = case if self._grammar.case != "none" or isinstance(thing, Pronoun | Question) else ""
            phrase = self._inflected_phrase(thing, marked)
            if case and self._grammar.case == "particle":
                phrase = self._with_adposition("particle", case, phrase, "NP")
            if case == "DAT" and self._grammar.case == "none":
                phrase = self._with_adposition("adposition", "to", phrase, "PP")
            self._phrases[key] = phrase
        return self._phrases[key]

    def adjunct(self, adjunct: Adjunct | Question, edge: str) -> Tokens:
        """Realise a time or a place at the edge, "first" or "last", of its clause."""
        key = (adjunct, edge)
        if key not in self._phrases:
            self._phrases[key] = self._adjunct_phrase(
                adjunct, functor("S", "S", "after" if edge == "first" else "before")
            )
        return self._phrases[key]

    def _adjunct_phrase(self, adjunct: Adjunct | Question, category: str) -> Tokens:
        match adjunct:
            case Question():
                return (make_token(self._words.plain("pronoun", adjunct.word), "ADV", "S/S"),)
            case Adjunct("", str(adverb)):
                return (make_token(self._words.plain("adverbs", adverb), "ADV", category),)
        return self._with_adposition("adposition", adjunct.relation, self.noun_phrase(adjunct.thing), category)

    def predicate(self, state: str | Noun) -> Tokens:
        """Realise what "be" ascribes to its subject: an adjective or a noun."""
        if isinstance(state, Noun):
            return self.noun_phrase(state)
        return (make_token(self._words.plain("adjective", state), "ADJ", "S[adj]\\NP"),)

    def _with_adposition(self, kind: str, name: str, phrase: Tokens, category: str) -> Tokens:
        side = self._grammar.adposition
        word = make_token(self._words.plain(kind, name), "ADP", functor(category, "NP", opposite(side)))
        return (word, *phrase) if side == "before" else (*phrase, word)

    def _inflected_phrase(self, thing: Thing | str, case: str) -> Tokens:
        match thing:
            case Noun():
                return self._common_noun_phrase(thing, case)
            case Name():
                return self._name(thing, case)
            case Pronoun():
                if self._grammar.pronoun == "dropped" and not case:
                    return ()
                return (make_token(self._words.plain("pronoun", thing.word, case), "PRON", "NP"),)
            case Question():
                gap = functor("S", "NP", "after") if case == "ACC" else VERB_PHRASE
                category = functor("S", gap, "after")
                return (make_token(self._words.plain("pronoun", thing.word, case), "PRON", category),)
        return (make_token(self._words.plain("days", thing), "PROPN", "NP"),)

    def _common_noun_phrase(self, noun: Noun, case: str) -> Tokens:
        grammar, words = self._grammar, self._words
        determiner = self._determiner(noun)
        word = words.noun(noun.noun, noun.plural, case, noun.det == "the")
        phrase = [make_token(word, "NOUN", "N" if determiner else "NP")]
        if noun.plural and grammar.number == "particle":
            side = opposite(grammar.affixes)
            plural = make_token(words.plain("particle", "PL"), "PART", functor("N", "N", side))
            phrase.insert(0 if grammar.affixes == "before" else 1, plural)
        for adjective in noun.adjectives:
            category = functor("N", "N", opposite(grammar.adjective))
            modifier = make_token(words.plain("adjective", adjective), "ADJ", category)
            phrase = [modifier, *phrase] if grammar.adjective == "before" else [*phrase, modifier]
        if noun.det in ("the", "a") or grammar.numeral == "before":
            phrase = [*determiner, *phrase]
        else:
            phrase = [*phrase, *(t._replace(category=t.category.replace("/", "\\")) for t in determiner)]
        if self._code == "en" and noun.det == "a" and phrase[1].form[0] in "aeiou":
            phrase[0] = phrase[0]._replace(form="an", morphemes="an")
        return tuple(phrase)

    def _determiner(self, noun: Noun) -> list[Token]:
        det, words = noun.det, self._words
        if not det or (det in ("the", "a") and self._grammar.article != "word"):
            return []
        if det == "not every":
            negation = make_token(words.plain("particle", "not"), "PART", "(NP/N)/(NP/N)")
            return [negation, make_token(words.plain("det", "every"), "DET", "NP/N")]
        if det in WORD_LISTS["numbers"]:
            return [make_token(words.plain("numbers", det), "NUM", "NP/N")]
        return [make_token(words.plain("det", det), "DET", "NP/N")]

    def _name(self, name: Name, case: str) -> Tokens:
        words, parts = self._words, [("name", part) for part in name.parts]
        if name.noun:
            noun_last = (self._grammar.adjective == "before") == (name.kind == "ORG")
            parts.insert(len(parts) if noun_last else 0, ("noun", name.noun))
        tokens = []
        for position, (kind, part) in enumerate(parts):
            last = position == len(parts) - 1
            marked = case if last else ""
            word = words.noun(part, False, marked, False) if kind == "noun" else words.plain(kind, part, marked)
            category = "NP" if last else functor("NP", "NP", "after")
            entity = f"{'I' if position else 'B'}-{name.kind}"
            capitalised = word._replace(form=self._script.capitalise(word.form))
            tokens.append(make_token(capitalised, "PROPN", category, entity))
        return tuple(tokens)
