"""The grammar of a language as sixteen parameters, and the distance between two grammars."""

from dataclasses import asdict, dataclass, fields

import numpy as np

# The values of every parameter. The first one is that of English.
VALUES = {
    "order": ("SVO", "SOV", "VSO", "VOS"),
    "adjective": ("before", "after"),
    "numeral": ("before", "after"),
    "adposition": ("before", "after"),
    "adjuncts": ("last", "first"),
    "article": ("word", "suffix", "none"),
    "case": ("none", "affix", "particle"),
    "number": ("affix", "particle", "none"),
    "tense": ("affix", "particle", "none"),
    "agreement": ("none", "affix"),
    "negation": ("before", "after", "affix", "last"),
    "auxiliary": ("do", "none"),
    "question": ("front", "in place", "particle"),
    "pronoun": ("kept", "dropped"),
    "affixes": ("after", "before"),
    "exponence": ("separate", "fused"),
}


@dataclass(frozen=True)
class Grammar:
    """The parameters of a grammar; the defaults are English. Raises ValueError for a value that VALUES does not list.

    order       order of subject, verb and object         number      marking of the plural of nouns
    adjective   before or after its noun                  tense       marking of the past of verbs
    numeral     before or after its noun                  agreement   of the verb with a plural subject
    adposition  before or after its noun phrase           negation    of the verb: position of a particle, or an affix
    adjuncts    last or first in the clause               auxiliary   in questions and negation ("did not")
    article     "the" and "a", or a suffix for "the"      question    position of the question word, or a particle
    case        marking of objects and recipients         pronoun     whether a subject pronoun is dropped
    affixes     after or before the stem                  exponence   one affix for each meaning, or one fused affix
    """

    order: str = "SVO"
    adjective: str = "before"
    numeral: str = "before"
    adposition: str = "before"
    adjuncts: str = "last"
    article: str = "word"
    case: str = "none"
    number: str = "affix"
    tense: str = "affix"
    agreement: str = "none"
    negation: str = "before"
    auxiliary: str = "do"
    question: str = "front"
    pronoun: str = "kept"
    affixes: str = "after"
    exponence: str = "separate"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value not in VALUES[name]:
                raise ValueError(f"{name} is {value!r}; choose one of {', '.join(VALUES[name])}")

    def vector(self) -> np.ndarray:
        """Return the parameters as one-hot features: a float array (41,) like the binary features of URIEL."""
        return np.concatenate([[float(getattr(self, f.name) == v) for v in VALUES[f.name]] for f in fields(self)])

    def differences(self, other: "Grammar") -> dict[str, tuple[str, str]]:
        """Return the parameters in which two grammars differ: name -> (value in self, value in other)."""
        own, others = asdict(self), asdict(other)
        return {name: (own[name], others[name]) for name in own if own[name] != others[name]}

    def distance(self, other: "Grammar") -> float:
        """Return the cosine distance of the two vectors, in [0, 1], as lang2vec computes it (Littell et al. 2017).

        Every vector has one 1 for each parameter, so the distance is the share of parameters that differ.
        """
        a, b = self.vector(), other.vector()
        return 1 - float(a @ b / np.sqrt((a @ a) * (b @ b)))
