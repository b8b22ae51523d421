"""Two processes ask for the same intermediate encoder: at once, one after the other, and when the first is killed.

    python shared_training.py ENCODER FOLDER

leaves FOLDER/<case>/<process>.{safetensors,json} of every process that finished.
"""

import json
import signal
import sys
import time
from pathlib import Path

import torch
from killed_training import Death, ended, start, step
from safetensors.torch import save_file
from toy import examples, features, setting, unlabelled

from stilts_core.compute import Compute
from stilts_core.encoder import Encoder, load_encoder
from stilts_core.phases import Intermediate, TaskData, intermediate_encoder
from stilts_core.training import Schedule

SCHEDULE = Schedule(epochs=3, lr=1e-3, batch_size=4, seed=3, mlm_weight=0.5)
CASES: dict[str, Death | None] = {"at once": None, "first killed": step(7)}


def task_data(encoder: Encoder, name: str, *, seed: int = 0, **changes) -> TaskData:
    chosen = setting(name, dropout=0.1, **changes)
    dev = examples(name, 6, seed=seed + 1)
    return TaskData(chosen, features(encoder, name, 16, seed), dev, chosen.family.features(dev, encoder.tokens, chosen))


def ask(encoder_folder: str, folder: Path, process: str) -> None:
    """Ask for the intermediate encoder; leaves its weights, with the full vocabulary, and its report."""

    def prepare(encoder: Encoder) -> Intermediate:
        tasks = [task_data(encoder, "mnli"), task_data(encoder, "udpos")]
        return Intermediate(tasks, SCHEDULE, unlabelled(encoder, 8))

    encoder = load_encoder(encoder_folder, dropout=0.1)
    encoder, report, _ = intermediate_encoder(encoder, folder / "store/kept", prepare, Compute(checkpoint_seconds=0))
    save_file(encoder.model.state_dict(), folder / f"{process}.safetensors")
    (folder / f"{process}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    encoder_folder, parent = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)  # a pool of threads would not survive a fork
    load_encoder(encoder_folder)  # imports the model's code once for all
    for case, death in CASES.items():
        folder = parent / case
        folder.mkdir()
        first = start(lambda folder=folder: ask(encoder_folder, folder, "first"), death)
        while death and not list(folder.glob("store/*.lock")):
            time.sleep(0.01)
        second = start(lambda folder=folder: ask(encoder_folder, folder, "second"))
        if (codes := [ended(first), ended(second)]) != [-signal.SIGKILL if death else 0, 0]:
            sys.exit(f"{case}: the processes ended with {codes}")
