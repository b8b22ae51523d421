"""The realiser: a meaning becomes a sentence of a language, and with it tags, entities, supertags and glosses.

All languages, English among them, go through the same rules; only the parameters of their grammar and their words
differ. That is what makes parallel text and labels right by construction.
"""

from functools import cached_property
from typing import NamedTuple

from stilts_core.sources.lab import lexicon
from stilts_core.sources.lab.languages import Language
from stilts_core.sources.lab.meanings import (
    Adjunct,
    Bare,
    Clause,
    Joined,
    Name,
    Noun,
    Pronoun,
    Question,
    Sentence,
    Thing,
)
from stilts_core.sources.lab.words import Word


class Token(NamedTuple):
    """A word of a sentence with all that the derivation knows of it.

    `entity` is an IOB2 tag, `category` a supertag of combinatory categorial grammar.
    """

    form: str
    upos: str
    category: str
    entity: str = "O"
    morphemes: str = ""
    gloss: str = ""


Tokens = tuple[Token, ...]
Pieces = list[tuple[str, Tokens]]  # the constituents of a sentence: (role, its words)

_VP = "S\\NP"


def _token(word: Word, upos: str, category: str, entity: str = "O") -> Token:
    return Token(word.form, upos, category, entity, word.morphemes, word.gloss)


def _mark(form: str) -> tuple[str, Tokens]:
    return "", (Token(form, "PUNCT", ".", morphemes=form, gloss=form),)


def _seeks(result: str, argument: str, side: str) -> str:
    """The category that makes `result` of an argument which stands before or after it."""
    result, argument = (f"({c})" if "/" in c or "\\" in c else c for c in (result, argument))
    return f"{result}{'/' if side == 'after' else chr(92)}{argument}"


def _beside(words: list[Token], particle: Tokens, side: str) -> None:
    words[:] = [*particle, *words] if side == "before" else [*words, *particle]


def _other(side: str) -> str:
    return "before" if side == "after" else "after"


