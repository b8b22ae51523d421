"""Retrieval raw beside centred: whether an arm moves the meaning of texts, or only the offsets of languages."""

from collections.abc import Sequence

from stilts_core.errors import StudyError
from stilts_core.report.escape import code_span
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import KINDS
from stilts_core.report.pages.questions.wording import estimate
from stilts_core.report.tables.html import markdown_table
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.inference import Effect, compare_means
from stilts_core.studies.protocol import Contrast, replicate

RETRIEVAL = "tatoeba"


def centring_section(chapter: Chapter, arms: Sequence[str], control: str, remark: str = "") -> list[str]:
    """The heading, the explanation with a remark, and the table, as MyST.

    Raises StudyError if retrieval was not scored centred.
    """
    effects = [[centring_effect(chapter, arm, control, kind) for kind in KINDS] for arm in arms]
    free = centring_effect(chapter, control, control, "centred", "score")
    rows = [[code_span(arm), *map(estimate, by_kind)] for arm, by_kind in zip(arms, effects, strict=True)]
    return [
        "### Retrieval, raw and centred",
        "An encoder adds an offset to all texts of a language, which hides how well meanings are aligned. Subtracting "
        "each language's mean removes it, needs no training and no labels, and is the baseline that a method must "
        f"beat: in {code_span(control)} it changes raw retrieval by {estimate(free)} points. If an arm changes raw "
        "retrieval, and not language-centred retrieval, it moved only the offsets. Differences from "
        f"{code_span(control)} in points, with 95 % intervals over {chapter.protocol.block_noun}s, not "
        f"corrected.{remark}",
        markdown_table(["arm", *KINDS.values()], rows),
    ]


def centring_effect(chapter: Chapter, arm: str, control: str, metric: str, control_metric: str = "") -> Effect:
    """Return the difference of retrieval under a metric from the control under its metric, over replicates.

    With the same arm twice, and two metrics, it is what centring alone brings. Raises StudyError without results.
    """
    contrast = Contrast(
        name=arm, treatment=arm, control=control, target=RETRIEVAL, metric=metric, control_metric=control_metric,
        test="difference", sesoi=1.0, sd=1.0,
    )  # fmt: skip
    table = chapter.require_table()
    if arm != control:
        return compare_means(pair_runs(table, contrast).by_unit())
    frame = table.frame[(table.frame["arm"] == arm) & (table.frame["target"] == RETRIEVAL)]
    frame = frame[frame["excluded"] == ""]
    means = [
        frame[frame["metric"] == kind].groupby(["encoder", "seed", "language"])["score"].mean()
        for kind in (metric, control_metric or metric)
    ]
    difference = (means[0] - means[1]).dropna()
    difference = difference[difference.index.get_level_values("language") != "en"]
    if difference.empty:
        raise StudyError(f"arm {arm!r} has no retrieval with metric {metric!r}; run the study with a newer version")
    unit = replicate(difference.index.get_level_values("encoder"))
    return compare_means(difference.groupby(unit).mean().to_numpy())
