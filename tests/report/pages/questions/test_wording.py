"""Sentences claim what the verdict says, and no more."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
from study_fixture import invented

from stilts_core.report.pages.questions.wording import (
    PENDING,
    answer,
    decision_rule,
    explain_power,
    explain_status,
    headline,
    repeat_answer,
    status,
    verdict,
)
from stilts_core.studies.findings import Finding
from stilts_core.studies.protocol import Contrast
from stilts_core.studies.registration import Amendment

FINDING = Finding(
    name="a", target="udpos", group="far", test="difference", value=1.5, low=1.0, high=2.0, coverage=0.95, p=0.001,
    p_adjusted=0.002, correction="Holm", n=12, unit="encoder", sd=0.8, sesoi=0.5, power=0.9, detectable=0.6,
    verdict="supported", confirmatory=True,
)  # fmt: skip
CONTRAST = Contrast(
    name="a", treatment="mnli", control="direct", target="udpos", group="far", test="difference", sesoi=0.5, sd=1.0
)
CLAIMS = ("raises", "lowers", "leaves", "does not")


def chapter(present: int = 12) -> SimpleNamespace:
    protocol = invented()
    blocks = tuple(protocol.blocks)
    return SimpleNamespace(
        protocol=protocol,
        blocks=blocks[:present],
        required=blocks,
        is_interim=present < len(blocks),
        stopped_early=False,
        registration=None,
        table=None,
    )


def stopped() -> SimpleNamespace:
    """A chapter of a study that was stopped after six of twelve encoders."""
    amendment = Amendment("", "2026-01-01T00:00:00Z", blocks=6, seen=5, reason="It cost too much.")
    early = chapter()
    early.stopped_early, early.registration = True, SimpleNamespace(amendment=amendment)
    return early


def plain(words: str) -> str:
    """Words in which lines may break everywhere."""
    return words.replace("\u00a0", " ")


def sentence(test="difference", direction="two-sided", present=12, **changes) -> str:
    contrast = CONTRAST.model_copy(update={"test": test, "direction": direction})
    return plain(answer(chapter(present), contrast, replace(FINDING, test=test, **changes)))


@pytest.mark.parametrize(("value", "verb"), [(1.5, "raises"), (-1.5, "lowers")])
@pytest.mark.parametrize("test", ["difference", "slope"])
def test_supported_difference_has_the_sign_of_its_value(test, value, verb):
    words = sentence(test, value=value)
    assert f" {verb} " in words and "95 % interval over 12 encoders" in words
    assert not any(claim in words for claim in CLAIMS if claim != verb)


@pytest.mark.parametrize(
    ("direction", "words"),
    [("greater", "does not raise"), ("less", "does not lower"), ("two-sided", "does not change")],
)
def test_difference_that_is_not_supported_excludes_the_smallest_effect_of_interest_only(direction, words):
    assert f"{words} the score on UD part-of-speech tagging in far languages by 0.5 points or more" in sentence(
        direction=direction, verdict="not supported", value=0.1, low=-0.1, high=0.3
    )


def test_effect_opposite_to_the_hypothesis_is_named():
    found = {"verdict": "not supported", "value": -1.5, "low": -2.0, "high": -1.0}
    words = sentence(direction="greater", **found)
    assert "does not raise the score" in words and ", but lowers it: −1.50 points" in words
    assert "but" not in sentence(direction="greater", **(found | {"high": 0.1}))
    assert "but" not in sentence(direction="two-sided", **found)
    assert ", but raises it" in sentence(direction="less", verdict="not supported")


@pytest.mark.parametrize("test", ["difference", "slope", "equivalence", "flat-slope"])
@pytest.mark.parametrize("direction", ["greater", "less", "two-sided"])
def test_open_question_is_called_open_and_claims_nothing(test, direction):
    words = sentence(test, direction, verdict="cannot tell")
    assert words.startswith("In the laboratory, whether ") and " is open: +1.50 points" in words
    assert "does not" not in words and "no effect" not in words


@pytest.mark.parametrize("test", ["equivalence", "flat-slope"])
def test_equivalence_names_its_margin(test):
    assert "unchanged within ±0.5 points" in sentence(test, value=0.1)
    assert "raises" in sentence(test, verdict="not supported") and "by more than 0.5 points" in sentence(
        test, verdict="not supported"
    )


@pytest.mark.parametrize("test", ["difference", "slope", "equivalence", "flat-slope"])
@pytest.mark.parametrize("found", ["supported", "not supported", "cannot tell"])
def test_interim_result_has_a_number_and_no_verdict(test, found):
    words = sentence(test, present=4, verdict=found, confirmatory=False)
    assert words.startswith("Interim estimate (in the laboratory, 4 of 12 encoders): ")
    assert " by +1.50 points [+1.00, +2.00] (95 % interval" in words
    assert not any(claim in words for claim in CLAIMS)
    assert verdict(chapter(4), FINDING) == PENDING and verdict(chapter(), FINDING) == "supported"


@pytest.mark.parametrize("found", ["supported", "not supported", "cannot tell"])
def test_headline_has_the_claim_and_the_number_of_the_sentence(found):
    title = plain(headline(chapter(), CONTRAST, replace(FINDING, verdict=found)))
    assert (
        title.endswith(": +1.50 points") and "POS in far languages" in title and title[0].isupper() | (title[0] == "“")
    )
    assert ("“mnli” raises" in title) == (found == "supported") and ("is open" in title) == (found == "cannot tell")


def test_status_says_why_a_result_is_not_confirmatory():
    other = replace(FINDING, confirmatory=False, reasons=("the study was not registered",))
    assert status(chapter(), FINDING) == "confirmatory" and status(chapter(), other) == "exploratory"
    assert "exploratory, because the study was not registered" in explain_status(chapter(), other)
    early = replace(other, reasons=("8 of 12 encoders are missing", "the study was not registered"))
    words = explain_status(chapter(4), early)
    assert status(chapter(4), early) == "interim" and "4 of 12 encoders are done" in words
    assert "not corrected for looking early" in words
    assert "It will be exploratory, because the study was not registered" in words and "missing" not in words


def test_study_that_was_stopped_early_says_so_wherever_it_is_called_confirmatory():
    assert status(stopped(), FINDING) == "confirmatory, stopped early"
    words = explain_status(stopped(), FINDING)
    assert "stopped early, at 6 of 12 encoders; the results of 5 were known" in words


def test_equivalence_that_only_the_correction_leaves_open_says_so():
    inside = replace(
        FINDING, test="equivalence", low=-0.3, value=0.1, high=0.45, p=0.03, p_adjusted=0.06, correction="Holm"
    )
    left_open = replace(inside, verdict="cannot tell")
    words = plain(explain_power(left_open))
    assert "inside the margin, but Holm's correction" in words and "p before it 0.030, after it 0.060" in words
    for other in (inside, replace(left_open, high=0.55), replace(left_open, low=-0.55)):
        assert "correction" not in explain_power(other)
    assert "correction" not in explain_power(left_open, final=False)
    told = [
        plain(answer(chapter(), CONTRAST.model_copy(update={"test": "equivalence"}), one))
        for one in (left_open, inside)
    ]
    assert "inside the margin, but p = 0.060 after correction" in told[0] and "correction" not in told[1]


def test_negligible_effect_is_called_clear_only_after_correction():
    small = replace(FINDING, low=0.1, value=0.2, high=0.4, sesoi=0.5)
    assert "a clear effect, and a negligible one" in explain_power(replace(small, p_adjusted=0.01))
    words = plain(explain_power(replace(small, p_adjusted=0.067)))
    assert "not distinguished from zero (p = 0.067)" in words and "clear" not in words


def test_power_is_stated_for_every_kind_of_test():
    assert "SD 0.80" in explain_power(FINDING) and "power 0.90" in explain_power(FINDING)
    assert "margin is ±0.5 points" in plain(explain_power(replace(FINDING, test="equivalence")))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.6, 2.0, "beyond"), (0.1, 0.4, "negligible"), (0.1, 2.0, "inside the interval"), (-1.0, 2.0, None)],
)
def test_interval_is_compared_with_the_smallest_effect_of_interest(low, high, words):
    text = explain_power(replace(FINDING, low=low, high=high))
    assert words in text if words else text.endswith("0.60.")


@pytest.mark.parametrize("low, high", [(-2.0, -0.6), (-0.4, -0.1), (-2.0, -0.1)])
def test_effect_against_the_hypothesis_is_not_compared_with_its_size(low, high):
    against = replace(FINDING, low=low, value=(low + high) / 2, high=high)
    assert "on the other side of zero than the hypothesis" in explain_power(against, "greater")
    assert "other side" not in explain_power(against, "less") + explain_power(against)


def test_one_sided_support_is_called_narrow_where_the_interval_includes_zero():
    narrow = replace(FINDING, value=5.4, low=-1.4, high=12.2, sesoi=5.0, p_adjusted=0.0488)
    words = plain(answer(chapter(), CONTRAST, narrow))
    assert "narrowly, by a one-sided test with p = 0.049" in words
    assert headline(chapter(), CONTRAST, narrow).endswith("points (narrowly)")
    assert "narrowly" not in headline(chapter(present=6), CONTRAST, narrow)
    assert "The one-sided test supports the hypothesis narrowly (p = 0.049)" in plain(explain_power(narrow, "greater"))
    for other in (
        replace(narrow, low=0.1),
        replace(narrow, verdict="cannot tell"),
        replace(narrow, test="equivalence"),
    ):
        assert "narrowly" not in answer(chapter(), CONTRAST, other) + explain_power(other, "greater")
    assert "narrowly" not in explain_power(narrow, "greater", final=False)


@pytest.mark.parametrize("test", ["difference", "slope", "equivalence", "flat-slope"])
@pytest.mark.parametrize("direction", ["greater", "less", "two-sided"])
def test_decision_rule_names_level_and_limit(test, direction):
    rule = plain(decision_rule(CONTRAST.model_copy(update={"test": test, "direction": direction})))
    assert "0.05" in rule and "0.5 points" in rule and rule.endswith("stays open.")
    if test in ("difference", "slope"):
        assert ("two-sided test" in rule) == (direction == "two-sided") != ("one-sided test" in rule)


def test_answer_says_whether_its_languages_are_real_and_which_levels_it_is_limited_to():
    real = chapter()
    real.protocol = real.protocol.model_copy(update={"base": {"profile": "small"}})
    assert answer(real, CONTRAST, FINDING).startswith("On real languages, ")
    limited = CONTRAST.model_copy(update={"levels": {"rate": ("3e-4",)}})
    assert "(rate: 3e-4)" in answer(chapter(), limited, FINDING) and "rate" not in answer(chapter(), CONTRAST, FINDING)


def test_difference_between_two_measures_is_not_called_the_effect_of_the_treatment():
    centred = CONTRAST.model_copy(update={"target": "tatoeba", "group": "all", "control_metric": "centred"})
    words = {
        found: plain(answer(chapter(), centred, replace(FINDING, value=-1.5, verdict=found)))
        for found in ("supported", "not supported", "cannot tell")
    }
    than = "than language-centred retrieval after no intermediate task"
    assert (
        f"raw retrieval on Tatoeba in all languages after intermediate training on MNLI is lower {than}"
        in (words["supported"])
    )
    assert f"is not higher or lower by 0.5 points or more {than}" in words["not supported"]
    assert f"is higher or lower {than} is open" in words["cannot tell"]
    same = centred.model_copy(update={"test": "equivalence"})
    equal = "is as high within ±0.5 points as language-centred retrieval after no intermediate task"
    assert equal in plain(answer(chapter(), same, replace(FINDING, test="equivalence", value=0.1)))
    assert not any(claim in text for text in words.values() for claim in CLAIMS)


def test_few_languages_are_named_with_their_items():
    real, contrast = chapter(), CONTRAST.model_copy(update={"group": "non-english"})
    real.protocol = real.protocol.model_copy(update={"base": {**real.protocol.base, "profile": "small"}})
    rows = [("udpos", "score", code, items) for code, items in (("en", 90), ("sw", 50), ("ko", 50))]
    rows += [("panx", "score", "de", 70), ("udpos", "f1", "fr", 50)]
    frame = pd.DataFrame(rows, columns=["target", "metric", "language", "n"])
    real.table = SimpleNamespace(frame=frame)
    assert "in Korean and Swahili (the only languages with data, 50 items each)" in plain(
        answer(real, contrast, FINDING)
    )
    frame.loc[1, "n"] = 40
    assert "in Korean and Swahili (the only languages with data)" in plain(answer(real, contrast, FINDING))
    real.table = SimpleNamespace(frame=pd.concat([frame, frame.assign(language=["en", "de", "fr", "de", "it"])]))
    assert "in all languages but English" in plain(answer(real, contrast, FINDING))
    assert "in far languages" in plain(answer(real, CONTRAST, FINDING))


def test_slope_is_never_called_a_plain_number_of_points_where_nothing_says_what_doubles():
    slope = replace(
        FINDING, test="slope", unit_of_value="points a doubling", sesoi=1.0, low=-0.5, value=-0.3, high=-0.1
    )
    words = plain(explain_power(slope, "less"))
    assert "The smallest effect of interest is 1 point a doubling." in words
    assert "the change with each doubling is" in plain(explain_power(replace(slope, p_adjusted=0.067), "less"))
    assert "effect is negligible" not in words and "a clear change with each doubling, and a negligible one" in words
    assert "−0.30 points a doubling [−0.50, −0.10]" in plain(repeat_answer(chapter(), slope))
    flat = replace(slope, test="flat-slope")
    assert "The equivalence margin is ±1 point a doubling." in plain(explain_power(flat))
    claim = plain(answer(chapter(), CONTRAST.model_copy(update={"test": "slope"}), slope))
    assert "each doubling of the ratio" in claim and "−0.30 points [" in claim  # its subject says what doubles


def test_one_point_is_singular():
    assert "is 1 point." in plain(explain_power(replace(FINDING, sesoi=1.0)))
