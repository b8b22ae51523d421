"""Where the data of each task lie on the Hugging Face hub: splits, written owner/name/config/split."""

from stilts_core.tasks.layouts import NINE_TENTHS, WITHOUT_DATES, Layout, shares

# The treebanks of Universal Dependencies in the low-resource languages
_TREEBANKS = {
    "am": "am_att", "bm": "bm_crb", "br": "br_keb", "ceb": "ceb_gja", "cy": "cy_ccg", "fo": "fo_oft", "ga": "ga_idt",
    "gsw": "gsw_uzh", "hsb": "hsb_ufal", "ht": "ht_adolphe", "hy": "hy_armtdp", "jv": "jv_csui", "kmr": "kmr_mg",
    "ky": "ky_ktmu", "mt": "mt_mudt", "quc": "quc_iu", "si": "si_stb", "sq": "sq_tsa", "ug": "ug_udt",
}  # fmt: skip
_GLUE, _ANLI, _SNLI = "nyu-mll/glue", "facebook/anli/plain_text", "stanfordnlp/snli/plain_text"

# CCGbank is licensed; XQuAD-R's sentence breaks and Mewsli-X are not on the hub in the publisher's form.
HUB: dict[str, Layout] = {
    "anli": Layout(
        train=(f"{_ANLI}/train_r1", f"{_ANLI}/train_r2", f"{_ANLI}/train_r3", f"{_GLUE}/mnli/train", f"{_SNLI}/train"),
        dev=(
            f"{_ANLI}/dev_r1", f"{_ANLI}/dev_r2", f"{_ANLI}/dev_r3", f"{_GLUE}/mnli/validation_matched",
            f"{_SNLI}/validation",
        ),
    ),
    "mnli": Layout(train=(f"{_GLUE}/mnli/train",), dev=(f"{_GLUE}/mnli/validation_matched",)),
    "qqp": Layout(train=(f"{_GLUE}/qqp/train",), dev=(f"{_GLUE}/qqp/validation",)),
    "squad_v2": Layout(
        train=("rajpurkar/squad_v2/squad_v2/train",), dev=("rajpurkar/squad_v2/squad_v2/validation",)
    ),
    "squad": Layout(train=("rajpurkar/squad/plain_text/train",), dev=("rajpurkar/squad/plain_text/validation",)),
    "hellaswag": Layout(train=("Rowan/hellaswag/default/train",), dev=("Rowan/hellaswag/default/validation",)),
    "cosmosqa": Layout(train=("allenai/cosmos_qa/default/train",), dev=("allenai/cosmos_qa/default/validation",)),
    "commonsenseqa": Layout(
        train=("tau/commonsense_qa/default/train",), dev=("tau/commonsense_qa/default/validation",)
    ),
    "socialiqa": Layout(train=("allenai/social_i_qa/default/train",), dev=("allenai/social_i_qa/default/validation",)),
    "logic": Layout(
        train=(
            "baber/logiqa2/logiqa2/train", "olegbask/AR-LSAT/default/train", "tasksource/folio/default/train",
            "renma/ProofWriter/default/validation[0:90]", "renma/ProntoQA/default/validation[0:90]",
        ),
        dev=(
            "baber/logiqa2/logiqa2/validation", "olegbask/AR-LSAT/default/validation",
            "tasksource/folio/default/validation", "renma/ProofWriter/default/validation[90:100]",
            "renma/ProntoQA/default/validation[90:100]",
        ),
        stand_in="Logical reasoning has no LogicalDeduction and only 600 items of ProofWriter: the hub has no more in "
        "Logic-LLM's form.",
    ),
    "ecare": Layout(train=("12ml/e-CARE/default/train",), dev=("12ml/e-CARE/default/validation",)),
    "copa_balanced": Layout(**shares("pkavumba/balanced-copa/default/train", **NINE_TENTHS)),
    "codah": Layout(**shares("jaredfern/codah/codah/train", **NINE_TENTHS)),
    "piqa": Layout(train=("ybisk/piqa/plain_text/train",), dev=("ybisk/piqa/plain_text/validation",)),
    "copa": Layout(train=("aps/super_glue/copa/train",), dev=("aps/super_glue/copa/validation",)),
    "xnli": Layout(test=("facebook/xnli/{language}/test",), inputs=("facebook/xnli/{language}/validation",)),
    "pawsx": Layout(
        train=("google-research-datasets/paws-x/en/train",),
        dev=("google-research-datasets/paws-x/en/validation",),
        test=("google-research-datasets/paws-x/{language}/test",),
        inputs=("google-research-datasets/paws-x/{language}/validation",),
    ),
    "udpos": Layout(
        train=("google/xtreme/udpos.English/train",),
        dev=("google/xtreme/udpos.English/validation",),
        test=("google/xtreme/udpos.{name}/test",),
        lacks=("lt", "pl", "uk", "wo", "ro"),  # XTREME-R's additions to UD
    ),
    "panx": Layout(
        train=("unimelb-nlp/wikiann/en/train",),
        dev=("unimelb-nlp/wikiann/en/validation",),
        test=("unimelb-nlp/wikiann/{language}/test",),
        inputs=("unimelb-nlp/wikiann/{language}/validation",),
    ),
    "xquad": Layout(test=("google/xquad/xquad.{language}/validation",)),
    "mlqa": Layout(
        test=("google/xtreme/MLQA.{language}.{language}/test",),
        inputs=("google/xtreme/MLQA.{language}.{language}/validation",),
    ),
    "tydiqa": Layout(
        **shares("google-research-datasets/tydiqa/secondary_task/train", **NINE_TENTHS),
        test=("google-research-datasets/tydiqa/secondary_task/validation",),
    ),
    "bucc2018": Layout(
        **shares("mteb/bucc-bitext-mining/{language}-en/test", dev=(0, 50), test=(50, 100)),
        stand_in="BUCC is scored on half of its test part, with the threshold of the other half: "
        "the hub has no dev part.",
    ),
    "tatoeba": Layout(test=("mteb/tatoeba-bitext-mining/{code3}-eng/test",)),
    "xcopa": Layout(
        test=("cambridgeltl/xcopa/{language}/test",), inputs=("cambridgeltl/xcopa/{language}/validation",)
    ),
    "americasnli": Layout(test=("nala-cub/americas_nli/{language}/test",)),
    "xnli_lowres": Layout(
        test=("{place}/test",), places={"my": "akhtet/myXNLI/default", "ko": "kakaobrain/kor_nli/xnli"}
    ),
    "udpos_lowres": Layout(test=("commul/universal_dependencies/{place}/test",), places=_TREEBANKS),
    "masakhapos": Layout(test=("masakhane/masakhapos/{masakhane}/test",)),
    "masakhaner": Layout(test=("masakhane/masakhaner2/{masakhane}/test",), stand_in=WITHOUT_DATES),
    "copa_lowres": Layout(test=("{place}/test",), places={"ko": "skt/kobest_v1/copa", "id": "haryoaw/COPAL/id"}),
    "copal_colloquial": Layout(test=("haryoaw/COPAL/{language}/test_colloquial",)),
}  # fmt: skip
