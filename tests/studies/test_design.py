"""Designs: the whole crossing, every shared run once, always in the same order."""

from itertools import product
from pathlib import Path

import pytest
from study_fixture import invented

from stilts_core.config import PROFILES, RunConfig
from stilts_core.errors import ConfigError
from stilts_core.studies.design import change_protocol, expand
from stilts_core.studies.fields import field_names, identify
from stilts_core.studies.forecast import forecast, measuring_seconds
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.registration import read_registration

PROTOCOLS = Path(__file__).parents[2] / "protocols"
STEPS = [
    {"name": "100:50", "intermediate_steps": 100, "target_steps": 50},
    {"name": "200:50", "intermediate_steps": 200, "target_steps": 50},
    {"name": "200:100", "intermediate_steps": 200, "target_steps": 100},
]
ARMS = {
    "direct": {"intermediate": "none", "control": True},
    "more-target": {"intermediate": "none", "sums": {"target_steps": ["intermediate_steps", "target_steps"]}},
    "mnli": {"intermediate": "mnli"},
}


def crossed(**changes):
    tables = {"arms": ARMS, "factors": {"steps": STEPS, "intermediate_lr": [1e-3, 3e-4]}} | changes
    return invented(**tables)


def test_cells_are_the_whole_crossing_in_a_fixed_order():
    protocol = crossed(seeds=[0, 7])
    cells = expand(protocol).cells
    expected = product(ARMS, ["100:50", "200:50", "200:100"], ["0.001", "0.0003"], protocol.encoders, [0, 7])
    assert [(c.arm, c.levels["steps"], c.levels["intermediate_lr"], c.encoder, c.seed) for c in cells] == list(expected)
    assert expand(protocol) == expand(crossed(seeds=[0, 7]))


def test_arms_share_a_run_where_only_idle_fields_differ():
    design = expand(crossed())
    direct = {cell.identity for cell in design.cells if cell.arm == "direct"}
    assert len(direct) == 2 * 12  # two numbers of target steps; rates and steps before them do not matter
    more = [
        cell.config["target_steps"] for cell in design.cells if cell.arm == "more-target" and cell.encoder == "lab-0"
    ]
    assert sorted(set(more)) == [150, 250, 300]
    assert len(design.configs) == len({identify(config) for config in design.configs}) == (2 + 3 + 6) * 12


def test_targets_without_training_share_runs_over_target_steps():
    design = expand(crossed(targets=["udpos", "tatoeba"]))
    retrieval = {cell.identity for cell in design.cells if cell.target == "tatoeba"}
    assert len(retrieval) == (1 + 4) * 12  # direct and more target are one run; two sizes by two rates


def test_arm_keeps_to_its_own_targets_and_levels():
    arms = ARMS | {"ccg": {"intermediate": "ccg", "targets": ["panx"], "levels": {"steps": ["100:50"]}}}
    cells = [cell for cell in expand(crossed(arms=arms, targets=["udpos", "panx"])).cells if cell.arm == "ccg"]
    assert {(cell.target, cell.levels["steps"]) for cell in cells} == {("panx", "100:50")} and len(cells) == 2 * 12


def test_fields_of_a_target_hold_on_it_alone_before_those_of_an_arm():
    own = {"udpos": {"target_steps": 30, "test_examples": 7}, "panx": {"dev_examples": 9}}
    arms = ARMS | {"longer": {"intermediate": "none", "target_steps": 900}}
    base = {"target_steps": 50, "intermediate_steps": 5}
    tables = {"targets": ["udpos", "panx"], "arms": arms, "factors": {}, "base": base}
    protocol = crossed(per_target=own, **tables)
    steps = {(cell.arm, cell.target): cell.config["target_steps"] for cell in expand(protocol).cells}
    assert steps["mnli", "udpos"] == 30 and steps["mnli", "panx"] == 50
    assert steps["more-target", "udpos"] == 35 and steps["longer", "udpos"] == 900
    assert {cell.config.get("test_examples") for cell in expand(protocol).cells if cell.target == "panx"} == {None}
    assert change_protocol(protocol, {"targets": "udpos"}).per_target == {"udpos": own["udpos"]}
    changed = expand(change_protocol(protocol, {"target_steps": "9"})).cells
    assert {cell.config["target_steps"] for cell in changed if cell.arm != "more-target"} == {9}
    with pytest.raises(ConfigError, match="per_target: there is no 'xnli'; choose one of udpos, panx"):
        crossed(per_target={"xnli": {"target_steps": 3}}, **tables)
    with pytest.raises(ConfigError, match=r"per_target\.udpos: a run has no field 'steps'"):
        crossed(per_target={"udpos": {"steps": 3}}, **tables)


def test_protocol_without_fields_of_targets_keeps_its_digest_and_one_with_them_has_another():
    for path in sorted((PROTOCOLS / "registered").glob("*.json")):
        protocol = read_protocol(PROTOCOLS / f"{path.stem}.toml")
        assert protocol.digest == read_registration(path).digest, path.stem
    assert crossed(per_target={"udpos": {"target_steps": 3}}).digest != crossed().digest


def test_sum_of_a_missing_field_is_an_error():
    arms = ARMS | {"more-target": {"sums": {"target_steps": ["target_steps", "batch_size"]}}}
    with pytest.raises(ConfigError, match=r"arms\.more-target\.sums\.target_steps: batch_size has no number"):
        expand(crossed(arms=arms))


def test_identity_is_that_of_the_resolved_configuration_that_a_record_has():
    asked = {"profile": "lab", "intermediate": "mnli", "target": "udpos", "encoder": "lab-1", "seed": 3}
    resolved = RunConfig.from_dict(asked | {"runs_dir": "elsewhere", "quiet": True}).resolved()
    assert identify(asked) == identify(resolved.to_dict())
    assert identify(asked | {"intermediate_lr": PROFILES["lab"]["intermediate_lr"]}) == identify(asked)
    assert identify(asked | {"intermediate_lr": 0.5}) != identify(asked)
    assert identify(asked | {"quiet": True}) == identify(asked)


