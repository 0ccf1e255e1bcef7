"""Compares `netsec run` with LightGBM and scikit-learn's forests trained on the same exported partitions.

    python crates/bench/peers/phishing_peers.py --netsec target/release/netsec --data phishing.csv

For each seed the pipeline is run and its partitions are read back. Each peer is trained at its defaults
(300 trees for the forests, 200 for LightGBM); its thresholds come from its own out-of-fold scores under
grouped folds on the training partition, by the same rules: F1-optimal, and the lowest with at most 1 % false
positives. Printed: means over the seeds on the holdout.
"""

import argparse
import json
import subprocess
import tempfile

import lightgbm
import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, precision_recall_curve, roc_auc_score, roc_curve
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

PEERS = {
    "LightGBM 200": lambda: lightgbm.LGBMClassifier(n_estimators=200, n_jobs=1, verbose=-1, random_state=0),
    "random forest 300": lambda: RandomForestClassifier(300, n_jobs=2, random_state=0),
    "extra trees 300": lambda: ExtraTreesClassifier(300, n_jobs=2, random_state=0),
}


def read(path):
    frame = pd.read_parquet(path)
    x = frame.drop(columns="Result")
    return x, (frame["Result"] == -1).astype(int).to_numpy()


def thresholds(y, scores):
    precision, recall, cuts = precision_recall_curve(y, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    fpr, _, roc_cuts = roc_curve(y, scores, drop_intermediate=False)
    return cuts[np.argmax(f1[:-1])], roc_cuts[fpr <= 0.01][-1]


def judge(y, scores, at_f1, operating):
    flagged = scores >= operating
    return {
        "accuracy": accuracy_score(y, scores >= at_f1),
        "f1": f1_score(y, scores >= at_f1),
        "roc_auc": roc_auc_score(y, scores),
        "operating_fpr": flagged[y == 0].mean(),
        "operating_recall": flagged[y == 1].mean(),
    }


def peer(make, train, holdout):
    (x, y), (xh, yh) = train, holdout
    groups = x.astype(str).agg(",".join, axis=1)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    oof = cross_val_predict(make(), x, y, groups=groups, cv=folds, method="predict_proba")[:, 1]
    scores = make().fit(x, y).predict_proba(xh)[:, 1]
    return judge(yh, scores, *thresholds(y, oof))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--netsec", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", default="101,102,103,104,105")
    arguments = parser.parse_args()
    rows = []
    for seed in arguments.seeds.split(","):
        with tempfile.TemporaryDirectory() as place:
            command = [arguments.netsec, "run", "--json", "--seed", seed, "--source", arguments.data]
            done = subprocess.run([*command, "--artifacts", place], check=True, capture_output=True)
            run = json.loads(done.stdout)
            f1, holdout = run["holdout_at_f1_threshold"], run["holdout"]
            ours = {
                "accuracy": f1["accuracy"],
                "f1": f1["f1"],
                "roc_auc": holdout["roc_auc"]["value"],
                "operating_fpr": holdout["fpr"]["value"],
                "operating_recall": holdout["recall"]["value"],
                "seconds": run["seconds"]["total"],
            }
            rows.append({"seed": seed, "model": "netsec", **ours})
            partitions = [read(run["partitions"][side]) for side in ("train", "holdout")]
            for name, make in PEERS.items():
                rows.append({"seed": seed, "model": name, **peer(make, *partitions)})
    frame = pd.DataFrame(rows)
    print(frame.drop(columns="seed").groupby("model").mean().round(4).to_string())


if __name__ == "__main__":
    main()
