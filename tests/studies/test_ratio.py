"""Q1: planted laws of the steps are found, null data are rejected at the level, missing arms are refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm
from study_fixture import CODES, Simulation, invented, rejection_bounds

from stilts_core.errors import StudyError
from stilts_core.laboratory.languages import get_language
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.findings import conclude
from stilts_core.studies.power import power_of_difference, power_of_equivalence
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.ratio import fit_ratio
from stilts_core.studies.regression import lack_of_fit, ratio_and_size, slopes_by_unit, steps_of_pairs
from stilts_core.studies.results import StudyTable

COUNT = 200
SIZES = [(128, 64), (128, 256), (128, 1024), (512, 64), (512, 256), (512, 1024), (2048, 256)]
STEPS = [{"name": f"{i}:{t}", "intermediate_steps": i, "target_steps": t} for i, t in SIZES]
LOGS = {step["name"]: (np.log2(step["intermediate_steps"]), np.log2(step["target_steps"])) for step in STEPS}
PRIMARY = {"test": "slope", "direction": "less", "group": "far", "sesoi": 0.5, "sd": 0.5}


def study(**changes):
    arms = {"direct": {"intermediate": "none"}, "mnli": {"intermediate": "mnli"}}
    return invented(**({"arms": arms, "factors": {"steps": STEPS}, "primary": PRIMARY} | changes))


def law(intermediate=0.0, target=0.0, by_distance=0.0):
    """The true effect of a cell: linear in the logarithms of the steps; its slope on the ratio varies with distance."""
    distances = np.array([get_language(code).syntax_distance_en for code in CODES])

    def effect(cell):
        if cell.arm != "mnli":
            return 0.0
        i, t = LOGS[cell.levels["steps"]]
        return intermediate * i + target * t + by_distance * distances * (i - t)

    return effect


def slope_deviation(run, factors, column=0):
    """The standard deviation of one encoder's slope on a factor (cells, factors), for runs with this deviation.

    Cells with the same target steps share the run of the control.
    """
    design = np.column_stack([np.ones(len(factors)), factors])
    weights = np.linalg.pinv(design)[1 + column]
    targets = np.array([target for _, target in LOGS.values()])
    shared = [weights[targets == target].sum() for target in set(targets)]
    return run * np.sqrt((weights**2).sum() + np.square(shared).sum())


def test_null_slope_is_rejected_at_its_level():
    rate = Simulation(study(), law(), encoder=1.0, run=2.0).support(COUNT)
    low, high = rejection_bounds(0.05, COUNT)
    print(f"ratio slope, null: rejected {rate:.3f} (level .05)")
    assert low <= rate <= high


def test_planted_slope_is_found_at_its_power():
    stated = power_of_difference(
        -0.5, slope_deviation(3.0, np.array([[i - t] for i, t in LOGS.values()])), 12, 0.05, "less"
    )
    rate = Simulation(study(), law(-0.5, 0.5), encoder=1.0, run=3.0).support(COUNT)
    low, high = rejection_bounds(stated, COUNT)
    print(f"ratio slope, planted -0.5: found {rate:.3f} (stated power {stated:.3f})")
    assert low <= rate <= high


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_law_of_the_ratio_alone_is_supported_at_its_power_and_another_law_at_the_level(slope):
    """The slope at a fixed ratio is zero under the law, and as large as the margin under the other one."""
    protocol = study(primary=PRIMARY | {"test": "flat-slope", "regressor": "size", "direction": "two-sided"})
    simulation = Simulation(protocol, law(-0.5 + slope / 2, 0.5 + slope / 2), run=1.5)
    deviation = slope_deviation(1.5, np.array([[(i + t) / 2, i - t] for i, t in LOGS.values()]))
    stated = 0.05 if slope else power_of_equivalence(0.5, deviation, 12, 0.05)
    rate = simulation.support(COUNT)
    print(f"size at a fixed ratio, slope {slope}: equivalent {rate:.3f} (stated {stated:.3f})")
    low, high = rejection_bounds(stated, COUNT)
    assert low <= rate <= high


def test_lack_of_fit_is_found_and_otherwise_rejected_at_its_level():
    protocol = study()
    straight, bent = (
        Simulation(protocol, law(-0.5, 0.5), run=1.0),
        Simulation(protocol, lambda cell: 4.0 * (cell.arm == "mnli" and cell.levels["steps"] == "512:256"), run=1.0),
    )

    def p_values(simulation, count):
        every = simulation.pairs(protocol.primary, range(count))
        return np.array([lack_of_fit(pairs, ratio_and_size(pairs, protocol)[0]).p for pairs in every])

    rate = np.mean(p_values(straight, 200) < 0.05)
    low, high = rejection_bounds(0.05, 200)
    print(f"lack of fit, straight line: rejected {rate:.3f} (level .05)")
    assert low <= rate <= high and p_values(bent, 3).max() < 0.01


def test_lack_of_fit_agrees_with_the_analysis_of_variance_of_statsmodels():
    protocol = study()
    (pairs,) = Simulation(protocol, law(-0.5, 0.3), run=1.0).pairs(protocol.primary, [3])
    ratio = ratio_and_size(pairs, protocol)[0]
    columns = {"y": pairs.endpoint, "unit": pairs.encoders, "x": ratio, "cell": [" ".join(n) for n in pairs.levels]}
    frame = pd.DataFrame(columns)
    line, free = (smf.ols(f"y ~ C(unit) + {term}", frame).fit() for term in ("x", "C(cell)"))
    table = anova_lm(line, free)
    found = lack_of_fit(pairs, ratio)
    assert (found.f, found.p) == pytest.approx((table["F"].iloc[1], table["Pr(>F)"].iloc[1]))
    assert found.degrees == (table["df_diff"].iloc[1], table["df_resid"].iloc[1])


def test_slopes_agree_with_statsmodels_encoder_by_encoder():
    protocol = study()
    pairs = pair_runs(Simulation(protocol, law(-1.0, 0.4), run=1.0).table(), protocol.primary)
    intermediate, target = steps_of_pairs(pairs, protocol)
    slopes = slopes_by_unit(pairs, np.column_stack([intermediate, target]))
    for place, name in enumerate(sorted(set(pairs.encoders))):
        rows = pairs.encoders == name
        columns = {"y": pairs.endpoint[rows], "i": intermediate[rows], "t": target[rows]}
        fitted = smf.ols("y ~ i + t", pd.DataFrame(columns)).fit().params
        assert slopes[place] == pytest.approx([fitted["i"], fitted["t"]])


def test_models_recover_the_planted_law():
    protocol = study()
    model = fit_ratio(
        Simulation(protocol, law(-1.0, 1.0, by_distance=-2.0), run=0.2).table(), protocol, protocol.primary
    )
    far = np.mean([get_language(code).syntax_distance_en for code in ("qil", "qme")])
    assert model.ratio.value == pytest.approx(-1 - 2 * far, abs=0.1)
    assert model.intermediate.value == pytest.approx(-model.target.value, abs=0.15)
    assert model.size.low < 0 < model.size.high and model.fit.p > 0.001
    assert model.by_distance.value == pytest.approx(-2.0, abs=0.05) and abs(model.by_size.value) < 0.05
    assert [cell.log2_ratio for cell in model.cells] == sorted(cell.log2_ratio for cell in model.cells)
    assert len(model.cells) == 7 and all(cell.p_adjusted >= cell.effect.p for cell in model.cells)


def test_effects_of_one_ratio_agree_unless_the_size_has_an_effect():
    """From 128:64 to 512:256 both numbers double twice."""
    protocol = study()
    for slope in (0.0, 0.5):
        simulation = Simulation(protocol, law(slope - 1.0, slope + 1.0), run=0.2)
        model = fit_ratio(simulation.table(), protocol, protocol.primary)
        found = {comparison.log2_ratio: comparison for comparison in model.at_one_ratio}
        assert {ratio: (of.small, of.large) for ratio, of in found.items()} == {
            1.0: (("128:64",), ("512:256",)),
            -1.0: (("128:256",), ("512:1024",)),
            3.0: (("512:64",), ("2048:256",)),
        }
        assert all(of.change.value == pytest.approx(4 * slope, abs=0.3) for of in found.values())
        assert slope == 0 or all(of.change.low > 0 for of in found.values())


def test_effect_by_target_steps_is_a_mean_over_intermediate_steps():
    protocol = study()
    model = fit_ratio(Simulation(protocol, law(1.0, -2.0), encoder=0.1).table(), protocol, protocol.primary)
    assert [(of.target_steps, of.cells) for of in model.by_target] == [(64, 2), (256, 3), (1024, 2)]
    assert [of.effect.value for of in model.by_target] == pytest.approx([8 - 12, 9 - 16, 8 - 20], abs=0.2)


def test_missing_arm_of_the_committed_protocol_is_refused():
    protocol = read_protocol(Path(__file__).parents[2] / "protocols" / "ratio.toml")
    table = Simulation(protocol, lambda cell: 0.0, run=1.0).table()
    assert conclude(table, protocol)[0].name == protocol.primary.name
    for arm in ("sham", "more-target"):
        without = StudyTable(table.frame[table.frame["arm"] != arm], {})
        with pytest.raises(StudyError, match=f"no results of {arm} on"):
            conclude(without, protocol)


def test_steps_that_do_not_vary_have_no_slope():
    protocol = study(primary=PRIMARY | {"levels": {"steps": ["128:64"]}})
    with pytest.raises(StudyError, match="has too few levels for a slope"):
        conclude(Simulation(protocol, law()).table(), protocol)