def test_weight_zero_beside_a_task_is_a_run_of_its_own():
    base = {"intermediate": "qqp", "target": "udpos", "text_languages": "en,qbe"}
    zero = identify(base | {"auxiliary": "reversal", "auxiliary_weight": 0.0})
    assert zero != identify(base) and identify(base) == identify({"intermediate": "qqp", "target": "udpos"})


def test_fields_are_those_of_a_run():
    assert field_names() == set(RunConfig.__dataclass_fields__)


@pytest.mark.parametrize(
    ("name", "most"), [("ratio", 5), ("continued", 3), ("choice", 3.2), ("latency", 1), ("adversary", 2)]
)
def test_forecast_of_a_committed_protocol_stays_within_its_budget(name, most):
    protocol = read_protocol(PROTOCOLS / f"{name}.toml")
    size = forecast(protocol, expand(protocol))
    assert 0 < size.core_hours <= most


def test_forecast_counts_shared_phases_once():
    protocol = invented(targets=["udpos", "panx", "tatoeba"])
    size = forecast(protocol, expand(protocol))
    phases = 12 * 400 * 0.02
    runs = 12 * 2 * (3 * 1.0 + 2 * 250 * 0.01)
    assert (size.runs, size.phases) == (72, 12)
    assert size.core_hours == pytest.approx((phases + runs) / 3600)


def test_mixed_phases_are_not_shared_and_dear_arms_cost_more():
    arms = {
        "direct": {"intermediate": "none"},
        "mnli": {"intermediate": "mnli", "intermediate_steps": 400, "cost": 2.0},
    }
    plain, mixed = arms, {**arms, "mnli": arms["mnli"] | {"mixed": True}}
    sizes = [forecast(p, expand(p)) for p in (invented(arms=a, targets=["udpos", "panx"]) for a in (plain, mixed))]
    assert [size.phases for size in sizes] == [12, 24]
    assert (sizes[1].core_hours - sizes[0].core_hours) * 3600 == pytest.approx(12 * 400 * 0.02 * 2)


def test_every_phase_of_a_chain_counts_with_its_own_steps():
    def size(**fields):
        arms = {"direct": {"intermediate": "none"}, "mnli": {"intermediate_steps": 400} | fields}
        return forecast(*(lambda protocol: (protocol, expand(protocol)))(invented(arms=arms, targets=["udpos"])))

    single, chain = size(intermediate="mnli"), size(intermediate="mlm>mnli", text_steps=100)
    assert (chain.core_hours - single.core_hours) * 3600 == pytest.approx(12 * 100 * 0.02)


def test_chains_with_the_same_beginning_share_its_phase():
    text = {"intermediate": "mlm", "text_steps": 100}
    arms = {
        "direct": {"intermediate": "none"}, "mlm": text,
        "mnli": text | {"intermediate": "mlm>mnli", "intermediate_steps": 400},
        "sham": text | {"intermediate": "mlm>mnli", "intermediate_steps": 400, "sham_labels": True},
    }  # fmt: skip
    protocol = invented(arms=arms, targets=["udpos"])
    size, runs = forecast(protocol, expand(protocol)), 12 * 4 * (1.0 + 250 * 0.01)
    assert size.phases == 12 * 3
    assert size.core_hours * 3600 == pytest.approx(runs + 12 * (100 + 2 * 400) * 0.02)


def test_measuring_counts_every_process_of_every_block():
    plan = read_protocol(PROTOCOLS / "latency.toml").latency
    assert measuring_seconds(plan, 4) == 96 * 6 * 2 * 2.5


def test_changes_choose_levels_and_drop_what_they_make_impossible():
    protocol = read_protocol(PROTOCOLS / "ratio.toml")
    changed = change_protocol(protocol, {"targets": "udpos", "steps": "128:64,512:256", "target_lr": "5e-4"}, seeds=3)
    assert changed.targets == ("udpos",) and list(changed.factors["steps"]) == ["128:64", "512:256"]
    assert changed.base["target_lr"] == 5e-4 and changed.seeds == (0, 1, 2)
    assert {contrast.target for contrast in changed.secondary} == {"udpos"}
    assert changed.arms["joint"].levels["steps"] == ("128:64", "512:256")
    assert changed.digest != protocol.digest
    assert change_protocol(protocol, {}).digest == protocol.digest


def test_rule_that_loses_its_arms_does_not_hold_for_all():
    rule = {"phase": "intermediate", "below": 50.0, "arms": ["ccg"], "reason": "not learnt"}
    protocol = invented(
        arms=ARMS | {"ccg": {"intermediate": "ccg"}},
        exclusions=[rule],
        base={"intermediate_steps": 5, "target_steps": 5},
    )
    assert change_protocol(protocol, {"arms": "direct,mnli"}).exclusions == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": "1"}, "--set step: there is no such factor; choose one of steps, rate, arms"),
        ({"steps": "1:1"}, "--set steps: there is no '1:1'"),
        ({"intermediate_lr": "1e-4"}, "--set intermediate_lr: the levels of rate set it; choose some of"),
        ({"arms": "direct"}, "primary.treatment: there is no 'mnli'"),
        ({"rate": "1e-3"}, "primary.levels.rate: no level is left"),
    ],
)
def test_change_that_cannot_be_made_is_an_error(changes, message):
    with pytest.raises(ConfigError, match=message):
        change_protocol(read_protocol(PROTOCOLS / "ratio.toml"), changes)
