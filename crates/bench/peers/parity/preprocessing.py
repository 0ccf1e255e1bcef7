"""Makes crates/model/tests/fixtures/preprocessing.json: what scikit-learn's imputers, encoder and
scalers give on generated rows. Run: python crates/bench/peers/parity/preprocessing.py"""

import json
import pathlib

import numpy as np
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.metrics.pairwise import nan_euclidean_distances
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "crates/model/tests/fixtures/preprocessing.json"
SCALERS = {"standard": StandardScaler, "min_max": MinMaxScaler, "robust": RobustScaler}
# Columns of the pipelines: the levels of those that have any.
LEVELS = [None, [-1.0, 0.0, 1.0], None, None, [0.0, 1.0, 2.0]]
TEXT = 4
SPECS = [
    ("none", "ordinal", "none"),
    ("none", "one_hot_text", "standard"),
    ("none", "one_hot_levels", "robust"),
    ("median", "one_hot_levels", "standard"),
    ("median", "one_hot_text", "min_max"),
    ("median", "ordinal", "robust"),
    ("most_frequent", "ordinal", "standard"),
    ("most_frequent", "one_hot_levels", "min_max"),
    ("most_frequent", "one_hot_text", "robust"),
    ("knn", "one_hot_text", "standard"),
    ("knn", "ordinal", "min_max"),
]


def plain(rows):
    """Rows as JSON: null for NaN, 12 digits."""
    return [[None if np.isnan(v) else float(f"{v:.12g}") for v in row] for row in rows]


def blanked(random, x, share=0.15):
    x = x.copy()
    x[random.random(x.shape) < share] = np.nan
    return x


def mixed(random, n, unknown):
    """Skewed, -1/0/1, constant, away from zero, text codes (code 3: unknown).

    Not far away: at 1e6, scikit-learn's x² - 2xy + y² errs by 0.01 in a distance. The fourth column
    is whole, so that no two distances are equal.
    """
    columns = [
        np.round(random.lognormal(size=n), 3),
        random.integers(-1, 2, n),
        np.full(n, 3.25),
        np.round(100 + random.normal(size=n), 3),
        random.choice([0, 1, 1, 2, 3] if unknown else [0, 1, 1, 2], n),
    ]
    x = blanked(random, np.array(columns, dtype=float).T)
    x[:, 3] = columns[3]
    return x


def impute(kind, fit, rows):
    if kind == "none":
        return fit, rows
    imputer = SimpleImputer(strategy={"knn": "mean"}.get(kind, kind)).fit(fit)
    if kind == "knn":
        for row in np.vstack([fit, rows])[:, :TEXT]:
            for column in np.flatnonzero(np.isnan(row)):
                assert not undecided(fit[:, :TEXT], row, column, 4)
        numeric = KNNImputer(n_neighbors=4, weights="distance").fit(fit[:, :TEXT])
        fit_filled, rows_filled = numeric.transform(fit[:, :TEXT]), numeric.transform(rows[:, :TEXT])
    else:
        fit_filled, rows_filled = imputer.transform(fit)[:, :TEXT], imputer.transform(rows)[:, :TEXT]
    text = SimpleImputer(strategy="most_frequent").fit(fit[:, TEXT:])
    return (
        np.hstack([fit_filled, text.transform(fit[:, TEXT:])]),
        np.hstack([rows_filled, text.transform(rows[:, TEXT:])]),
    )


def pipeline(imputer, encoder, scaler, fit, rows):
    fit, rows = impute(imputer, fit, rows)
    parts = []
    for column, levels in enumerate(LEVELS):
        a, b = fit[:, [column]], rows[:, [column]]
        one_hot = {
            "ordinal": False,
            "one_hot_text": column == TEXT,
            "one_hot_levels": levels is not None,
        }[encoder]
        if one_hot:
            hot = OneHotEncoder(categories=[levels], handle_unknown="ignore", sparse_output=False)
            parts.append(hot.fit(a).transform(b))
        elif scaler == "none":
            parts.append(b)
        else:
            parts.append(SCALERS[scaler]().fit(a).transform(b))
    return np.hstack(parts)


def undecided(fit, row, column, k):
    """Whether the k-th and the (k+1)-th donor are equally far."""
    distances = np.sort(nan_euclidean_distances([row], fit[~np.isnan(fit[:, column])])[0])
    return distances[k] - distances[k - 1] < 1e-6


def knn_case(name, k, weights, fit, rows):
    filled = KNNImputer(n_neighbors=k, weights=weights).fit(fit).transform(rows)
    for at, row in enumerate(rows):
        for column in np.flatnonzero(np.isnan(row)):
            if undecided(fit, row, column, k):
                filled[at, column] = np.nan
    asked, decided = np.isnan(rows).sum(), np.isnan(rows).sum() - np.isnan(filled).sum()
    print(f"{name}, k = {k}, {weights}: {decided} of {asked} cells decided")
    case = {"name": name, "k": k, "weights": weights}
    return case | {"fit": plain(fit), "rows": plain(rows), "expected": plain(filled)}


def main():
    random = np.random.default_rng(20260203)
    fit, rows = mixed(random, 60, False), mixed(random, 10, True)
    pipelines = [
        dict(zip(("imputer", "encoder", "scaler"), spec)) | {"expected": plain(pipeline(*spec, fit, rows))}
        for spec in SPECS
    ]
    smooth = blanked(random, np.round(random.normal(size=(80, 4)) * [1, 10, 0.1, 3], 4))
    codes = blanked(random, random.integers(-1, 2, (80, 12)).astype(float))
    whole = np.array([[np.nan] * 4] * 2)
    cases = [
        knn_case("smooth", 3, "uniform", smooth[:50], np.vstack([smooth[45:], whole[:1]])),
        knn_case("smooth", 5, "distance", smooth[:50], smooth[45:]),
        knn_case("codes", 1, "uniform", codes[:50], codes[50:]),
        knn_case("codes", 3, "distance", codes[:50], codes[45:]),
    ]
    everything = {"fit": plain(fit), "rows": plain(rows), "pipelines": pipelines, "knn": cases}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(everything, separators=(",", ":")).replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main()
