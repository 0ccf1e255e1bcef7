"""Compares exported models under ONNX Runtime with `netsec predict`, row by row, on the real data sets.

Trains a bundle for each case with a search of one candidate, exports it, and scores the same rows both
ways. Fails when a probability differs by more than 1e-5, when a label differs further than 1e-6 from the
threshold, when the one refuses a row that the other scores, or when a case does not show what it is for.

python onnxruntime.py --netsec target/release/netsec --data DIR   (DIR holds phishing.csv and nsl_kdd/)
"""

import csv
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

# Beside a script of this name, the package is looked for elsewhere first.
sys.path = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent]

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime as ort  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
PROBABILITY_TOLERANCE = 1e-5
THRESHOLD_TOLERANCE = 1e-6
BLANK_SHARE = 0.05
TEST_ROWS = 8_000

SEARCH = {
    "logistic_regression": {"c": [0.3]},
    "decision_tree": {"max_depth": [8], "min_samples_leaf": [20]},
    "random_forest": {"n_estimators": [60], "max_features": ["sqrt"], "min_samples_leaf": [1]},
    "extra_trees": {"n_estimators": [60], "max_features": ["sqrt"], "min_samples_leaf": [1]},
    "gradient_boosting": {
        "n_estimators": [60],
        "num_leaves": [31],
        "learning_rate": [0.1],
        "feature_fraction": [1.0],
        # Softmax over classes of few rows runs away without it: what is compared here is the export.
        "min_sum_hessian_in_leaf": [1.0],
    },
}
DERIVED = """
  - {name: difference, difference: [src_bytes, dst_bytes]}
  - {name: product, product: [src_bytes, dst_bytes]}
  - {name: bins, bins: {of: src_bytes, edges: [0, 1, 100, 10000.5]}}
"""


def linear(**spec):
    return setting("transformation.preprocessing.linear", spec)


def trees(**spec):
    return setting("transformation.preprocessing.trees", spec)


def setting(key, value):
    return ["--set", f"{key}={json.dumps(value)}"]


# name, data set, family, further settings, what is done to schema and rows
CASES = [(f"{data} {family}", data, family, [], set()) for data in ("phishing", "nsl_kdd") for family in SEARCH]
CASES += [(f"families {family}", "nsl_kdd", family, [], {"families"}) for family in SEARCH if family != "extra_trees"]
CASES += [
    ("missing, left so", "nsl_kdd", "gradient_boosting", [], {"blanks", "derived"}),
    ("missing, left so, forest", "phishing", "random_forest", [], {"blanks"}),
    (
        "missing, medians, one-hot, standard",
        "nsl_kdd",
        "logistic_regression",
        linear(imputer="median", encoder="one_hot_levels", scaler="standard"),
        {"blanks", "derived"},
    ),
    (
        "missing, modes, one-hot text, min-max",
        "nsl_kdd",
        "logistic_regression",
        linear(imputer="most_frequent", encoder="one_hot_text", scaler="min_max"),
        {"blanks", "families"},
    ),
    (
        "missing, medians, ordinal, robust",
        "nsl_kdd",
        "random_forest",
        trees(imputer="median", encoder="ordinal", scaler="robust"),
        {"blanks", "derived"},
    ),
    (
        "missing, modes, one-hot levels",
        "phishing",
        "gradient_boosting",
        trees(imputer="most_frequent", encoder="one_hot_levels", scaler="none"),
        {"blanks"},
    ),
    (
        "categories",
        "nsl_kdd",
        "gradient_boosting",
        trees(imputer="none", encoder="categorical", scaler="none"),
        {"blanks"},
    ),
    (
        "categories, families, modes",
        "nsl_kdd",
        "gradient_boosting",
        trees(imputer="most_frequent", encoder="categorical", scaler="none"),
        {"blanks", "families"},
    ),
    ("neighbours", "phishing", "gradient_boosting", trees(imputer="knn"), {"blanks", "knn"}),
    ("neighbours, derived", "nsl_kdd", "gradient_boosting", trees(imputer="knn"), {"derived", "knn"}),
    ("isotonic", "phishing", "gradient_boosting", setting("training.calibration", "isotonic"), set()),
    ("isotonic forest", "nsl_kdd", "random_forest", setting("training.calibration", "isotonic"), set()),
    ("uncalibrated", "phishing", "random_forest", setting("training.calibration", "none"), set()),
]


