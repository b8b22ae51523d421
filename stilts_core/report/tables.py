"""Tables of one run, read from its record: phases, scores by language, cost, provenance."""

import shlex
from dataclasses import fields
from html import escape

from IPython.display import HTML

from stilts_core.config import PROFILES, RunConfig
from stilts_core.languages import language
from stilts_core.report.distances import by_distance, distance_meant
from stilts_core.report.markup import duration, metric_name, number, table


def phases(record: dict) -> HTML:
    """What each phase trained on, for how long, and the English dev score it ended with."""
    rows = [
        [
            phase["name"],
            task,
            phase["examples"].get(task),
            phase["steps"],
            "reused" if phase["reused"] else duration(phase["seconds"]),
            _dev(phase["dev"].get(task)),
        ]
        for phase in record["phases"]
        for task in phase["tasks"]
    ]
    columns = ["phase", "task", "examples", "steps", "time", "English dev score"]
    return table(columns, rows, [*record["notes"], *_cuts(record)])


def scores(record: dict) -> HTML:
    """Every language's metrics with n and a 95 % interval, nearest to English in syntax first, then the means."""
    codes = by_distance(record["scores"])
    extra = [metric for code in codes for metric in record["scores"][code]["metrics"]]
    metrics = list(dict.fromkeys([*record["metrics"], *extra]))
    rows = [
        [
            f"{language(code).name} ({code})",
            *(record["scores"][code]["metrics"].get(metric) for metric in metrics),
            _interval(record["scores"][code]),
            record["scores"][code]["n"],
            language(code).family,
            f"{language(code).syntax_distance_en:.2f}",
        ]
        for code in codes
    ]
    averages = {"mean": record["averages"]["all"], "mean without English": record["averages"]["non_english"]}
    means = [
        [
            f"{name}, {mean['languages']} languages",
            *(mean["score"] if metric == record["metric"] else None for metric in metrics),
            _interval(mean),
            None,
            None,
            None,
        ]
        for name, mean in averages.items()
        if mean
    ]
    headings = [f"<b>{metric_name(name)}</b>" if name == record["metric"] else metric_name(name) for name in metrics]
    columns = ["language", *headings, "95 % interval", "n", "family", "distance"]
    explained = (
        f"Scores on a scale of 0 to 100. The interval is that of {metric_name(record['metric'])}, by bootstrap over "
        f"test items. Distance: to English, {distance_meant(record['profile'])}."
    )
    return table(columns, rows + means, [explained, *record["notes"]], totals=len(means))


def cost(record: dict) -> HTML:
    """Time, memory and arithmetic that the run took, and the machine that it took them on."""
    spent, machine = record["cost"], record["environment"]
    rows = [["whole run", duration(spent["seconds"])]]
    rows += [[part, duration(seconds)] for part, seconds in spent["seconds_by_part"].items()]
    rows += [
        [f"sub-words per second, {phase['name']} phase", number(phase["tokens_per_second"], 0)]
        for phase in record["phases"]
        if not phase["reused"]
    ]
    rows += [
        ["peak memory", f"{spent['peak_memory_bytes'] / 2**30:.2f} GiB"],
        ["floating-point operations", f"{spent['flops']:.2e}"],
        ["device", f"{escape(machine['device'])} ({escape(machine['cpu'])}, {machine['threads']} threads)"],
        ["precision", escape(machine["precision"])],
        *([["layers computed by", escape(machine["layers"])]] if machine.get("layers") else []),
    ]
    return table(["cost", ""], rows, record["notes"])


def provenance(record: dict) -> HTML:
    """Where every number comes from: encoder, versions, revision, checksums, and the command that repeats the run."""
    encoder, machine = record["encoder"], record["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items() if version)
    rows = [
        ["run", f"<code>{escape(record['run_id'])}</code>"],
        ["finished", escape(record["finished"])],
        [
            "encoder",
            f"{escape(encoder['name'])}: {escape(encoder['architecture'])}, {encoder['layers']} layers of "
            f"{encoder['hidden_size']}, {encoder['parameters'] / 1e6:.0f} M parameters, {encoder['rows_used']:,} of "
            f"{encoder['vocabulary_rows']:,} vocabulary rows used",
        ],
        ["encoder's fingerprint", f"<code>{escape(encoder['fingerprint'])}</code>"],
        ["packages", escape(f"Python {machine['python']}, {packages}")],
        ["revision", escape(str(machine["git_revision"]))],
        *([f"dropped: {escape(reason)}", count] for reason, count in record["data"]["dropped"].items()),
        ["to run it again", f"<code>{escape(command(record['config']))}</code>"],
    ]
    checksums = record["data"]["files"]
    listed = table(["file", "sha256"], [[escape(file), f"<code>{sha[:16]}</code>"] for file, sha in checksums.items()])
    files = f"<details><summary>{len(checksums)} data files</summary>{listed.data}</details>"
    return HTML(table(["provenance", ""], rows, record["notes"]).data + files)


def command(config: dict) -> str:
    """The `stilts run` command of a configuration: its deciding fields that neither default nor profile gives."""
    usual = {field.name: field.default for field in fields(RunConfig)} | PROFILES[config["profile"]]
    chosen = {
        field.name: config[field.name]
        for field in fields(RunConfig)
        if field.metadata["decides"] and config.get(field.name) not in (None, field.default, usual[field.name])
    }
    flags = (f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in chosen.items())
    return " ".join(["stilts run", *flags])


def _dev(dev: dict | None) -> str:
    return f"{metric_name(dev['metric'])} {dev['score']:.1f} (n = {dev['n']:,})" if dev else "none"


def _interval(score: dict) -> str:
    return f"{score['low']:.1f} – {score['high']:.1f}"


def _cuts(record: dict) -> list[str]:
    """One sentence for every task whose inputs did not all fit."""
    return [
        f"{task}: {cut['cut']:,} of {cut['inputs']:,} training inputs were too long and lost "
        f"{cut['tokens_lost']:,} sub-words."
        for phase in record["phases"]
        for task, cut in phase["cut"].items()
        if cut["cut"]
    ]
