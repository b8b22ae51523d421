"""Verbs of one language: inflection, auxiliary, negation, and the particles beside the verb."""

from typing import NamedTuple

from stilts_core.laboratory.language.design import LabLanguage
from stilts_core.laboratory.language.tokens import VERB_PHRASE, Token, Tokens, functor, make_token, opposite
from stilts_core.laboratory.world.meanings import Clause, Noun, Pronoun


class _VerbForm(NamedTuple):
    """Everything about a clause that decides the form and the category of its verb."""

    verb: str
    past: bool
    plural: bool
    negated: bool
    inverted: bool
    patient: bool
    recipient: bool
    state: type


class VerbRealiser:
    """Realises the verbs of clauses in one language. Every form is built once."""

    def __init__(self, language: LabLanguage) -> None:
        self._grammar, self._words = language.grammar, language.words()
        self._forms: dict[_VerbForm, tuple[Tokens, Tokens]] = {}

    def verb(self, clause: Clause) -> tuple[Tokens, Tokens]:
        """Realise the auxiliary of a clause (no tokens if it has none), and its verb with the particles beside it."""
        agent = clause.agent
        plural = (isinstance(agent, Noun) and agent.plural) or agent == Pronoun("they")
        key = _VerbForm(
            clause.verb,
            not clause.general,
            plural,
            clause.negated,
            self.inverts(clause),
            clause.patient is not None,
            clause.recipient is not None,
            type(clause.state),
        )
        if key not in self._forms:
            self._forms[key] = self._conjugate(key)
        return self._forms[key]

    def inverts(self, clause: Clause) -> bool:
        """Whether the auxiliary follows a question word at the front of the clause."""
        return self._grammar.question == "front" and clause.asked_role not in ("", "agent")

    def particle(self, name: str, side: str, neighbour: str = VERB_PHRASE) -> Tokens:
        """Realise a particle whose neighbour, of category `neighbour`, stands on `side`: "before" or "after" it."""
        return (make_token(self._words.plain("particle", name), "PART", functor(neighbour, neighbour, side)),)

    def _conjugate(self, form: _VerbForm) -> tuple[Tokens, Tokens]:
        grammar, words = self._grammar, self._words
        category = self._category(form)
        has_do = grammar.auxiliary == "do" and form.verb != "be" and (form.negated or form.inverted)
        finite = words.verb("do" if has_do else form.verb, form.past, form.plural, form.negated)
        auxiliary: list[Token] = []
        main: list[Token] = []
        if has_do:
            inverted = functor(functor("S", VERB_PHRASE, "after"), "NP", "after")
            taken = inverted if form.inverted else functor(VERB_PHRASE, VERB_PHRASE, "after")
            auxiliary = [make_token(finite, "AUX", taken)]
            main = [make_token(words.verb(form.verb, False, False, False), "VERB", category)]
        elif grammar.auxiliary == "do" and form.verb == "be":
            auxiliary = [make_token(finite, "AUX", category)]
        else:
            main = [make_token(finite, "AUX" if form.verb == "be" else "VERB", category)]
        if form.past and grammar.tense == "particle":
            _insert(auxiliary or main, self.particle("PST", opposite(grammar.affixes)), grammar.affixes)
        if form.negated and grammar.negation in ("before", "after"):
            neighbour = {str: "S[adj]\\NP", Noun: "NP"}.get(form.state, VERB_PHRASE)
            _insert(main, self.particle("not", opposite(grammar.negation), neighbour), grammar.negation)
        return tuple(auxiliary), tuple(main)

    def _category(self, form: _VerbForm) -> str:
        """Return the category of the verb. It takes the arguments of each side in turn, the nearest one first."""
        objects = ["NP"] * form.patient + ["PP"] * form.recipient
        objects += {str: ["S[adj]\\NP"], Noun: ["NP"]}.get(form.state, [])
        if self._grammar.order == "SOV":
            objects.reverse()
        arguments = {"S": ["NP"], "O": objects}
        before_verb, after_verb = self._grammar.order.split("V")
        category = "S"
        for argument in (a for letter in before_verb for a in arguments[letter]):
            category = functor(category, argument, "before")
        for argument in reversed([a for letter in after_verb for a in arguments[letter]]):
            category = functor(category, argument, "after")
        return category


def _insert(words: list[Token], particle: Tokens, side: str) -> None:
    words[:] = [*particle, *words] if side == "before" else [*words, *particle]
