"""How a difference looks under other models: a hierarchical bootstrap and a mixed model beside the t test."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.differences import Pairs, pair_runs
from stilts_core.studies.groups import in_group
from stilts_core.studies.inference import (
    Effect,
    MixedModel,
    compare_means,
    expanded_interval,
    fit_mixed_model,
    hierarchical_bootstrap,
)
from stilts_core.studies.protocol import Contrast
from stilts_core.studies.results import StudyTable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Sensitivity:
    """The intervals of one difference, in points, under several models.

    `encoders` is the t test over encoders, which is primary: it holds for these languages and items. `languages` is
    the hierarchical bootstrap that also draws languages, and items where they were recorded (`with_items`); it holds
    for other languages of the same kinds. `mixed` is the mixed model. `by_encoder` has the difference of each encoder.
    """

    contrast: str
    encoders: Effect
    languages: tuple[float, float]
    with_items: bool
    mixed: MixedModel
    by_encoder: dict[str, float]

    @property
    def agrees(self) -> bool:
        """Whether all three intervals lie on the same side of zero, or all three contain it."""
        intervals = [(self.encoders.low, self.encoders.high), self.languages, (self.mixed.low, self.mixed.high)]
        return len({(low > 0) - (high < 0) for low, high in intervals}) == 1


def check_sensitivity(table: StudyTable, contrast: Contrast, seed: int = 0) -> Sensitivity:
    """Return a difference under several models.

    Raises StudyError for a contrast whose endpoint is no mean over a fixed group of languages, and with one encoder.
    """
    if contrast.endpoint != "score" or contrast.group == "worst-five" or "slope" in contrast.test:
        raise StudyError(f"contrast {contrast.name!r} is no mean over a group of languages; choose another contrast")
    pairs = pair_runs(table, contrast)
    if pairs.unit != "encoder":
        raise StudyError(f"contrast {contrast.name!r} has too few encoders to compare models; run more of them")
    items = pairs.item_arrays()
    means = hierarchical_bootstrap(pairs.array(), items, seed=seed)
    names = sorted(set(pairs.encoders))
    return Sensitivity(
        contrast=contrast.name,
        encoders=compare_means(pairs.by_unit()),
        languages=expanded_interval(means, len(names)),
        with_items=items is not None,
        mixed=fit_mixed_model(_long_frame(pairs)),
        by_encoder={str(name): float(value) for name, value in zip(names, pairs.by_unit(), strict=True)},
    )


def _long_frame(pairs: Pairs) -> "pd.DataFrame":
    """One row for each pair and language of the contrast's group."""
    import pandas as pd

    columns = [place for place, code in enumerate(pairs.codes) if in_group(code, pairs.contrast.group)]
    count = len(columns)
    return pd.DataFrame(
        {
            "encoder": np.repeat(pairs.encoders, count),
            "seed": np.repeat(pairs.seeds, count),
            "language": np.tile([pairs.codes[column] for column in columns], len(pairs)),
            "difference": pairs.by_language[:, columns].ravel(),
        }
    )