class Dataset:
    """A real data set: names of its columns, rows to train on, rows to compare on."""

    def __init__(self, name, data):
        self.name = name
        self.schema = (ROOT / "schema" / f"{name}.yaml").read_text()
        self.names = re.findall(r"^  - (?:\{name: |name: )(\w+)", self.schema.split("\ntarget:")[0], re.M)
        if name == "phishing":
            rows = read(data / "phishing.csv")
            self.names, self.train = rows[0], rows[1:]
            self.test = self.train
        else:
            self.train = read(data / "nsl_kdd" / "KDDTrain+.txt")[::10]
            self.test = read(data / "nsl_kdd" / "KDDTest+.txt")
        assert len(self.names) == len(self.train[0]), f"{self.names} do not name {self.train[0]}"
        self.target = "Result" if name == "phishing" else "label"
        self.features = [n for n in self.names if n not in (self.target, "difficulty")]

    def write(self, path, rows):
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if "header: false" not in self.schema:
                writer.writerow(self.names)
            writer.writerows(rows)

    def write_features(self, path, rows):
        """Writes JSON lines: a column named as one that `netsec predict` adds would be in its way."""
        places = [(name, self.names.index(name)) for name in self.features]
        lines = (json.dumps({name: row[at] for name, at in places}) for row in rows)
        path.write_text("".join(f"{line}\n" for line in lines))

    def altered_schema(self, changes):
        text = self.schema
        if "blanks" in changes:
            head, tail = text.split("\ntarget:")
            text = re.sub(r"\btype: (?!text\}|integer, min: 0, max: 21)", "may_be_missing: true, type: ", head)
            text = re.sub(r"^    may_be_missing: true, ", "    may_be_missing: true\n    ", text, flags=re.M)
            text += "\ntarget:" + tail
        if "families" in changes:
            text = text.replace("classes: binary", "classes: families")
        if "derived" in changes:
            text = text.replace("\nquality:", DERIVED.rstrip() + "\nquality:")
        return text

    def blanked(self, rows, rng):
        places = [self.names.index(n) for n in self.features]
        blanked = [list(row) for row in rows]
        for row in blanked:
            for at in places:
                if rng.random() < BLANK_SHARE:
                    row[at] = rng.choice(["", "?", "NA"])
        return blanked

    def odd(self, rows, rng):
        """Rows with what no schema foresees: unknown levels, foreign values, numbers beyond floats."""
        if self.name == "phishing":
            oddities = {n: ["7", "0.5", "-1.0", "1e300"] for n in ("SFH", "port", "web_traffic")}
        else:
            oddities = {
                "service": ["quic", "http", "HTTP"],
                "flag": ["S9"],
                "src_bytes": ["16777217", "9007199254740993", "1e300", "-1", "0.5", "-0"],
                "dst_bytes": ["0", "1e39", "1e-320"],
                "serror_rate": ["1.0000001", "1e-9", "0.3"],
                "su_attempted": ["3", "1.5"],
            }
        odd = [list(row) for row in rows]
        for row in odd:
            column = rng.choice(list(oddities))
            row[self.names.index(column)] = str(rng.choice(oddities[column]))
        return odd


    def on_thresholds(self, rows, model, rng):
        """Rows with rates at the trees' very thresholds, and off them by less than a float tells apart.

        Where features are the columns themselves; elsewhere thresholds are but numbers like others.
        """
        splits = [
            (self.features[feature], threshold)
            for feature, threshold in thresholds(model)
            if feature < len(self.features) and self.features[feature].endswith("_rate")
        ]
        if not splits:
            return []
        on = [list(row) for row in rows]
        for at, row in enumerate(on):
            column, threshold = splits[rng.integers(len(splits))]
            nudge = (0.0, 1e-12, -1e-12)[at % 3]
            row[self.names.index(column)] = repr(float(threshold * (1.0 + nudge)))
        return on


