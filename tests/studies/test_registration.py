"""Registrations: what makes a result confirmatory, and what does not."""

import json
import re
import subprocess

import pytest
from study_fixture import Simulation, invented

from stilts_core.errors import RecordError
from stilts_core.studies.power import detectable_effect
from stilts_core.studies.registration import (
    Revision,
    judge,
    minimum_detectable,
    read_registration,
    read_revision,
    register,
    required_blocks,
)
from stilts_core.studies.results import StudyTable, make_frame

CLEAN, DIRTY = Revision("a" * 40, True), Revision("a" * 40, False)
LATER, EARLIER = "2999-01-01T00:00:00Z", "1999-01-01T00:00:00Z"
CASES = {
    "unregistered": "not registered",
    "changed protocol": "changed after",
    "dirty": "not clean",
    "old record": "contrast are older",
    "changed sources": "contrast come from changed or unknown sources",
    "unknown sources": "contrast come from changed or unknown sources",
    "options": "options of the command",
    "missing block": "1 of 12 encoders is missing",
}


def table_of(protocol, last=None) -> StudyTable:
    """A table whose blocks were begun late at a clean revision; `last` are the origins of the last block."""
    blocks = {name: {"origins": {"b" * 12: LATER}} for name in protocol.encoders}
    blocks[protocol.encoders[-1]]["origins"] = last or {"b" * 12: LATER}
    return StudyTable(make_frame([], []), {"blocks": blocks})


def test_registration_says_what_was_fixed(tmp_path):
    protocol = invented()
    made = register(protocol, tmp_path / "registered" / "invented.json", CLEAN)
    assert made == read_registration(tmp_path / "registered" / "invented.json")
    assert (made.digest, made.commit, made.clean, made.runs) == (protocol.digest, "a" * 40, True, 24)
    assert made.detectable == {"mnli against direct": minimum_detectable(protocol, protocol.primary)}
    assert made.time.endswith("+00:00")


def test_unchanged_study_is_confirmatory(tmp_path):
    protocol = invented()
    registration = register(protocol, tmp_path / "r.json", CLEAN)
    assert judge(protocol, registration, table_of(protocol)) == judge(protocol, registration)
    assert judge(protocol, registration, table_of(protocol)).confirmatory


@pytest.mark.parametrize("case", CASES)
def test_anything_else_is_exploratory_and_says_why(tmp_path, case):
    protocol = invented()
    registration = register(protocol, tmp_path / "r.json", DIRTY if case == "dirty" else CLEAN)
    origins = {
        "old record": {"b" * 12: EARLIER},
        "changed sources": {"b" * 12: LATER, "b" * 12 + "-dirty": LATER},
        "unknown sources": {"": LATER},
    }
    table = table_of(protocol, origins.get(case, {"b" * 12: LATER}))
    if case == "missing block":
        del table.provenance["blocks"][protocol.encoders[3]]
    standing = judge(
        invented(seeds=[1]) if case == "changed protocol" else protocol,
        None if case == "unregistered" else registration,
        table,
        changed=case == "options",
    )
    assert not standing.confirmatory
    assert len(standing.reasons) == 1 and re.search(CASES[case], standing.reasons[0])


def test_first_registration_stands_until_the_protocol_changes(tmp_path):
    path, protocol = tmp_path / "r.json", invented()
    first = register(protocol, path, CLEAN)
    assert register(protocol, path, Revision("b" * 40, True)) == first
    second = register(invented(seeds=[1]), path, CLEAN)
    assert second.digest != first.digest
    assert [old["digest"] for old in second.earlier] == [first.digest]
    third = register(invented(seeds=[2]), path, CLEAN)
    assert [old["digest"] for old in third.earlier] == [first.digest, second.digest]


def test_registration_on_changed_sources_is_replaced_once_they_are_clean(tmp_path):
    path, protocol = tmp_path / "r.json", invented()
    register(protocol, path, DIRTY)
    again = register(protocol, path, CLEAN)
    assert again.clean and len(again.earlier) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 1, "earlier": 3}'])
def test_damaged_registration_is_an_error_with_its_path(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"r\.json is not a readable registration"):
        read_registration(path)


def test_registration_of_another_schema_is_refused(tmp_path):
    register(invented(), tmp_path / "r.json", CLEAN)
    content = json.loads((tmp_path / "r.json").read_text()) | {"schema": 2}
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(RecordError, match="has schema 2"):
        read_registration(tmp_path / "r.json")


