"""How well the wording of a request tells which model it needs, and what a cascade with a verifier saves.

    python -m benchmarks.routing --dataset DIR [--splits 20] [--labels 1500] [--unlabelled all|none] [--json]

DIR has a clone of lm-sys/RouteLLM (see :mod:`benchmarks.routing_tables`). For each split the product's model learns
from the outcomes of random prompts (``--labels`` of MMLU, half of GSM8K), and is judged on all others. With
``--unlabelled all`` it may read the others' words, not their outcomes; with ``none`` not even that. The cascade's
budget, a share of prompts that may go to the strong model, is set beforehand for a saving of 73 %.
"""

import argparse
import os

# one core, so that the CPU seconds are comparable; before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import emit
from benchmarks.routing_metrics import Chances, apgr, cascade, cpt, interval
from benchmarks.routing_tables import Table, table
from karkhana.routing.policy.wording import WordingModel
from karkhana.routing.policy.wording_corpus import Corpus
from karkhana.routing.policy.wording_training import fit

BUDGET = 0.25
"""Of prompts that may be escalated: with the weak calls and the verifier 26.9 % of the strong model's cost."""
RIGHT = 0.9
"""How often the verifier is right."""


def measure(of: Table, *, labels: int, splits: int, unlabelled: bool, seed: int, name: str) -> dict[str, list[float]]:
    """The figures of each split."""
    shared = Corpus.of(of.prompts) if unlabelled else None
    found: dict[str, list[float]] = {}
    for split in range(splits):
        chance = np.random.default_rng([seed, split])
        rows = chance.permutation(len(of.prompts))
        learnt, judged = of.at(rows[:labels]), of.at(rows[labels:])
        places = rows[:labels] if shared else np.arange(labels)
        outcomes = {
            int(place): {"weak": bool(weak), "strong": bool(strong)}
            for place, weak, strong in zip(places, learnt.weak, learnt.strong, strict=True)
        }
        model = fit(shared or Corpus.of(learnt.prompts), outcomes)
        figures = judge(model, learnt, judged, chance)
        for key, value in figures.items():
            found.setdefault(key, []).append(value)
        told = " ".join(f"{key} {value:.4f}" for key, value in figures.items())
        print(f"{name} {split + 1}/{splits}: {told}", file=sys.stderr, flush=True)
    return found


def judge(model: WordingModel, learnt: Table, judged: Table, chance: np.random.Generator) -> dict[str, float]:
    """One split."""
    scores = [model.scores(prompt) for prompt in judged.prompts]
    weak = learnt.weak.mean() + np.array([score["weak"] for score in scores])
    strong = learnt.strong.mean() + np.array([score["strong"] for score in scores])
    spoilt = float((1.0 - learnt.strong[learnt.weak > 0.5]).mean() / (1.0 - learnt.strong.mean()))
    chances = Chances(np.clip(weak, 0.02, 0.98), np.clip(strong, 0.02, 0.98), spoilt)
    done = cascade(chances, judged.weak, judged.strong, budget=BUDGET, right=RIGHT, chance=chance)
    # the same chances for all, but for what breaks ties
    ties = 1e-6 * chance.random(len(weak))
    blind = Chances(learnt.weak.mean() + ties, learnt.strong.mean() + 0.0 * ties, spoilt)
    without = cascade(blind, judged.weak, judged.strong, budget=BUDGET, right=RIGHT, chance=chance)
    return {
        "apgr": apgr(strong - weak, judged.weak, judged.strong),
        "cpt50": cpt(strong - weak, judged.weak, judged.strong),
        "saving": done.saving,
        "quality": done.quality,
        "quality_blind": without.quality,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--labels", type=int, default=1_500, help="of MMLU")
    parser.add_argument("--unlabelled", choices=("all", "none"), default="all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.process_time()
    figures: dict[str, Any] = {"labels": options.labels, "splits": options.splits, "unlabelled": options.unlabelled}
    for name in ("mmlu", "gsm8k"):
        of = table(options.dataset, name)
        labels = options.labels if name == "mmlu" else len(of.prompts) // 2
        unlabelled = options.unlabelled == "all"
        found = measure(of, labels=labels, splits=options.splits, unlabelled=unlabelled, seed=options.seed, name=name)
        for key in ("apgr", "cpt50"):
            figures |= {f"{name}_{key}": round(float(np.mean(found[key])), 4)}
            figures |= {f"{name}_{key}_interval": interval(found[key])}
            figures |= {f"{name}_{key}_range": [round(each(found[key]), 4) for each in (min, max)]}
        for key in ("saving", "quality", "quality_blind"):
            figures |= {f"cascade_{key}_{name}": round(float(np.mean(found[key])), 4)}
            figures |= {f"cascade_{key}_{name}_interval": interval(found[key])}
        figures |= {f"{name}_prompts": len(of.prompts), f"{name}_labels": labels}
    figures["cpu_s"] = round(time.process_time() - started, 1)
    emit("routing by wording", figures, as_json=options.json)


if __name__ == "__main__":
    main()
