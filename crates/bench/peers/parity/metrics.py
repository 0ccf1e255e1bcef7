"""Makes crates/model/tests/fixtures/metrics.json: metrics and calibrations as scikit-learn computes them.

Run from the root of the repository: python crates/bench/peers/parity/metrics.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn import metrics as sk
from sklearn.calibration import _sigmoid_calibration, calibration_curve
from sklearn.isotonic import IsotonicRegression

BINS = 15
SHRINKAGE = 1e-6


def recall_at_fpr(truth, scores, weights, max_fpr):
    fpr, tpr, _ = sk.roc_curve(truth, scores, sample_weight=weights, drop_intermediate=False)
    return tpr[fpr <= max_fpr].max()


def calibration_error(truth, scores, weights):
    """The weighted mean distance over calibration_curve's bins (right-closed, of equal width)."""
    edges = np.linspace(0, 1, BINS + 1)
    bins = np.searchsorted(edges[1:-1], scores)
    total = sum(
        abs(np.sum(weights[bins == b] * (scores[bins == b] - truth[bins == b]))) for b in range(BINS)
    )
    return total / weights.sum()


def case(truth, scores, weights, thresholds):
    w = np.ones(len(truth)) if weights is None else weights.astype(float)
    ranked = dict(sample_weight=w)
    confusions = []
    for threshold in thresholds:
        flagged = scores >= threshold
        tn, fp, fn, tp = sk.confusion_matrix(truth, flagged, labels=[False, True], **ranked).ravel()
        confusions.append(
            dict(
                threshold=threshold, tp=int(tp), fp=int(fp), tn=int(tn), fn=int(fn),
                accuracy=sk.accuracy_score(truth, flagged, **ranked),
                precision=sk.precision_score(truth, flagged, zero_division=0, **ranked),
                recall=sk.recall_score(truth, flagged, zero_division=0, **ranked),
                f1=sk.f1_score(truth, flagged, zero_division=0, **ranked),
                mcc=sk.matthews_corrcoef(truth, flagged, **ranked),
            )
        )
    fpr, tpr, _ = sk.roc_curve(truth, scores, drop_intermediate=False, **ranked)
    precision, recall, _ = sk.precision_recall_curve(truth, scores, **ranked)
    share, mean = calibration_curve(
        np.repeat(truth, w.astype(int)), np.repeat(scores, w.astype(int)), n_bins=BINS
    )
    return dict(
        scores=scores.tolist(), truth=truth.tolist(),
        weights=None if weights is None else weights.tolist(),
        roc_auc=sk.roc_auc_score(truth, scores, **ranked),
        average_precision=sk.average_precision_score(truth, scores, **ranked),
        log_loss=sk.log_loss(truth, scores, labels=[False, True], **ranked),
        brier=sk.brier_score_loss(truth, scores, **ranked),
        calibration_error=calibration_error(truth, scores, w),
        recall_at_fpr=[[f, recall_at_fpr(truth, scores, w, f)] for f in (0.0, 0.01, 0.05, 0.2, 1.0)],
        confusions=confusions,
        roc=np.column_stack([fpr, tpr]).tolist(),
        # scikit-learn lists falling recall.
        pr=np.column_stack([recall, precision])[::-1].tolist(),
        reliability=np.column_stack([mean, share]).tolist(),
    )


def shrunk_logit(p):
    q = SHRINKAGE + (1 - 2 * SHRINKAGE) * p
    return np.log(q / (1 - q))


def platt(truth, p):
    """scikit-learn's slope and offset, and the same minimum found to the last digits."""
    f = shrunk_logit(p)
    a, b = _sigmoid_calibration(f, truth.astype(float))
    n1, n0 = truth.sum(), (~truth).sum()
    t = np.where(truth, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def loss(ab):
        z = ab[0] * f + ab[1]
        return np.sum(t * z + np.logaddexp(0, -z))

    def gradient(ab):
        e = t - 1 / (1 + np.exp(ab[0] * f + ab[1]))
        return np.array([np.sum(f * e), np.sum(e)])

    def hessian(ab):
        q = 1 / (1 + np.exp(ab[0] * f + ab[1]))
        d = q * (1 - q)
        return np.array([[np.sum(f * f * d), np.sum(f * d)], [np.sum(f * d), np.sum(d)]])

    x = minimize(loss, [a, b], jac=gradient, hess=hessian, method="trust-exact", options=dict(gtol=1e-12)).x
    for _ in range(3):
        x = x - np.linalg.solve(hessian(x), gradient(x))
    return dict(scikit_learn=[a, b], minimum=x.tolist())


def calibrations(rng):
    truth = rng.random(120) < 0.4
    p = np.clip(np.round(0.5 + 0.22 * (2 * truth - 1) + 0.25 * rng.standard_normal(120), 2), 0, 1)
    at = np.round(np.linspace(0, 1, 41), 3)
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(p, truth)
    return dict(
        probabilities=p.tolist(), truth=truth.tolist(), at=at.tolist(),
        isotonic=isotonic.predict(at).tolist(), platt=platt(truth, p),
    )


def multiclass(rng):
    truth = rng.integers(0, 4, 90)
    predicted = np.where(rng.random(90) < 0.6, truth, rng.integers(0, 4, 90))
    weights = rng.integers(0, 4, 90)
    return dict(
        truth=truth.tolist(), predicted=predicted.tolist(), weights=weights.tolist(),
        matrix=sk.confusion_matrix(truth, predicted, sample_weight=weights).astype(int).tolist(),
        accuracy=sk.accuracy_score(truth, predicted, sample_weight=weights),
        macro_f1=sk.f1_score(truth, predicted, average="macro", sample_weight=weights),
        matthews=sk.matthews_corrcoef(truth, predicted, sample_weight=weights),
    )


def main():
    warnings.simplefilter("error")
    rng = np.random.default_rng(20260203)
    cases = []
    for n, digits, weighted in [(80, 12, False), (150, 1, False), (150, 2, True), (40, 0, True)]:
        truth = rng.random(n) < 0.45
        scores = np.round(1 / (1 + np.exp(-(2 * truth - 1 + 1.5 * rng.standard_normal(n)))), digits)
        weights = rng.integers(0, 4, n) if weighted else None
        cases.append(case(truth, scores, weights, [0.05, 0.3, 0.5, 0.77, 1.0]))
    fixture = dict(cases=cases, multiclass=multiclass(rng), calibration=calibrations(rng))
    path = Path(__file__).parents[2] / "crates/model/tests/fixtures/metrics.json"
    path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