def test_revision_is_clean_only_without_changes_beside_registrations(tmp_path):
    def git(*arguments):
        name = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *name, *arguments], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "code.py").write_text("1\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    assert read_revision(tmp_path).clean and len(read_revision(tmp_path).commit) == 40
    (tmp_path / "protocols/registered").mkdir(parents=True)
    (tmp_path / "protocols/registered/ratio.json").write_text("{}")
    assert read_revision(tmp_path).clean
    (tmp_path / "protocols/ratio.toml").write_text("")
    assert not read_revision(tmp_path).clean
    assert read_revision(tmp_path.parent) == Revision(None, False)


def test_detectable_effect_is_that_of_holms_first_step():
    primary = invented().primary.model_dump()
    protocol = invented(secondary=[primary | {"name": "b"}])
    expected = detectable_effect(1.0, 12, 0.05 / 2, "two-sided")
    assert minimum_detectable(protocol, protocol.primary) == pytest.approx(expected)
    assert minimum_detectable(invented(encoders=["lab"]), invented().primary) is None


def test_detectable_effect_is_planned_over_the_replicates_of_the_test():
    for encoders, seeds, replicates in ((2, 4, 4), (1, 4, 4), (3, 4, 3), (2, 1, None)):
        protocol = invented(encoders=[f"lab-{number}" for number in range(encoders)], seeds=list(range(seeds)))
        expected = replicates and detectable_effect(1.0, replicates, 0.05, "two-sided")
        assert minimum_detectable(protocol, protocol.primary) == expected
        if replicates:
            (finding,) = Simulation(protocol, lambda cell: 1.0).findings([0])
            assert (finding.n, finding.unit) == (replicates, protocol.block_noun)


def amend(path, protocol, **values) -> None:
    content = {"digest": protocol.digest, "time": LATER, "blocks": 2, "seen": 1, "reason": "hours"} | values
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in content.items())
    path.with_suffix(".amendment.toml").write_text("".join(lines))


def test_amended_study_is_complete_with_the_first_blocks_and_no_others(tmp_path):
    protocol, path = invented(), tmp_path / "r.json"
    registration = register(protocol, path, CLEAN)
    assert required_blocks(protocol, registration) == tuple(protocol.blocks)
    blocks = table_of(protocol).provenance["blocks"]
    first, last = (
        StudyTable(make_frame([], []), {"blocks": {name: blocks[name] for name in names}})
        for names in (protocol.blocks[:2], protocol.blocks[-2:])
    )
    assert not judge(protocol, registration, first).confirmatory
    amend(path, protocol)
    amended = register(protocol, path, CLEAN)
    assert amended.amendment and amended.amendment.reason == "hours"
    assert required_blocks(protocol, amended) == tuple(protocol.blocks[:2])
    assert judge(protocol, amended, first).confirmatory
    assert judge(protocol, amended, last).reasons == ("2 of 2 encoders are missing",)
    amend(path, protocol, digest="of another protocol")
    assert read_registration(path) == registration


def test_new_protocol_drops_the_amendment_of_the_old_one(tmp_path):
    path, changed = tmp_path / "r.json", invented(encoders=["lab-0", "lab-1", "lab-2"])
    register(invented(), path, CLEAN)
    amend(path, invented())
    assert register(changed, path, CLEAN).amendment is None
    again = read_registration(path)
    assert required_blocks(changed, again) == tuple(changed.blocks) and "amendment" not in again.earlier[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"blocks": "1"}, "blocks is '1'; write a whole number, 1 or more"),
        ({"blocks": 1.5}, "blocks is 1.5; write a whole number, 1 or more"),
        ({"blocks": True}, "blocks is True; write a whole number, 1 or more"),
        ({"blocks": -1}, "blocks is -1; write a whole number, 1 or more"),
        ({"blocks": 0}, "blocks is 0; write a whole number, 1 or more"),
        ({"blocks": 13}, "blocks is 13; the protocol has 12, write a number up to it"),
        ({"seen": -1}, "seen is -1; write a whole number, from 0 to blocks, 2"),
        ({"seen": 3}, "seen is 3; write a whole number, from 0 to blocks, 2"),
        ({"seen": False}, "seen is False; write a whole number, from 0 to blocks, 2"),
        ({"reason": 3}, r"is not a readable amendment \(reason is 3 and not text\)"),
    ],
)
def test_amendment_with_impossible_numbers_is_an_error_that_names_its_file(tmp_path, values, message):
    protocol, path = invented(), tmp_path / "r.json"
    register(protocol, path, CLEAN)
    amend(path, protocol, **values)
    with pytest.raises(RecordError, match=rf"r\.amendment\.toml:? {message}"):
        read_registration(path, protocol)
    with pytest.raises(RecordError, match=r"r\.amendment\.toml"):
        register(protocol, path, CLEAN)


def test_amendment_to_all_blocks_or_to_one_is_accepted(tmp_path):
    protocol, path = invented(), tmp_path / "r.json"
    register(protocol, path, CLEAN)
    for blocks, seen in ((12, 12), (1, 0)):
        amend(path, protocol, blocks=blocks, seen=seen)
        assert required_blocks(protocol, read_registration(path, protocol)) == tuple(protocol.blocks[:blocks])


def test_damaged_amendment_is_an_error_that_names_its_file(tmp_path):
    path = tmp_path / "r.json"
    register(invented(), path, CLEAN)
    for text in ("blocks = ", 'digest = "a"', "time = 3"):
        path.with_suffix(".amendment.toml").write_text(text)
        with pytest.raises(RecordError, match=r"r\.amendment\.toml is not a readable amendment"):
            read_registration(path)
