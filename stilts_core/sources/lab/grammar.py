"""The grammar of a language as a few parameters, and the distance between two grammars."""

from dataclasses import asdict, dataclass, fields

import numpy as np

# Every parameter with its values. The first is English's.
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
    """The parameters of a language; the defaults are English.

    order       of subject, verb and object               number      of nouns: how the plural is marked
    adjective, numeral  beside the noun                   tense       of verbs: how the past is marked
    adposition  beside its noun                           agreement   of the verb with a plural subject
    adjuncts    time and place in the clause              negation    of the verb: a particle or an affix
    article     "the" and "a": words, a suffix for "the"  auxiliary   in questions and negation ("did not")
    case        of objects and recipients                 question    where the question word stands
    pronoun     as a subject: kept or dropped             affixes     after or before the stem
    exponence   one affix for each meaning, or one for all of a word (the poles of agglutination)
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

    def __post_init__(self):
        for name, value in asdict(self).items():
            if value not in VALUES[name]:
                raise ValueError(f"{name} is {value!r}; choose one of {', '.join(VALUES[name])}")

    def vector(self) -> np.ndarray:
        """The parameters as one-hot features, (39,) of 0.0 and 1.0: what URIEL's binary features are to lang2vec."""
        return np.concatenate([[float(getattr(self, f.name) == v) for v in VALUES[f.name]] for f in fields(self)])

    def differences(self, other: "Grammar") -> dict[str, tuple[str, str]]:
        """The parameters in which two grammars differ: name -> (value here, value there)."""
        ours, theirs = asdict(self), asdict(other)
        return {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}

    def distance(self, other: "Grammar") -> float:
        """The cosine distance of their vectors, in [0, 1], as lang2vec computes it from URIEL (Littell et al. 2017).

        All vectors have one 1 for each parameter, so that this is the share of parameters that differ.
        """
        a, b = self.vector(), other.vector()
        return 1 - float(a @ b / np.sqrt((a @ a) * (b @ b)))
