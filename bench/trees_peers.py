"""Times the tree learners beside LightGBM and scikit-learn in one run, and compares their AUC.

usage: trees_peers.py FIT_CSV DATA_DIR [phishing|nsl_kdd]

FIT_CSV is the built example `fit_csv` of the crate `trees`. Everything runs on one thread; seconds
are medians of five. Phishing is split 80/20 with equal feature vectors on one side, over several
seeds; NSL-KDD is trained on KDDTrain+ and scored on KDDTest+.
"""

import json, os, statistics, subprocess, sys, tempfile, time

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np, pandas as pd
from lightgbm import LGBMClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.tree import DecisionTreeClassifier

PEERS = {
    "boosting": lambda: LGBMClassifier(n_jobs=1, verbose=-1, random_state=1),
    "random_forest": lambda: RandomForestClassifier(n_jobs=1, random_state=1),
    "extra_trees": lambda: ExtraTreesClassifier(n_jobs=1, random_state=1),
    "decision_tree": lambda: DecisionTreeClassifier(random_state=1),
}


def phishing(data):
    table = pd.read_csv(f"{data}/phishing.csv")
    x = table.drop(columns="Result").to_numpy(np.float32)
    y = (table["Result"] == -1).to_numpy(int)
    groups = pd.DataFrame(x).groupby(list(range(x.shape[1])), sort=False).ngroup()
    yield "all rows", x, y, x, y
    for seed in range(101, 106):
        splitter = GroupShuffleSplit(1, test_size=0.2, random_state=seed)
        train, test = next(splitter.split(x, y, groups))
        yield f"seed {seed}", x[train], y[train], x[test], y[test]


def nsl_kdd(data):
    parts = [pd.read_csv(f"{data}/nsl_kdd/KDD{p}+.txt", header=None) for p in ("Train", "Test")]
    codes = {c: {v: i for i, v in enumerate(sorted(set(parts[0][c])))} for c in (1, 2, 3)}
    xs, ys = [], []
    for part in parts:
        x = part.iloc[:, :41].copy()
        for c in codes:
            x[c] = x[c].map(codes[c]).fillna(-1)
        xs.append(x.to_numpy(np.float32))
        ys.append((part[41] != "normal").to_numpy(int))
    yield "train -> test+", xs[0], ys[0], xs[1], ys[1]


def save(path, x, y):
    frame = pd.DataFrame(x)
    frame["label"] = y
    frame.to_csv(path, index=False)


def ours(binary, train, test, folder):
    save(f"{folder}/train.csv", *train)
    save(f"{folder}/test.csv", *test)
    env = dict(os.environ, RAYON_NUM_THREADS="1")
    run = subprocess.run([binary, f"{folder}/train.csv", f"{folder}/test.csv"], env=env, check=True, capture_output=True, text=True)
    for line in run.stdout.splitlines():
        row = json.loads(line)
        if row["what"] != "binning":
            row["auc"] = roc_auc_score(test[1], np.loadtxt(f"{folder}/test.csv.{row['what']}"))
        yield row


def peer(make, train, test):
    times = []
    for _ in range(5):
        model = make()
        start = time.perf_counter()
        model.fit(*train)
        times.append(time.perf_counter() - start)
        if sum(times) > 60:
            break
    return statistics.median(times), roc_auc_score(test[1], model.predict_proba(test[0])[:, 1])


def main():
    binary, data = sys.argv[1:3]
    sets = {"phishing": phishing, "nsl_kdd": nsl_kdd}
    for name in sys.argv[3:] or sets:
        for split, xt, yt, xv, yv in sets[name](data):
            with tempfile.TemporaryDirectory() as folder:
                for row in ours(binary, (xt, yt), (xv, yv), folder):
                    if row["what"] == "binning":
                        print(f"{name}, {split}: binning {row['seconds'] * 1e3:.1f} ms, {row['rows']} rows, {row['distinct']} distinct")
                        continue
                    seconds, auc = peer(PEERS[row["what"]], (xt, yt), (xv, yv))
                    print(f"  {row['what']:14} ours {row['seconds']:.4f} s (scoring {row['scoring']:.4f}) AUC {row['auc']:.5f} | peer {seconds:.4f} s AUC {auc:.5f}", flush=True)


main()
