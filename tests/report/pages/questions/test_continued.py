"""The chapter on continued pretraining: what its gain costs elsewhere, and what its rivals gain in the same place."""

import re

import pandas as pd
import pytest
from question_fixture import keep_table, write_protocols
from scipy import stats
from study_fixture import CODES

from stilts_core.report.pages.questions import continued
from stilts_core.report.pages.questions.chapter import Chapter, open_chapter
from stilts_core.report.tables.numbers import interval, signed
from stilts_core.studies.groups import in_group
from stilts_core.studies.results import kept_table, write_table

GROUPS = {
    "unseen languages": [code for code in CODES if in_group(code, "unseen")],
    "all languages but English": [code for code in CODES if code != "en"],
    "all others but English": [code for code in CODES if code != "en" and not in_group(code, "unseen")],
}
CHANGES = [("text-unseen", "panx", "all others but English", -9.0), ("text-target", "panx", "unseen languages", -9.0),
           ("text-target", "udpos", "unseen languages", 9.0)]  # fmt: skip


@pytest.fixture(scope="module")
def protocols(tmp_path_factory):
    return write_protocols(tmp_path_factory.mktemp("studies") / "protocols")


@pytest.fixture
def chapter(tmp_path, protocols):
    """A chapter with an invented table, in which arms have other scores on a target in a group of languages.

    Of `alike`, the first arm has the scores of the second.
    """

    def build(*changes: tuple[str, str, str, float], alike: tuple[str, str] | None = None) -> Chapter:
        table = keep_table(tmp_path, protocols, "continued")
        frame = table.frame.sort_values(["encoder", "target", "metric", "language", "arm"], ignore_index=True)
        score = frame["score"].copy()
        for arm, target, group, points in changes:
            chosen = (frame["arm"] == arm) & (frame["target"] == target) & (frame["metric"] == "score")
            score[chosen & frame["language"].isin(GROUPS[group])] += points
        if alike:
            one, other = (frame["arm"].eq(arm) & frame["metric"].eq("score") for arm in alike)
            score[one] = score[other].to_numpy()
        write_table(kept_table("continued", tmp_path), type(table)(frame.assign(score=score), table.provenance))
        return open_chapter("continued", tmp_path, protocols)

    return build


def difference(frame: pd.DataFrame, treatment: str, control: str, target: str, group: str) -> str:
    """The paired difference of two arms with its interval, from the table alone, as pages print it."""
    rows = frame[(frame["target"] == target) & (frame["metric"] == "score") & frame["language"].isin(GROUPS[group])]
    means = rows.groupby(["encoder", "arm"])["score"].mean().unstack()
    values = means[treatment] - means[control]
    bounds = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return f"{signed(values.mean())} {interval(*bounds)}"


def rows_of(section: str) -> dict[tuple[str, ...], list[str]]:
    """The cells of a Markdown table by target and languages, or by arm."""
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    keys = 2 if lines[0][0] == "target" else 1
    return {tuple(line[:keys]): line[keys:] for line in lines[2:]}


def test_arms_on_the_second_target_have_the_languages_that_no_text_was_of(chapter):
    made = chapter()
    frame = made.require_table().frame
    for (arm,), cells in rows_of(continued.explain_second_target(made)[1]).items():
        expected = [
            difference(frame, arm.strip("`"), "direct", "panx", group)
            for group in ("all languages but English", "unseen languages", "all others but English")
        ]
        assert cells[:3] == expected


def test_price_in_other_languages_is_named_only_where_its_interval_lies_below_zero(chapter):
    price = "has a price in all other languages but English"
    assert price not in continued.caption(made := chapter()) + "".join(continued.explain_second_target(made))
    made = chapter(CHANGES[0])
    costs = [
        difference(made.require_table().frame, "text-unseen", "direct", "panx", group)
        for group in ("all others but English", "unseen languages", "all languages but English")
    ]
    for text in (continued.caption(made), continued.explain_second_target(made)[-1]):
        assert text.count(price) == 1 and f"On PAN-X, `text-unseen` {price}" in text
        assert all(cost in text for cost in costs)


@pytest.mark.parametrize(
    ("explain", "rival"), [(continued.explain_domain, "text-target"), (continued.explain_task, "labels")]
)
def test_rivals_are_compared_in_the_languages_of_the_primary_contrast(chapter, explain, rival):
    made = chapter()
    frame, names = made.require_table().frame, {"POS": "udpos", "PAN-X": "panx"}
    rows = rows_of(explain(made)[2])
    assert set(rows) == {(name, group) for name in names for group in list(GROUPS)[:2]}
    for (name, group), cells in rows.items():
        pairs = [("text-unseen", "direct"), (rival, "direct"), ("text-unseen", rival)]
        assert cells[:3] == [difference(frame, *pair, names[name], group) for pair in pairs]
        low, high = (float(bound.replace("−", "-")) for bound in re.findall(r"[+−]?\d+\.\d+", cells[2])[1:])
        assert cells[4] == ("not separated" if low <= 0 <= high else "higher" if low > 0 else "lower")


def test_domain_is_excluded_only_where_the_intervals_separate_both_arms(chapter):
    text = continued.explain_domain(chapter(alike=("text-target", "text-unseen")))[-1]
    assert text.count("is not separated from `text-target`: the domain may explain the whole effect") == 2
    text = continued.explain_domain(chapter(*CHANGES[1:]))[-1]
    assert "On PAN-X in unseen languages, `text-unseen` is higher than `text-target`" in text
    assert "On POS in unseen languages, `text-unseen` is lower than `text-target`" in text
    assert "may explain the whole effect" not in text
