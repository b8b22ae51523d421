"""What stands beside the tasks of a phase: unlabelled texts, and the head that is trained on them.

The training loop knows only a head with a weight. Which head it is, and what it needs of the texts, is decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stilts_core.encoders.encoder import Encoder
from stilts_core.families import language
from stilts_core.families.features import Features
from stilts_core.families.head import Head
from stilts_core.families.mlm import MLMHead
from stilts_core.tasks.examples import TextExample

HEADS: dict[str, type[language.Discriminator] | type[language.MatchingHead]] = {
    "reversal": language.Discriminator,
    "random_labels": language.Discriminator,
    "confusion": language.ConfusionHead,
    "mmd": language.MMDHead,
    "means": language.MeansHead,
}


@dataclass(frozen=True)
class Auxiliary:
    """The texts of a phase, and what is trained on them.

    `name` is one of `tasks.auxiliaries.AUXILIARIES`. `languages` are those of the texts in the order of their numbers,
    and `groups` (features,) has the number of each feature's language. `shares` (languages,) are the languages' shares
    of the visited texts; None: each text is visited once in an epoch. `level` and `layer` are those of the hidden
    states that a head of `families.language` reads.
    """

    name: str
    features: Features
    languages: tuple[str, ...]
    groups: np.ndarray
    shares: np.ndarray | None = None
    level: str = "pooled"
    layer: int | None = None

    @property
    def text_counts(self) -> dict[str, int]:
        """The number of texts of each language."""
        first = np.unique(self.features.example, return_index=True)[1]
        counts = np.bincount(self.groups[first], minlength=len(self.languages))
        return dict(zip(self.languages, counts.tolist(), strict=True))

    def new_head(self, encoder: Encoder) -> Head:
        """The head, with freshly initialised weights, or those of the checkpoint's masked-LM head."""
        if self.name == "mlm":
            return MLMHead(encoder)
        more = {}
        if self.name == "mmd":
            more["reference"] = self.languages.index("en") if "en" in self.languages else None
        return HEADS[self.name](encoder.hidden_size, len(self.languages), self.level, self.layer, **more)


def make_auxiliary(
    name: str,
    texts: Sequence[TextExample],
    features: Features,
    *,
    seed: int = 0,
    shares: np.ndarray | None = None,
    level: str = "pooled",
    layer: int | None = None,
) -> Auxiliary:
    """What stands beside the tasks: `name`, with the `features` of `texts`, whose languages are numbered as they come.

    `seed` draws the labels of a random-label adversary, `shares` are by language in the same order.
    """
    languages = tuple(dict.fromkeys(text.language for text in texts))
    labelled = language.add_languages(features, texts, languages)
    groups = labelled.targets["language"]
    if name == "mlm":
        labelled = features  # its targets are the words of the text
    elif name == "random_labels":
        labelled = language.draw_labels(labelled, seed)
    return Auxiliary(name, labelled, languages, groups, shares, level, layer)
