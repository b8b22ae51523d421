"""Variables are set inside of a block and restored after it, also after an error."""

import os

import pytest

from stilts_core.storage.environment import environment


def test_variables_are_set_for_the_block_and_restored_after_an_error(monkeypatch):
    monkeypatch.setenv("STILTS_ONE", "before")
    monkeypatch.delenv("STILTS_TWO", raising=False)
    with pytest.raises(ValueError), environment({"STILTS_ONE": "inside", "STILTS_TWO": "inside"}):
        assert os.environ["STILTS_ONE"] == os.environ["STILTS_TWO"] == "inside"
        raise ValueError
    assert os.environ["STILTS_ONE"] == "before" and "STILTS_TWO" not in os.environ