class Realiser:
    """Says meanings in one language."""

    def __init__(self, language: Language):
        self.language, self.grammar, self.script = language, language.grammar, language.script
        self._phrases: dict[tuple, Tokens] = {}
        self._verbs: dict[tuple, Pieces] = {}

    @cached_property
    def words(self):
        return self.language.words()

    def text(self, *sentences: Sentence) -> str:
        """The sentences as running text, with a space between them in every script."""
        return " ".join(self.script.join([t.form for _, part in self.pieces(s) for t in part]) for s in sentences)

    def name_of(self, thing: Thing | Adjunct) -> str:
        """A thing or a place by itself, as an answer."""
        phrase = self.adjunct(thing, "first") if isinstance(thing, Adjunct) else self.phrase(thing)
        return self.script.join([*(token.form for token in phrase), ""])

    def tokens(self, sentence: Sentence) -> list[Token]:
        """The words of a sentence, the first one with a capital where the script has them."""
        first, *rest = (token for _, part in self.pieces(sentence) for token in part)
        return [first._replace(form=self.script.capital(first.form)), *rest]

    def span(self, sentences: tuple[Clause, ...], index: int, role: str) -> tuple[int, str]:
        """Where a role of one of the clauses stands in their text: (offset, text), its adposition left out."""
        start, space, before = len(self.text(*sentences[:index])) + (index > 0), self.script.space, []
        for name, part in self.pieces(sentences[index]):
            for token in part:
                if name == role and token.upos != "ADP":
                    chosen = [t.form for t in part if t.upos != "ADP"]
                    offset = start + len(space.join([*before, ""]))
                    return offset, self.text(*sentences)[offset : offset + len(space.join(chosen))]
                before.append(token.form)
        raise ValueError(f"{self.language.code} does not say the {role} of {sentences[index]}")

    def pieces(self, sentence: Sentence) -> Pieces:
        """The constituents of a sentence in order, its full stop or question mark last."""
        if isinstance(sentence, Joined):
            conjunction = _token(self.words.plain("conjunction", sentence.word), "CCONJ", "conj")
            if sentence.word == "because":
                conjunction = conjunction._replace(upos="SCONJ", category="(S\\S)/S")
            both = [("", part) for clause in (sentence.first, sentence.second) for part in [self._flat(clause)]]
            return [both[0], ("", (conjunction,)), both[1], _mark(".")]
        if isinstance(sentence, Bare):
            return [("", (_token(self.words.plain("pronoun", sentence.word), "ADV", "S/S"),)), _mark("?")]
        return [*self.clause(sentence), _mark("?" if sentence.asked else ".")]

    def _flat(self, clause: Clause) -> Tokens:
        return tuple(token for _, part in self.clause(clause) for token in part)

    def clause(self, clause: Clause) -> Pieces:
        """The constituents of a clause in the language's order."""
        grammar = self.grammar
        core = {"S": [("agent", self.phrase(clause.agent))], "O": []}
        if clause.patient:
            core["O"].append(("patient", self.phrase(clause.patient, "ACC")))
        if clause.recipient:
            core["O"].append(("recipient", self.phrase(clause.recipient, "DAT")))
        if clause.state:
            core["O"].append(("state", self._state(clause.state)))
        if grammar.order == "SOV":
            core["O"].reverse()
        auxiliary, verb = self._verb(clause)
        order = [piece for letter in grammar.order for piece in ([("verb", verb)] if letter == "V" else core[letter])]
        if auxiliary and not self._inverts(clause):
            order.insert(order.index(("verb", verb)), ("verb", auxiliary))
        first, last = self._adjuncts(clause)
        if clause.negated and grammar.negation == "last":
            last.append(("verb", self._particle("not", "before")))
        if clause.asked and grammar.question == "particle":
            last.append(("verb", self._particle("Q", "before")))
        if clause.asked and grammar.question == "front":
            wanted = next(piece for piece in (*first, *order, *last) if piece[0] == clause.asked)
            first, order, last = ([piece for piece in part if piece != wanted] for part in (first, order, last))
            first += [wanted, ("verb", auxiliary)] if self._inverts(clause) else [wanted]
        return [piece for piece in (*first, *order, *last) if piece[1]]

    def _adjuncts(self, clause: Clause) -> tuple[Pieces, Pieces]:
        """The adjuncts before the rest of the clause and those after it."""
        edges: dict[str, Pieces] = {"first": [], "last": []}
        for role in ("place", "time"):
            if adjunct := getattr(clause, role):
                usual, other = self.grammar.adjuncts, "first" if self.grammar.adjuncts == "last" else "last"
                edge = other if clause.moved == role else usual
                edges[edge].append((role, self.adjunct(adjunct, edge)))
        return edges["first"][::-1], edges["last"]

    def _inverts(self, clause: Clause) -> bool:
        """Whether the auxiliary follows the question word at the front."""
        return self.grammar.question == "front" and clause.asked not in ("", "agent")

    def _verb(self, clause: Clause) -> tuple[Tokens, Tokens]:
        """The auxiliary, if the clause takes one, and the verb with its particles."""
        agent = clause.agent
        plural = (isinstance(agent, Noun) and agent.plural) or agent == Pronoun("they")
        inflection = clause.verb, not clause.general, plural, clause.negated
        arguments = clause.patient is not None, clause.recipient is not None, type(clause.state)
        key = (*inflection, self._inverts(clause), arguments)
        if key not in self._verbs:
            self._verbs[key] = self._conjugated(*inflection, self._inverts(clause), *self._valency(*arguments))
        return self._verbs[key]

    def _valency(self, patient: bool, recipient: bool, state: type) -> tuple[str, str]:
        """The category of the verb, its arguments in the order of its clause and the nearest on the outside; and the
        category of what a particle beside it belongs to, which is the state after "be"."""
        objects = ["NP"] * patient + ["PP"] * recipient
        objects += {str: ["S[adj]\\NP"], Noun: ["NP"]}.get(state, [])
        beside = objects[0] if state in (str, Noun) else _VP
        if self.grammar.order == "SOV":
            objects.reverse()
        arguments = {"S": ["NP"], "O": objects}
        before_verb, after_verb = self.grammar.order.split("V")
        category = "S"
        for argument in (a for letter in before_verb for a in arguments[letter]):
            category = _seeks(category, argument, "before")
        for argument in reversed([a for letter in after_verb for a in arguments[letter]]):
            category = _seeks(category, argument, "after")
        return category, beside

    def _conjugated(
        self, verb: str, past: bool, plural: bool, negated: bool, inverts: bool, category: str, beside: str
    ) -> tuple[Tokens, Tokens]:
        grammar, words = self.grammar, self.words
        has_auxiliary = grammar.auxiliary == "do" and (verb == "be" or negated or inverts)
        finite = words.verb("do" if has_auxiliary and verb != "be" else verb, past, plural, negated)
        if not has_auxiliary:
            auxiliary, main = [], [_token(finite, "AUX" if verb == "be" else "VERB", category)]
        elif verb == "be":
            auxiliary, main = [_token(finite, "AUX", category)], []
        else:
            taken = _seeks(_seeks("S", _VP, "after"), "NP", "after") if inverts else _seeks(_VP, _VP, "after")
            auxiliary = [_token(finite, "AUX", taken)]
            main = [_token(words.verb(verb, False, False, False), "VERB", category)]
        if past and grammar.tense == "particle":
            _beside(auxiliary or main, self._particle("PST", _other(grammar.affixes)), grammar.affixes)
        if negated and grammar.negation in ("before", "after"):
            _beside(main, self._particle("not", _other(grammar.negation), beside), grammar.negation)
        return tuple(auxiliary), tuple(main)

    def _particle(self, name: str, side: str, beside: str = _VP) -> Tokens:
        """A particle, and the category of what stands before or after it."""
        return (_token(self.words.plain("particle", name), "PART", _seeks(beside, beside, side)),)

    def _state(self, state: str | Noun) -> Tokens:
        if isinstance(state, Noun):
            return self.phrase(state)
        return (_token(self.words.plain("adjective", state), "ADJ", "S[adj]\\NP"),)

    def adjunct(self, adjunct: Adjunct | Question, edge: str) -> Tokens:
        """A time or place; `edge` says whether it stands first or last in its clause."""
        key = (adjunct, edge)
        if key not in self._phrases:
            modifier = _seeks("S", "S", "after" if edge == "first" else "before")
            if isinstance(adjunct, Question):
                self._phrases[key] = (_token(self.words.plain("pronoun", adjunct.word), "ADV", "S/S"),)
            elif not adjunct.relation:
                self._phrases[key] = (_token(self.words.plain("adverbs", adjunct.thing), "ADV", modifier),)
            else:
                self._phrases[key] = self._with_adposition(
                    "adposition", adjunct.relation, self.phrase(adjunct.thing), modifier
                )
        return self._phrases[key]

    def _with_adposition(self, kind: str, name: str, phrase: Tokens, category: str) -> Tokens:
        side = self.grammar.adposition
        word = _token(self.words.plain(kind, name), "ADP", _seeks(category, "NP", _other(side)))
        return (word, *phrase) if side == "before" else (*phrase, word)

    def phrase(self, thing: Thing | str, case: str = "") -> Tokens:
        """A noun phrase; `case` is "" for a subject or after an adposition, ACC for an object, DAT for a recipient."""
        key = (thing, case)
        if key not in self._phrases:
            marked = case if self.grammar.case != "none" or isinstance(thing, Pronoun | Question) else ""
            phrase = self._bare_phrase(thing, marked)
            if case and self.grammar.case == "particle":
                phrase = self._with_adposition("particle", case, phrase, "NP")
            if case == "DAT" and self.grammar.case == "none":
                phrase = self._with_adposition("adposition", "to", phrase, "PP")
            self._phrases[key] = phrase
        return self._phrases[key]

    def _bare_phrase(self, thing: Thing | str, case: str) -> Tokens:
        match thing:
            case Noun():
                return self._noun_phrase(thing, case)
            case Name():
                return self._name(thing, case)
            case Pronoun():
                if self.grammar.pronoun == "dropped" and not case:
                    return ()
                return (_token(self.words.plain("pronoun", thing.word, case), "PRON", "NP"),)
            case Question():
                missing = _seeks("S", "NP", "after") if case == "ACC" else _VP
                return (_token(self.words.plain("pronoun", thing.word, case), "PRON", _seeks("S", missing, "after")),)
            case _:
                return (_token(self.words.plain("days", thing), "PROPN", "NP"),)

    def _noun_phrase(self, noun: Noun, case: str) -> Tokens:
        grammar, words = self.grammar, self.words
        determiner = self._determiner(noun)
        word = words.noun(noun.noun, noun.plural, case, noun.det == "the")
        phrase = [_token(word, "NOUN", "N" if determiner else "NP")]
        if noun.plural and grammar.number == "particle":
            side = _other(grammar.affixes)
            plural = _token(words.plain("particle", "PL"), "PART", _seeks("N", "N", side))
            phrase.insert(0 if grammar.affixes == "before" else 1, plural)
        for adjective in noun.adjectives:
            said = _token(words.plain("adjective", adjective), "ADJ", _seeks("N", "N", _other(grammar.adjective)))
            phrase = [said, *phrase] if grammar.adjective == "before" else [*phrase, said]
        if noun.det in ("the", "a") or grammar.numeral == "before":
            phrase = [*determiner, *phrase]
        else:
            phrase = [*phrase, *(t._replace(category=t.category.replace("/", "\\")) for t in determiner)]
        if self.language.code == "en" and noun.det == "a" and phrase[1].form[0] in "aeiou":
            phrase[0] = phrase[0]._replace(form="an", morphemes="an")
        return tuple(phrase)

    def _determiner(self, noun: Noun) -> list[Token]:
        det, words = noun.det, self.words
        if not det or (det in ("the", "a") and self.grammar.article != "word"):
            return []
        if det == "not every":
            negation = _token(words.plain("particle", "not"), "PART", "(NP/N)/(NP/N)")
            return [negation, _token(words.plain("det", "every"), "DET", "NP/N")]
        if det in lexicon.LISTS["numbers"]:
            return [_token(words.plain("numbers", det), "NUM", "NP/N")]
        return [_token(words.plain("det", det), "DET", "NP/N")]

    def _name(self, name: Name, case: str) -> Tokens:
        words, parts = self.words, [("name", part) for part in name.parts]
        if name.noun:
            head_last = (self.grammar.adjective == "before") == (name.kind == "ORG")
            parts.insert(len(parts) if head_last else 0, ("noun", name.noun))
        tokens = []
        for position, (kind, part) in enumerate(parts):
            last = position == len(parts) - 1
            marked = case if last else ""
            word = words.noun(part, False, marked, False) if kind == "noun" else words.plain(kind, part, marked)
            category = "NP" if last else _seeks("NP", "NP", "after")
            entity = f"{'I' if position else 'B'}-{name.kind}"
            tokens.append(_token(word._replace(form=self.script.capital(word.form)), "PROPN", category, entity))
        return tuple(tokens)
