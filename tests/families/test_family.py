"""The table of families. That its modules implement the protocol is checked by mypy (see `families/table.py`)."""

import subprocess
import sys

import pytest

from stilts_core.families.family import require_label
from stilts_core.families.table import FAMILIES, get_family
from stilts_core.tasks.catalogue import TASKS


def test_every_task_has_a_family_and_every_family_a_task():
    assert {task.family for task in TASKS.values()} == FAMILIES.keys()
    assert all(get_family(task) is FAMILIES[task.family] for task in TASKS.values())


def test_settings_and_the_feature_cache_are_imported_without_pytorch():
    modules = "stilts_core.families.setting, stilts_core.families.feature_cache, stilts_core.families.sham_labels"
    script = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"


def test_missing_label_is_an_error_and_an_empty_one_is_not():
    assert require_label(0) == 0 and require_label(()) == ()
    with pytest.raises(ValueError, match="without a label"):
        require_label(None)
