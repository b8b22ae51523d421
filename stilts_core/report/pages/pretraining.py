"""Sections about the laboratory's encoders before any fine-tuning: MLM loss by language, retrieval by hidden state."""

from collections.abc import Mapping, Sequence

import numpy as np

from stilts_core.report.figures.image import markdown_image
from stilts_core.report.figures.transfer import draw_pretraining_losses, draw_retrieval
from stilts_core.report.page_writer import PageWriter


def build_sections(encoders: Sequence[dict], writer: PageWriter) -> list[str]:
    """Two figures with their explanation, as MyST, from the encoders' pretraining records, averaged over encoders."""
    first, languages = encoders[0], encoders[0]["languages"]
    losses = {code: float(loss) for code, loss in _average(encoders, "mlm_loss").items()}
    sweeps = _average(encoders, "retrieval")
    mean = np.mean([sweep for code, sweep in sweeps.items() if code != "en"], axis=0)
    best = int(mean.argmax())
    loss_figure = draw_pretraining_losses(losses, _loss_finding(languages, losses))
    writer.write("generated/pretraining-loss.svg", loss_figure)
    title = f"Before fine-tuning, hidden state {best} retrieves best: {mean[best]:.1f} on average"
    in_pretraining = {code: facts["texts"] > 0 for code, facts in languages.items()}
    retrieval_figure = draw_retrieval(sweeps, in_pretraining, first["candidates"], title)
    writer.write("generated/pretraining-retrieval.svg", retrieval_figure)
    rows = [
        [code, facts["texts"], f"{facts['distance']:.4f}", f"{losses[code]:.4f}", *(f"{x:.4f}" for x in sweeps[code])]
        for code, facts in languages.items()
    ]
    columns = ["language", "texts", "distance", "mlm_loss", *(f"state_{state}" for state in range(len(mean)))]
    path = writer.write_csv("pretraining", columns, rows)
    number = (
        "One encoder, of one seed" if len(encoders) == 1 else f"{len(encoders)} encoders of different seeds, averaged"
    )
    return [
        "## What could the encoder do before any fine-tuning?",
        f"{number}: {first['parameters']:,} parameters that read {first['tokens']:,} sub-words in "
        f"{first['seconds']:.0f} s. The loss is on text of each language that was drawn anew; 3 to 22 % of it also "
        "stands in the pretraining text, because this world is finite.",
        markdown_image(
            loss_figure,
            "generated/pretraining-loss.svg",
            "MLM loss of each language against the size of its pretraining text.",
        ),
        "A sentence and its English translation should have similar representations. For each sentence, and for every "
        f"hidden state, the nearest of {first['candidates']} English sentences is retrieved by cosine of mean-pooled "
        "states.",
        markdown_image(
            retrieval_figure,
            "generated/pretraining-retrieval.svg",
            "Retrieval accuracy of every language from every hidden state.",
        ),
        f"{{download}}`CSV <{path}>`",
    ]


def _average(encoders: Sequence[dict], measure: str) -> dict[str, np.ndarray]:
    """A measure of each language, averaged over the encoders."""
    return {
        code: np.mean([encoder["languages"][code][measure] for encoder in encoders], axis=0)
        for code in encoders[0]["languages"]
    }


def _loss_finding(languages: Mapping[str, dict], losses: Mapping[str, float]) -> str:
    """The finding about the losses in one sentence: languages of the pretraining text compared with the others."""
    seen = [losses[code] for code, facts in languages.items() if facts["texts"]]
    unseen = [losses[code] for code, facts in languages.items() if not facts["texts"]]
    finding = f"A masked sub-word costs {np.mean(seen):.1f} nats in languages seen in pretraining"
    return finding + f", {np.mean(unseen):.1f} in others" * bool(unseen)
