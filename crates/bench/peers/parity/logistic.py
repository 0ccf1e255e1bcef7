"""Makes crates/trainer/tests/fixtures/logistic.json: coefficients as scikit-learn fits them.

Run from the root of the repository: python crates/bench/peers/parity/logistic.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression


def features(rng, n, sparse):
    """A one-hot column of four levels (collinear with the intercept), a constant, and numbers."""
    level = rng.integers(0, 4, n)
    one_hot = np.eye(4)[level]
    numbers = rng.standard_normal((n, 1 if sparse else 12)) * 3
    if sparse:
        one_hot = np.hstack([one_hot, np.eye(6)[rng.integers(0, 6, n)]])
    return np.round(np.hstack([one_hot, np.ones((n, 1)), numbers]), 2).astype(np.float32)


def case(rng, n, n_classes, c, sparse):
    x = features(rng, n, sparse)
    truth = rng.standard_normal((x.shape[1], n_classes))
    y = np.argmax(x @ truth / 2 + rng.gumbel(size=(n, n_classes)), axis=1)
    assert len(np.unique(y)) == n_classes
    model = LogisticRegression(C=c, tol=1e-12, max_iter=100_000, solver="newton-cg")
    model.fit(x.astype(np.float64), y)
    return dict(
        c=c, n_classes=n_classes, labels=y.tolist(), x=x.astype(float).round(2).tolist(),
        coefficients=model.coef_.ravel().tolist(), intercepts=model.intercept_.tolist(),
    )


def main():
    rng = np.random.default_rng(20260204)
    cases = [
        case(rng, 120, 2, 1.0, True),
        case(rng, 120, 2, 0.01, False),
        case(rng, 90, 2, 100.0, False),
        case(rng, 120, 4, 1.0, True),
        case(rng, 100, 3, 10.0, False),
    ]
    path = Path(__file__).parents[2] / "crates/trainer/tests/fixtures/logistic.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
