"""Where the data of each task lie: files under the data root, in order of preference. `hub_layouts` has the hub's.

The real set comes first, then what replaces it; the first layout whose files are all there is read. `{language}` is a
code of `tasks.languages`, `{code3}` Tatoeba's three-letter code, `{masakhane}` Masakhane's, `{name}` the language's
English name, and `{place}` what the layout's `places` have for it. `file[low:high]` is the share of a file's groups
whose hash falls in [low, high) percent: related and parallel items share a group, so that they never stand on both
sides of a split. Outside English a share is taken only where the items are parallel.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Layout:
    """The files, or hub splits, of a task's train, dev and test parts.

    `stand_in` is the sentence that every table must print where this layout was read, because another set replaces the
    real one or because not all of it is scored. `groups` names the file whose sentences say which of the parallel items
    belong together. `format` names the publisher's folder whose file format the files have (see `sources.formats`),
    where their own folder does not say it. `lacks` are languages of the benchmark that the layout does not have.
    `inputs` are the files of a target's dev part in every language, where it is another part than what is scored; they
    are read as unlabelled text only. `without` are the files of an earlier layout that this one does without; the
    stand-in's sentence names those that are missing.
    """

    train: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    stand_in: str | None = None
    groups: str | None = None
    format: str | None = None
    lacks: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """The file templates of the splits that the layout has."""
        splits = {"train": self.train, "dev": self.dev, "test": self.test}
        return {split: templates for split, templates in splits.items() if templates}

    @property
    def paths(self) -> list[str]:
        """The file templates of all splits, without shares, each once."""
        return list(dict.fromkeys(without_share(path) for paths in self.splits.values() for path in paths))


def without_share(template: str) -> str:
    """A file template without the share of its groups."""
    return re.sub(r"\[.*", "", template)


def shares(*paths: str, **bounds: tuple[int, int]) -> dict[str, Any]:
    """The same files for several parts, each with its share: train=(0, 90), dev=(90, 100)."""
    return {split: tuple(f"{path}[{low}:{high}]" for path in paths) for split, (low, high) in bounds.items()}


NINE_TENTHS = {"train": (0, 90), "dev": (90, 100)}
WITHOUT_DATES = "MasakhaNER 2 is scored without its dates, which count as O: PAN-X, the training set, has none."

_LOGIQA_STAND_IN = "LogiQA 2.0 is trained on its dev and test parts, split by text: its training part is missing."
_LOGIC_LLM = shares(
    "english/logic_llm/LogicalDeduction/train.json", "english/logic_llm/LogicalDeduction/dev.json",
    "english/logic_llm/ProntoQA/dev.json", **NINE_TENTHS,
)  # fmt: skip
_REASONING: dict[str, tuple[str, ...]] = {  # what `logic` mixes with LogiQA 2.0
    "train": (
        "english/ar_lsat/AR_TrainingData.json", "english/folio/folio-train.jsonl",
        "english/logic_llm/ProofWriter/train.json", *_LOGIC_LLM["train"],
    ),
    "dev": (
        "english/ar_lsat/AR_DevelopmentData.json", "english/folio/folio-validation.jsonl",
        "english/logic_llm/ProofWriter/dev.json", *_LOGIC_LLM["dev"],
    ),
}  # fmt: skip

FILES: dict[str, tuple[Layout, ...]] = {
    "anli": (
        Layout(
            train=(
                "english/anli/R1/train.jsonl", "english/anli/R2/train.jsonl", "english/anli/R3/train.jsonl",
                "english/mnli/train.tsv", "english/snli/snli_1.0_train.jsonl",
            ),
            dev=(
                "english/anli/R1/dev.jsonl", "english/anli/R2/dev.jsonl", "english/anli/R3/dev.jsonl",
                "english/mnli/dev_matched.tsv", "english/snli/snli_1.0_dev.jsonl",
            ),
        ),
        Layout(
            **shares(
                "english/anli/R1/dev.jsonl", "english/anli/R2/dev.jsonl", "english/anli/R3/dev.jsonl",
                "english/mnli/dev_matched.tsv", "english/snli/snli_1.0_dev.jsonl", "english/snli/snli_1.0_test.jsonl",
                **NINE_TENTHS,
            ),
            stand_in="ANLI+ is trained on the dev parts of ANLI and MNLI and the dev and test parts of SNLI, "
            "split by premise: the training parts are not available.",
        ),
    ),
    "mnli": (
        Layout(train=("english/mnli/train.tsv",), dev=("english/mnli/dev_matched.tsv",)),
        Layout(
            **shares("english/mnli/dev_matched.tsv", **NINE_TENTHS),
            stand_in="MNLI is trained on its matched dev part, split by premise: the training part is not available.",
        ),
    ),
    "qqp": (
        Layout(train=("english/qqp/train.tsv",), dev=("english/qqp/dev.tsv",)),
        Layout(
            train=("english/mrpc/msr_paraphrase_train.txt",),
            dev=("english/mrpc/msr_paraphrase_test.txt",),
            stand_in="MRPC stands in for QQP: news sentences instead of questions.",
        ),
    ),
    "squad_v2": (
        Layout(train=("english/squad_v2/train-v2.0.json",), dev=("english/squad_v2/dev-v2.0.json",)),
        Layout(
            **shares("english/squad_v2/disfl_qa_v2.json", **NINE_TENTHS),
            stand_in="Disfl-QA stands in for SQuAD 2: disfluent questions over SQuAD 2 paragraphs.",
        ),
    ),
    "squad": (
        Layout(train=("english/squad/train-v1.1.json",), dev=("english/squad/dev-v1.1.json",)),
        Layout(
            **shares(
                "english/squad/squadshifts_new_wiki_v1.0.json", "english/squad/squadshifts_nyt_v1.0.json",
                "english/squad/squadshifts_reddit_v1.0.json", "english/squad/squadshifts_amazon_reviews_v1.0.json",
                train=(0, 95), dev=(95, 100),
            ),
            stand_in="The SQuAD-shifts sets (Wikipedia, New York Times, Reddit, Amazon) stand in for SQuAD 1.1.",
        ),
    ),
    "hellaswag": (
        Layout(train=("english/hellaswag/hellaswag_train.jsonl",), dev=("english/hellaswag/hellaswag_val.jsonl",)),
        Layout(
            **shares("english/hellaswag/hellaswag_val.jsonl", **NINE_TENTHS),
            stand_in="HellaSwag is trained on its dev part, split by context: the training part is not available.",
        ),
    ),
    "ccg": (
        Layout(train=("english/ccg/train.tsv",), dev=("english/ccg/dev.tsv",)),
        Layout(
            train=("english/brown/train.tsv",),
            dev=("english/brown/dev.tsv",),
            stand_in="The Brown corpus with its fine tags stands in for CCGbank's supertags, which are licensed.",
        ),
    ),
    "cosmosqa": (
        Layout(train=("english/cosmosqa/train.csv",), dev=("english/cosmosqa/valid.csv",)),
        Layout(
            train=("english/cosmosqa/train_rebuilt.jsonl",),
            dev=("english/cosmosqa/valid.csv",),
            stand_in="Cosmos QA is trained on a rebuilt part of its training set, with three or four choices.",
        ),
    ),
    "commonsenseqa": (
        Layout(
            train=("english/commonsense_qa/train_rand_split.jsonl",),
            dev=("english/commonsense_qa/dev_rand_split.jsonl",),
        ),
    ),
    "socialiqa": (
        Layout(
            train=("xtreme/socialiqa/socialIQa_v1.4_trn.jsonl",), dev=("xtreme/socialiqa/socialIQa_v1.4_dev.jsonl",)
        ),
        Layout(
            train=("xtreme/socialiqa/socialIQa_v1.4_tst.jsonl",),
            dev=("xtreme/socialiqa/socialIQa_v1.4_dev.jsonl",),
            stand_in="Social IQa is trained on its test part: the training part is not available.",
        ),
    ),
    # LogicalDeduction's own dev part has nearly all of its texts in its training part, so both are split by text.
    "logic": (
        Layout(
            train=("english/logiqa2/train.txt", *_REASONING["train"]),
            dev=("english/logiqa2/dev.txt", *_REASONING["dev"]),
        ),
        Layout(
            train=("english/logiqa2/dev.txt[0:90]", "english/logiqa2/test.txt[0:90]", *_REASONING["train"]),
            dev=("english/logiqa2/dev.txt[90:100]", "english/logiqa2/test.txt[90:100]", *_REASONING["dev"]),
            stand_in=_LOGIQA_STAND_IN,
        ),
        Layout(
            train=("english/logiqa2/train.txt",),
            dev=("english/logiqa2/dev.txt",),
            stand_in="Logical reasoning is LogiQA 2.0 alone: the other sets are missing.",
            without=_REASONING["train"] + _REASONING["dev"],
        ),
        Layout(
            **shares("english/logiqa2/dev.txt", "english/logiqa2/test.txt", **NINE_TENTHS),
            stand_in=f"Logical reasoning is LogiQA 2.0 alone: the other sets are missing. {_LOGIQA_STAND_IN}",
            without=_REASONING["train"] + _REASONING["dev"],
        ),
    ),
    "ecare": (
        Layout(
            train=("english/e-care/Causal_Reasoning/train.jsonl",), dev=("english/e-care/Causal_Reasoning/dev.jsonl",)
        ),
    ),
    "copa_balanced": (Layout(**shares("english/balanced_copa/balanced-copa-dev-all.xml", **NINE_TENTHS)),),
    "codah": (Layout(**shares("english/codah/full_data.tsv", **NINE_TENTHS)),),
    "piqa": (
        Layout(train=("english/piqa/train.jsonl",), dev=("english/piqa/valid.jsonl",)),
        Layout(
            **shares("english/piqa/valid.jsonl", **NINE_TENTHS),
            stand_in="PIQA is trained on its dev part, split by goal: the training part is not available.",
        ),
    ),
    "med": (Layout(**shares("english/med/MED.tsv", **NINE_TENTHS)),),
    "taxinli": (
        Layout(
            **shares(
                "english/mnli/train_taxinli.tsv", "english/mnli/dev_mismatched_taxinli.tsv", **NINE_TENTHS
            )
        ),
    ),
    "copa": (Layout(train=("xtreme/xcopa/train.en.jsonl",), dev=("xtreme/xcopa/val.en.jsonl",)),),
    "xnli": (
        Layout(test=("xtreme/xnli/test-{language}.tsv",), inputs=("xtreme/xnli/dev-{language}.tsv",)),
        Layout(
            test=("xtreme/xnli/dev-{language}.tsv",),
            stand_in="XNLI is scored on its dev part: the test part is not available.",
        ),
    ),
    "pawsx": (
        Layout(
            train=("xtreme/pawsx/train-en.tsv",),
            dev=("xtreme/pawsx/dev-en.tsv",),
            test=("xtreme/pawsx/test-{language}.tsv",),
            inputs=("xtreme/pawsx/dev-{language}.tsv",),
        ),
        Layout(
            **shares(
                "xtreme/pawsx/dev-{language}.tsv", train=(0, 60), dev=(60, 70), test=(70, 100), inputs=(60, 70)
            ),
            groups="xtreme/pawsx/dev-en.tsv",
            stand_in="PAWS-X is trained and scored on shares of its dev part, which no item or sentence crosses.",
        ),
    ),
    "udpos": (
        Layout(
            train=("xtreme/udpos/train-en.tsv",),
            dev=("xtreme/udpos/dev-en.tsv",),
            test=("xtreme/udpos/test-{language}.tsv",),
            inputs=("xtreme/udpos/dev-{language}.tsv",),
        ),
    ),
    "panx": (
        Layout(
            train=("xtreme/panx/train-en.tsv",),
            dev=("xtreme/panx/dev-en.tsv",),
            test=("xtreme/panx/test-{language}.tsv",),
            inputs=("xtreme/panx/dev-{language}.tsv",),
        ),
        Layout(
            train=("xtreme/panx/train-en.tsv",),
            **shares("xtreme/panx/dev-{language}.tsv", dev=(0, 50), test=(50, 100)),
            stand_in="PAN-X is scored on its dev part, in English on half of it: the test part is not available.",
        ),
    ),
    # XQuAD-R holds the same paragraphs, questions and answers as XQuAD.
    "xquad": (
        Layout(test=("xtreme/xquad/xquad.{language}.json",)),
        Layout(test=("xtreme/lareqa/xquad-r/{language}.json",)),
    ),
    "mlqa": (
        Layout(
            test=("xtreme/mlqa/MLQA_V1/test/test-context-{language}-question-{language}.json",),
            inputs=("xtreme/mlqa/MLQA_V1/dev/dev-context-{language}-question-{language}.json",),
        ),
        Layout(
            test=("xtreme/mlqa/MLQA_V1/dev/dev-context-{language}-question-{language}.json",),
            stand_in="MLQA is scored on its dev part: the test part is not available.",
        ),
    ),
    "tydiqa": (
        Layout(
            **shares("xtreme/tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.en.train.json", **NINE_TENTHS),
            test=("xtreme/tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{language}.dev.json",),
            inputs=("xtreme/tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{language}.train.json[90:100]",),
        ),
        Layout(
            **shares(
                "xtreme/tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{language}.train.json",
                train=(0, 80), dev=(80, 90), test=(90, 100),
            ),
            stand_in="TyDiQA-GoldP is scored on its training part, in English on a tenth of it split by paragraph: "
            "the dev part is not available.",
        ),
    ),
    "bucc2018": (
        Layout(
            dev=tuple(f"xtreme/bucc2018/{{language}}-en.dev.{side}" for side in ("{language}", "en", "gold")),
            test=tuple(f"xtreme/bucc2018/{{language}}-en.test.{side}" for side in ("{language}", "en", "gold")),
        ),
        Layout(
            **shares(
                *(f"xtreme/bucc2018/{{language}}-en.dev.{side}" for side in ("{language}", "en", "gold")),
                dev=(0, 50), test=(50, 100),
            ),
            stand_in="BUCC is scored on half of its dev part, with the threshold of the other half: "
            "the test part is not available.",
        ),
    ),
    "tatoeba": (Layout(test=("xtreme/tatoeba/tatoeba.{code3}-eng.{code3}", "xtreme/tatoeba/tatoeba.{code3}-eng.eng")),),
    "xcopa": (
        Layout(test=("xtreme/xcopa/test.{language}.jsonl",), inputs=("xtreme/xcopa/val.{language}.jsonl",)),
    ),
    "lareqa": (Layout(test=("xtreme/lareqa/xquad-r/{language}.json",)),),
    "mewslix": (
        Layout(
            train=("xtreme/mewslix/wikipedia_pairs-train.jsonl",),
            dev=("xtreme/mewslix/wikipedia_pairs-dev.jsonl",),
            test=("xtreme/mewslix/wikinews_mentions-test.jsonl", "xtreme/mewslix/candidate_set_entities.jsonl"),
        ),
    ),
    "americasnli": (Layout(test=("lowres/americasnli/test/{language}.tsv",)),),
    "xnli_lowres": (
        Layout(test=("lowres/xnli/test-{language}.tsv",)),
        Layout(
            test=("lowres/xnli/dev-{language}.tsv",),
            stand_in="XNLI in Burmese and Korean is scored on its dev part: the test part is not available.",
        ),
    ),
    "udpos_lowres": (Layout(test=("lowres/udpos/test-{language}.tsv",)),),
    "masakhapos": (Layout(test=("lowres/masakhapos/{masakhane}/test.txt",)),),
    "masakhaner": (Layout(test=("lowres/masakhaner2/{masakhane}/test.txt",), stand_in=WITHOUT_DATES),),
    "copa_lowres": (
        Layout(test=("lowres/xcopa/test.{place}.jsonl",), places={"ko": "ko", "id": "id-local"}),
    ),
    "copal_colloquial": (
        Layout(test=("lowres/xcopa/test.{place}.jsonl",), places={"id": "id-local-colloquial"}),
    ),
}  # fmt: skip