def thresholds(model):
    """Returns the feature and the threshold of every split."""
    for node in model.graph.node:
        if node.op_type == "TreeEnsembleRegressor":
            found = {a.name: a for a in node.attribute}
            values = onnx.numpy_helper.to_array(found["nodes_values_as_tensor"].t)
            modes = found["nodes_modes"].strings
            return [(f, v) for f, v, m in zip(found["nodes_featureids"].ints, values, modes) if m != b"LEAF"]
    return []


def read(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def call(netsec, *arguments):
    done = subprocess.run([netsec, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"netsec {' '.join(map(str, arguments))}: exit code {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def feed(session, dataset, rows):
    """Gives each input its column: doubles, NaN for a missing token, or texts."""
    tokens = set(json.loads(session.get_modelmeta().custom_metadata_map["missing_tokens"]))
    tensors = {}
    for wanted in session.get_inputs():
        cells = [row[dataset.names.index(wanted.name)] for row in rows]
        if wanted.type == "tensor(string)":
            tensors[wanted.name] = np.array(cells, dtype=object).reshape(-1, 1)
        else:
            numbers = [math.nan if cell in tokens else float(cell) for cell in cells]
            tensors[wanted.name] = np.array(numbers, dtype=np.float64).reshape(-1, 1)
    return tensors


def score(session, tensors):
    """Runs a session; returns its outputs by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, tensors)))


def compare(found, expected, threshold):
    """Compares with the lines of `netsec predict`; returns the largest difference and the counts."""
    refused = np.array([line["label"] is None for line in expected])
    wanted = np.array([math.nan if line["label"] is None else line["threat_probability"] for line in expected])
    probability = found["threat_probability"]
    assert probability.shape == wanted.shape, f"{probability.shape} is not {wanted.shape}"
    assert (np.isnan(probability) == refused).all(), (
        f"refused: {refused.sum()} by netsec, {np.isnan(probability).sum()} by the graph"
    )
    difference = np.abs(probability - wanted)[~refused].max(initial=0.0)
    assert difference <= PROBABILITY_TOLERANCE, f"probabilities differ by {difference}"
    for label, line, p in zip(found["label"], expected, wanted):
        near = abs(p - threshold) <= THRESHOLD_TOLERANCE
        assert label == (line["label"] or "") or near, f"{label} is not {line['label']} at {p}"
    return difference, int(refused.sum())


def check_rows_alone(session, tensors, batch):
    """The same rows one by one, and in batches of 7, give what they give together."""
    for size, count in ((1, 100), (7, 700)):
        for start in range(0, min(count, len(batch["label"])), size):
            some = {name: values[start : start + size] for name, values in tensors.items()}
            for name, values in score(session, some).items():
                whole = batch[name][start : start + size]
                equal = (values == whole) if name == "label" else np.isclose(values, whole, 0, 1e-12, equal_nan=True)
                assert np.all(equal), f"{name} of rows {start}.. alone: {values}, together {whole}"


def check_classes(found, classes):
    """Class probabilities go with the threat probability, and the label with both."""
    probabilities, threat = found["probabilities"], found["threat_probability"]
    scored = ~np.isnan(threat)
    assert probabilities.shape == (len(threat), len(classes)), probabilities.shape
    assert np.isnan(probabilities[~scored]).all(), "a refused row has class probabilities"
    # Where no threat has any probability, there is none to take what calibration gives.
    shared = scored & (probabilities[:, 1:].sum(axis=1) > 0)
    total = np.abs(probabilities[shared].sum(axis=1) - 1.0).max()
    assert total <= 1e-9, f"class probabilities sum to 1 and {total}"
    benign = np.abs(probabilities[scored, 0] - (1 - threat[scored])).max()
    assert benign <= 1e-12, f"benign and threat sum to 1 and {benign}"
    flagged = scored & (found["label"] != classes[0])
    likeliest = np.array(classes, dtype=object)[1:][probabilities[flagged, 1:].argmax(axis=1)]
    wrong = np.flatnonzero(found["label"][flagged] != likeliest)
    assert not len(wrong), f"{found['label'][flagged][wrong[:3]]} at {probabilities[flagged][wrong[:3]]}"
    assert len(set(likeliest)) > 2, f"only {set(likeliest)} are told apart: this shows little"


def check_neighbours(session, batch, rows, dataset, exported):
    """Incomplete rows have no probability, and the export says so."""
    assert any("complete rows only" in note for note in exported["notes"]), exported
    assert "complete rows only" in session.get_modelmeta().custom_metadata_map["notes"]
    incomplete = np.isnan(batch["threat_probability"])
    assert 0 < incomplete.sum() < len(rows), f"{incomplete.sum()} of {len(rows)} rows incomplete"
    if dataset.name == "phishing":
        places = [dataset.names.index(n) for n in dataset.features]
        blank = np.array([any(row[at] in ("", "?", "NA") for at in places) for row in rows])
    else:
        places = [dataset.names.index(n) for n in ("dst_bytes", "count")]
        blank = np.array([any(float(row[at]) == 0.0 for at in places) for row in rows])
    assert (incomplete == blank).all(), f"{incomplete.sum()} without probability, {blank.sum()} incomplete"
    return ~incomplete


def run_case(case, dataset, netsec, work):
    name, _, family, settings, changes = case
    rng = np.random.default_rng(20260203)
    blank = (lambda rows: dataset.blanked(rows, rng)) if "blanks" in changes else list
    schema, train, model = work / "schema.yaml", work / "train.csv", work / "model.onnx"
    schema.write_text(dataset.altered_schema(changes))
    dataset.write(train, blank(dataset.train[: 3000 if "knn" in changes else None]))
    arguments = ["--dataset", schema, "--source", train, "--json", "--force", "--why", "a comparison"]
    arguments += setting("training.families", [family]) + setting(f"training.search.{family}", SEARCH[family])
    arguments += setting("training.folds", 2) + setting("training.baseline_rows", 0) + settings
    # Wide enough for a single tree, whose scores come in steps, to flag some rows.
    arguments += setting("training.max_fpr", 0.05)
    call(netsec, "run", "--artifacts", work / "artifacts", *arguments)
    place = ["--artifacts", work / "artifacts", "--json"]
    exported = call(netsec, "models", "export", dataset.name, "--format", "onnx", "--output", model, *place)
    graph = onnx.load(model)
    onnx.checker.check_model(graph, full_check=True)
    session = ort.InferenceSession(model)
    meta = session.get_modelmeta().custom_metadata_map

    test = dataset.test[:: -(-len(dataset.test) // TEST_ROWS)]
    if "knn" in changes:
        test = blank(test[:2000])
        kept = check_neighbours(session, score(session, feed(session, dataset, test)), test, dataset, exported)
        test = [row for row, keep in zip(test, kept) if keep]
        assert any(note.startswith("for complete rows only") for note in exported["notes"]), exported
    else:
        test = blank(test) + dataset.odd(test[:2000], rng) + dataset.on_thresholds(test[:2000], graph, rng)
        assert exported["notes"] == [], exported
    rows, verdicts = work / "rows.jsonl", work / "verdicts.jsonl"
    dataset.write_features(rows, test)
    call(netsec, "predict", "--model", dataset.name, "--input", rows, "--output", verdicts, *place)
    expected = [json.loads(line) for line in verdicts.read_text().splitlines()]

    tensors = feed(session, dataset, test)
    found = score(session, tensors)
    difference, refused = compare(found, expected, float(meta["operating_threshold"]))
    assert "knn" in changes or refused > 0, "no row was refused: the odd rows show nothing"
    check_rows_alone(session, tensors, found)
    if "families" in changes:
        check_classes(found, json.loads(meta["classes"]))
    labels = len(set(found["label"]) - {""})
    assert labels > 1, "all rows have one label: this shows nothing"
    return f"{len(test):6} rows, {refused:5} refused, {labels} labels, differ by {difference:.1e}"


def main():
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--netsec", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    arguments = parser.parse_args()
    netsec, data = arguments.netsec.resolve(), arguments.data.resolve()
    datasets = {name: Dataset(name, data) for name in ("phishing", "nsl_kdd")}
    failed = passed = 0
    for case in CASES:
        if arguments.only not in case[0]:
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as work:
            try:
                outcome, passed = run_case(case, datasets[case[1]], netsec, Path(work)), passed + 1
            except Exception as error:  # One broken case must not hide the others.
                outcome, failed = f"FAILED: {error}", failed + 1
        print(f"{case[0]:38} {outcome}  ({time.monotonic() - start:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
