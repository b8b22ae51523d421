"""What an encoder shows of the language of a text, and how well it models languages, before and after the phases.

Two measures, on unlabelled texts: no inputs of the intermediate or the target task. A fresh linear probe tells the
language of a text from its frozen, mean-pooled hidden state; an adversary's own accuracy would not show what is left to
find. The masked-LM loss uses the encoder's own MLM head, as it was pretrained, on the embeddings of the moment.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import torch

from stilts_core.config import LABORATORY, ResolvedConfig
from stilts_core.encoders.cpu.kernels import find_deviation
from stilts_core.encoders.encoder import Encoder
from stilts_core.errors import DataNotFound
from stilts_core.families.batches import collate
from stilts_core.families.feature_cache import cached_text_features
from stilts_core.families.features import Features
from stilts_core.families.mlm import MLMHead
from stilts_core.families.retrieval import RetrievalHead
from stilts_core.laboratory import generator
from stilts_core.laboratory.source import Laboratory
from stilts_core.runs.inputs import find_source
from stilts_core.runs.measure_cache import cached_measure
from stilts_core.runs.measures import LanguageMeasures, Languages
from stilts_core.runs.prediction import TOKEN_BUDGETS, Predictor
from stilts_core.sources.parts import Source
from stilts_core.sources.unlabelled import TEMPLATES
from stilts_core.tasks.examples import TextExample
from stilts_core.training.batching import split_within_budget
from stilts_core.training.compute import Compute

TEXTS = 200  # of each language; the probe learns from every other one and is tested on the rest
# Of the masks, and of generated texts. These come from the same finite world as those that training reads: by language,
# 3 to 22 % of them are, word for word, also in the default encoder's pretraining text.
SEED = 1
MAX_LENGTH = 128  # sub-words of a text
RIDGE = 1.0  # penalty of the probe, whose inputs have variance 1
EXPECTED = f"expected files: {TEMPLATES[''].format(language='LANGUAGE')}"
VERSION = "2"  # raise it when the same encoder and texts would give other measures


class LanguageMeter:
    """Measures encoders on the texts of one run's languages: the scored ones and English, if they have text.

    `states` are the hidden states that the probe reads. `note` names the languages without text, if any.
    """

    def __init__(self, config: ResolvedConfig, languages: list[str], states: list[int], compute: Compute):
        asked = list(dict.fromkeys(["en", *languages]))
        self.texts = _read_texts(find_source(config), asked)
        missing = ", ".join(code for code in asked if code not in self.texts)
        self.note = f"No language measures without unlabelled text: {missing} ({EXPECTED})." if missing else None
        self.states, self.compute = sorted(set(states)), compute
        is_read = any(phase.reads_text for phase in (*config.shared_phases, config))
        self.held_out = config.source == LABORATORY or not is_read

    def compare(self, before: LanguageMeasures, after: LanguageMeasures) -> Languages:
        """What a record stores."""
        counts = {language: len(texts) for language, texts in self.texts.items()}
        return Languages(texts=counts, held_out=self.held_out, before=before, after=after)

    def measure_pretrained(self, encoder: Encoder) -> LanguageMeasures:
        """The measures of the encoder before any phase, from the cache if they were taken before."""
        key = self._key(encoder)
        return cached_measure("languages", key, LanguageMeasures, lambda: self.measure(encoder.reload()))

    def measure_trained(self, encoder: Encoder, unused_scale: float) -> LanguageMeasures:
        """The measures of a trained encoder; `unused_scale` is that of `Encoder.expand_embeddings`."""
        whole = encoder.reload()  # of the pretrained one, with its full vocabulary
        state = {name: tensor.cpu() for name, tensor in encoder.model.state_dict().items()}
        whole.model.load_state_dict(state | {encoder.embeddings_name: encoder.expand_embeddings(unused_scale)})
        return self.measure(whole)

    def measure(self, encoder: Encoder) -> LanguageMeasures:
        """The measures of an encoder with its full vocabulary."""
        features = {
            code: cached_text_features(texts, encoder.tokenizer, MAX_LENGTH) for code, texts in self.texts.items()
        }
        predictor = Predictor(encoder, RetrievalHead(), self.compute)
        stream = predictor.stream(list(features.values()), self.states, [f"texts in {code}" for code in features])
        outputs = {
            code: rows[np.unique(columns.example, return_index=True)[1]]  # the first sequence of each text
            for (code, columns), rows in zip(features.items(), stream, strict=True)
        }
        probe = {
            str(state): probe_accuracy({code: one[:, place] for code, one in outputs.items()})
            for place, state in enumerate(self.states)
        }
        if encoder.read_mlm_head() is None:
            return LanguageMeasures(probe=probe, mlm_loss={})
        head = MLMHead(encoder).to(self.compute.device)
        losses = {code: _mlm_loss(encoder, head, columns, self.compute) for code, columns in features.items()}
        return LanguageMeasures(probe=probe, mlm_loss=losses)

    def _key(self, encoder: Encoder) -> str:
        facts = [VERSION, encoder.fingerprint, encoder.tokenizer.fingerprint, str(self.states), self.compute.device]
        facts += [self.compute.precision, str(find_deviation()), torch.__version__]
        digest = hashlib.sha256(repr(facts).encode())
        for language, texts in self.texts.items():
            digest.update(repr((language, texts)).encode())
        return digest.hexdigest()[:32]


def probe_accuracy(states: Mapping[str, np.ndarray]) -> float:
    """The percentage of held-out texts whose language a linear probe tells from its states (texts, k), by language.

    The probe is a ridge regression on one column a language, on standardised inputs, learnt from every other text.
    """
    learnt = np.concatenate([own[::2] for own in states.values()]).astype(float)
    tested = np.concatenate([own[1::2] for own in states.values()]).astype(float)
    learnt_labels, tested_labels = (
        np.repeat(np.arange(len(states)), [len(own[start::2]) for own in states.values()]) for start in (0, 1)
    )
    mean, deviation = learnt.mean(0), learnt.std(0) + 1e-12
    inputs, others = ((side - mean) / deviation for side in (learnt, tested))
    targets = np.eye(len(states))[learnt_labels]
    centre = targets.mean(0)
    weights = np.linalg.solve(inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1]), inputs.T @ (targets - centre))
    return 100 * float(np.mean((others @ weights + centre).argmax(1) == tested_labels))


@torch.inference_mode()
def _mlm_loss(encoder: Encoder, head: MLMHead, features: Features, compute: Compute) -> float:
    """The mean loss of a masked sub-word, in nats; the same sub-words are masked for every encoder."""
    total, terms = 0.0, 0
    for chosen in split_within_budget(features, np.arange(len(features)), TOKEN_BUDGETS[compute.device]):
        batch = head.prepare(collate(features, chosen, encoder.tokenizer.pad), (SEED,)).to(compute.device)
        if count := head.count_terms(batch):
            with compute.autocast():
                total += float(head.loss(encoder.hidden(**batch.inputs), batch))
            terms += count
    return total / max(1, terms)


def _read_texts(source: Source, languages: list[str]) -> dict[str, list[TextExample]]:
    """TEXTS texts of each language that has text; generated ones have another seed than training's (see `SEED`)."""
    if isinstance(source, Laboratory):
        edition = source.edition
        return {
            code: generator.unlabelled(code, seed=SEED, examples=TEXTS, edition=edition).items for code in languages
        }
    try:
        available = source.text_languages()
        texts = {code: source.unlabelled(code).items[-TEXTS:] for code in languages if code in available}
    except DataNotFound:
        return {}
    return {code: found for code, found in texts.items() if len(found) > 1}
