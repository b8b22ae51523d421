"""Two processes request the same intermediate encoder: at the same time, and while the first one is killed.

    python shared_training.py ENCODER FOLDER

writes FOLDER/<case>/<process>.{safetensors,json} for every process that finishes.
"""

import signal
import sys
import time
from pathlib import Path

import torch
from killed_training import Death, start, step, wait_for
from safetensors.torch import save_file
from toy import make_auxiliary, make_examples, make_features, make_setting

from stilts_core.encoders.encoder import Encoder
from stilts_core.families.table import get_family
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.phases import IntermediateFacts, IntermediateMaterial, Link, intermediate_encoder
from stilts_core.runs.preparation import TaskData
from stilts_core.training.compute import Compute
from stilts_core.training.schedule import Schedule

SCHEDULE = Schedule(epochs=3, lr=1e-3, batch_size=4, seed=3, auxiliary_weight=0.5)
CASES: dict[str, Death | None] = {"at once": None, "first killed": step(7)}


def task_data(encoder: Encoder, name: str, *, seed: int = 0, **changes) -> TaskData:
    chosen = make_setting(name, dropout=0.1, **changes)
    dev = make_examples(name, 6, seed=seed + 1)
    return TaskData(
        chosen,
        make_features(encoder, name, 16, seed),
        dev,
        get_family(chosen.task).make_features(dev, encoder.tokenizer, chosen),
    )


def request(encoder_folder: str, folder: Path, process: str) -> None:
    """Request the intermediate encoder; write its weights, with the full vocabulary, and the record of its phase."""

    def prepare(encoder: Encoder) -> IntermediateMaterial:
        tasks = [task_data(encoder, "mnli"), task_data(encoder, "udpos")]
        return IntermediateMaterial(tasks, SCHEDULE, make_auxiliary(encoder, "mlm", 8), IntermediateFacts())

    encoder = load_encoder(encoder_folder, dropout=0.1)
    chain = [Link(folder / "store/kept", prepare)]
    encoder, (record,), _ = intermediate_encoder(encoder, chain, Compute(checkpoint_seconds=0))
    save_file(encoder.model.state_dict(), folder / f"{process}.safetensors")
    (folder / f"{process}.json").write_text(record.model_dump_json(exclude_unset=True))


if __name__ == "__main__":
    encoder_folder, parent = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)  # a thread pool does not survive a fork
    load_encoder(encoder_folder)  # imports the model's code once, before the forks
    for case, death in CASES.items():
        folder = parent / case
        folder.mkdir()
        first = start(lambda folder=folder: request(encoder_folder, folder, "first"), death)
        while death and not list(folder.glob("store/*.lock")):
            time.sleep(0.01)
        second = start(lambda folder=folder: request(encoder_folder, folder, "second"))
        if (codes := [wait_for(first), wait_for(second)]) != [-signal.SIGKILL if death else 0, 0]:
            sys.exit(f"{case}: the processes ended with {codes}")
