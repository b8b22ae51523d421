"""Groups of languages over which an endpoint is a mean, and the endpoint of one run."""

import re
from collections.abc import Sequence

import numpy as np

from stilts_core.errors import ConfigError
from stilts_core.laboratory.languages import get_language

ENGLISH = "en"
FAR_CUT, NEAR_CUT = 0.3989, 0.2735  # the terciles of URIEL's syntax distance to English over 49 benchmark languages
POOR_GIB = 3.2  # a real language with at most this much of CC-100 counts as low-resource
POOR_TEXTS = 2_000  # a laboratory language with at most this many pretraining texts
WORST = 5
GROUPS = ("all", "non-english", "far", "near", "low-resource", "unseen", "little-text", "english", "worst-five")


def check_group(group: str) -> str:
    """Return the name of a group, or codes joined by commas. Raises ConfigError for anything else."""
    if group in GROUPS:
        return group
    if not re.fullmatch(r"[a-z]{2,3}(,[a-z]{2,3})*", group):
        raise ConfigError(f"group is {group!r}; choose one of {', '.join(GROUPS)}, or codes joined by commas")
    for code in group.split(","):
        get_language(code)
    return group


def in_group(code: str, group: str) -> bool:
    """Whether a language belongs to a group; `worst-five` is chosen by the scores among the non-English ones.

    Far languages have a distance above FAR_CUT: in the laboratory those whose grammar differs in nine or twelve of the
    sixteen parameters. Low-resource languages have some pretraining text, and little of it; those with `little-text`
    may have none.
    """
    if group == "all":
        return True
    if group not in GROUPS:
        return code in group.split(",")
    if group == "english" or code == ENGLISH:
        return (group == "english") == (code == ENGLISH)
    if group in ("non-english", "worst-five"):
        return True
    language = get_language(code)
    if group in ("far", "near"):
        return language.syntax_distance_en > FAR_CUT if group == "far" else language.syntax_distance_en <= NEAR_CUT
    size, cut = (language.texts, POOR_TEXTS) if language.texts is not None else (language.cc100_gib, POOR_GIB)
    return {"unseen": size == 0, "low-resource": 0 < size <= cut, "little-text": size <= cut}[group]


def group_mean(scores: np.ndarray, codes: list[str], group: str) -> np.ndarray:
    """Return the endpoint of every run: the mean of `scores` (..., languages) over the languages of a group, (...).

    `worst-five` is the mean of the five lowest scores of the run itself. The languages may differ between the two runs
    of a pair. If one run chose the languages for both, its noise would favour the other.

    Raises ConfigError if no language of the group was scored.
    """
    chosen = [index for index, code in enumerate(codes) if in_group(code, group)]
    if not chosen:
        raise ConfigError(f"group is {group!r}, and none of its languages was scored; scored: {', '.join(codes)}")
    values = scores[..., chosen]
    if group == "worst-five":
        values = np.sort(values, axis=-1)[..., :WORST]
    return values.mean(axis=-1)


def transfer_gap(scores: np.ndarray, codes: list[str], group: str) -> np.ndarray:
    """Return English's score minus the mean of a group, for every run of `scores` (..., languages)."""
    if ENGLISH not in codes:
        raise ConfigError("endpoint is 'transfer-gap', and English was not scored; choose the endpoint 'score'")
    return scores[..., codes.index(ENGLISH)] - group_mean(scores, codes, group)


def language_distances(codes: Sequence[str]) -> np.ndarray:
    """Return the languages' syntactic distances to English, (languages,)."""
    return np.array([get_language(code).syntax_distance_en for code in codes])


def language_sizes(codes: Sequence[str]) -> np.ndarray:
    """Return log10(1 + pretraining size): of texts in the laboratory, of MiB of CC-100 otherwise, (languages,)."""
    sizes = []
    for code in codes:
        language = get_language(code)
        sizes.append(language.texts if language.texts is not None else 1024 * language.cc100_gib)
    return np.log10(1 + np.array(sizes, float))
