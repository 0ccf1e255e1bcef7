"""Makes crates/dataset/tests/fixtures/drift.json: what scipy says about seeded samples and counts."""

import json
from pathlib import Path

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import (
    chi2_contingency,
    false_discovery_control,
    fisher_exact,
    ks_2samp,
    kstwobign,
    wasserstein_distance,
)

OUT = Path(__file__).parents[2] / "crates/dataset/tests/fixtures/drift.json"
rng = np.random.default_rng(20260203)


def sample_cases():
    def case(name, a, b):
        a, b = np.round(a, 4), np.round(b, 4)
        ks = ks_2samp(a, b, method="exact")
        effective = len(a) * len(b) / (len(a) + len(b))
        return {
            "name": name,
            "a": a.tolist(),
            "b": b.tolist(),
            "ks": ks.statistic,
            "p_limit": kstwobign.sf(np.sqrt(effective) * ks.statistic),
            "wasserstein": wasserstein_distance(a, b),
        }

    normal = rng.standard_normal
    yield case("same law", normal(60), normal(50))
    yield case("shifted", normal(40), normal(60) + 0.7)
    yield case("apart", normal(20), normal(15) + 50)
    yield case("heavy tail", np.exp(3 * normal(60)), np.exp(3 * normal(60)))
    yield case("ties", rng.integers(0, 5, 60), rng.integers(1, 7, 45))
    yield case("one value", np.zeros(1), normal(30))
    yield case("identical", np.arange(30), np.arange(30))
    yield case("wider", normal(50), 3 * normal(50))


def exact_p_values():
    """p-values of the exact two-sample law, for the error that the limit makes."""
    for n, m in [(50, 50), (100, 100), (50, 80), (100, 500), (300, 500), (1000, 1000)]:
        seen = set()
        for shift in np.linspace(0, 1.2, 60):
            a = rng.standard_normal(n)
            b = rng.standard_normal(m) + shift * np.sqrt(100 / min(n, m))
            test = ks_2samp(a, b, method="exact")
            key = round(test.statistic * n * m)
            if 0.01 <= test.pvalue <= 0.99 and key not in seen:
                seen.add(key)
                yield {"n": n, "m": m, "ks": test.statistic, "p_exact": test.pvalue}


def count_cases():
    def case(name, a, b):
        table = np.array([a, b])
        test = chi2_contingency(table[:, table.sum(axis=0) > 0], correction=False)
        return {
            "name": name,
            "a": [int(n) for n in a],
            "b": [int(n) for n in b],
            "statistic": test.statistic,
            "degrees": int(test.dof),
            "p_value": test.pvalue,
            "jensen_shannon": float(jensenshannon(a, b, base=2)),
        }

    yield case("two levels", [50, 50], [62, 38])
    yield case("three levels", [300, 120, 80], [290, 150, 60])
    yield case("unseen level", [400, 100, 0], [350, 100, 50])
    yield case("on neither side", [40, 0, 60], [45, 0, 55])
    yield case("far tail", [10_000, 100], [9_000, 250])
    yield case("nothing in common", [70, 0], [0, 90])
    yield case("equal", [10, 20, 30], [20, 40, 60])
    shares = rng.dirichlet(np.ones(70))
    yield case("seventy levels", rng.multinomial(50_000, shares), rng.multinomial(9_000, shares))


def rare_cases():
    tables = [((0, 6), (126_000, 294)), ((3, 4), (900, 1100)), ((0, 1), (50, 50)), ((9, 0), (991, 400))]
    for cell, others in tables + [((40, 12), (99_960, 4_988)), ((1, 30), (2_999, 270))]:
        table = [cell, others]
        tails = [fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
        yield {
            "cell": cell,
            "others": others,
            "p_value": fisher_exact(table).pvalue,
            "p_one_sided": min(tails),
        }


def adjusted_cases():
    for p in [[0.01, 0.02, 0.03, 0.5], [0.04, 0.001, 0.9, 0.04, 0.2], [1.0], [0.0, 0.0, 1.0]]:
        yield {"p": p, "adjusted": false_discovery_control(p).tolist()}
    p = rng.uniform(size=30) ** 3
    yield {"p": p.tolist(), "adjusted": false_discovery_control(p).tolist()}


OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(
    json.dumps(
        {
            "samples": list(sample_cases()),
            "exact": list(exact_p_values()),
            "counts": list(count_cases()),
            "rare": list(rare_cases()),
            "adjusted": list(adjusted_cases()),
        }
    )
    + "\n"
)
