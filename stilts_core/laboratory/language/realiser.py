"""The realiser turns a meaning into a sentence of a language, with tags, entities, supertags and glosses.

All languages, including English, use the same rules and differ only in grammar, script and words. Parallel texts and
their labels are therefore correct by construction.
"""

from stilts_core.laboratory.language.design import LabLanguage
from stilts_core.laboratory.language.phrases import PhraseRealiser
from stilts_core.laboratory.language.tokens import Constituent, Token, Tokens, make_token, punctuation
from stilts_core.laboratory.language.verbs import VerbRealiser
from stilts_core.laboratory.world.meanings import Adjunct, Bare, Clause, Joined, Sentence, Thing


class Realiser:
    """Realises meanings in one language."""

    def __init__(self, language: LabLanguage) -> None:
        self.language, self.grammar, self.script = language, language.grammar, language.script
        self.phrases, self._verbs, self._words = PhraseRealiser(language), VerbRealiser(language), language.words()

    def text(self, *sentences: Sentence) -> str:
        """Realise sentences as running text, with a space between two sentences in every script."""
        return " ".join(
            self.script.join([token.form for _, tokens in self.constituents(sentence) for token in tokens])
            for sentence in sentences
        )

    def phrase_text(self, thing: Thing | Adjunct) -> str:
        """Realise a thing or a place alone: the short answer to a question."""
        phrase = self.phrases.adjunct(thing, "first") if isinstance(thing, Adjunct) else self.phrases.noun_phrase(thing)
        return self.script.join([*(token.form for token in phrase), ""])

    def tokens(self, sentence: Sentence) -> list[Token]:
        """Realise a sentence as tokens; the first one has a capital letter where the script has any."""
        first, *others = (token for _, tokens in self.constituents(sentence) for token in tokens)
        return [first._replace(form=self.script.capitalise(first.form)), *others]

    def span(self, sentences: tuple[Clause, ...], index: int, role: str) -> tuple[int, str]:
        """Find a role of clause `index` in the text of all clauses; adpositions are not part of the span.

        Returns the character offset and the text. Raises ValueError if the language does not express the role.
        """
        start, space = len(self.text(*sentences[:index])) + (index > 0), self.script.space
        before: list[str] = []
        for name, tokens in self.constituents(sentences[index]):
            for token in tokens:
                if name == role and token.upos != "ADP":
                    words = [t.form for t in tokens if t.upos != "ADP"]
                    offset = start + len(space.join([*before, ""]))
                    return offset, self.text(*sentences)[offset : offset + len(space.join(words))]
                before.append(token.form)
        raise ValueError(f"{self.language.code} does not express the {role} of {sentences[index]}")

    def constituents(self, sentence: Sentence) -> list[Constituent]:
        """Realise the constituents of a sentence in order; the last one is the full stop or question mark."""
        if isinstance(sentence, Joined):
            conjunction = make_token(self._words.plain("conjunction", sentence.word), "CCONJ", "conj")
            if sentence.word == "because":
                conjunction = conjunction._replace(upos="SCONJ", category="(S\\S)/S")
            first, second = self._clause_tokens(sentence.first), self._clause_tokens(sentence.second)
            return [("", first), ("", (conjunction,)), ("", second), punctuation(".")]
        if isinstance(sentence, Bare):
            return [("", (make_token(self._words.plain("pronoun", sentence.word), "ADV", "S/S"),)), punctuation("?")]
        return [*self.clause(sentence), punctuation("?" if sentence.asked_role else ".")]

    def clause(self, clause: Clause) -> list[Constituent]:
        """Realise the constituents of a clause in the word order of the language."""
        grammar = self.grammar
        auxiliary, verb = self._verbs.verb(clause)
        inverts = self._verbs.inverts(clause)
        core = self._core(clause, verb)
        if auxiliary and not inverts:
            core.insert(core.index(("verb", verb)), ("verb", auxiliary))
        first, last = self._adjuncts(clause)
        if clause.negated and grammar.negation == "last":
            last.append(("verb", self._verbs.particle("not", "before")))
        if clause.asked_role and grammar.question == "particle":
            last.append(("verb", self._verbs.particle("Q", "before")))
        if clause.asked_role and grammar.question == "front":
            fronted = next(piece for piece in (*first, *core, *last) if piece[0] == clause.asked_role)
            first, core, last = ([piece for piece in part if piece != fronted] for part in (first, core, last))
            first += [fronted, ("verb", auxiliary)] if inverts else [fronted]
        return [piece for piece in (*first, *core, *last) if piece[1]]

    def _core(self, clause: Clause, verb: Tokens) -> list[Constituent]:
        """Realise the subject, the verb and the objects in their order."""
        objects: list[Constituent] = []
        if clause.patient:
            objects.append(("patient", self.phrases.noun_phrase(clause.patient, "ACC")))
        if clause.recipient:
            objects.append(("recipient", self.phrases.noun_phrase(clause.recipient, "DAT")))
        if clause.state:
            objects.append(("state", self.phrases.predicate(clause.state)))
        if self.grammar.order == "SOV":
            objects.reverse()
        core = {"S": [("agent", self.phrases.noun_phrase(clause.agent))], "V": [("verb", verb)], "O": objects}
        return [piece for letter in self.grammar.order for piece in core[letter]]

    def _adjuncts(self, clause: Clause) -> tuple[list[Constituent], list[Constituent]]:
        """Realise the adjuncts at the beginning and those at the end of the clause."""
        edges: dict[str, list[Constituent]] = {"first": [], "last": []}
        usual = self.grammar.adjuncts
        for role in ("place", "time"):
            if adjunct := getattr(clause, role):
                unusual = "first" if usual == "last" else "last"
                edge = unusual if clause.moved == role else usual
                edges[edge].append((role, self.phrases.adjunct(adjunct, edge)))
        return edges["first"][::-1], edges["last"]

    def _clause_tokens(self, clause: Clause) -> Tokens:
        return tuple(token for _, tokens in self.clause(clause) for token in tokens)
