"""Times the tree learners beside LightGBM, XGBoost and scikit-learn, in turn, and compares their AUC.

    cargo build --release -p bench
    pip install lightgbm xgboost-cpu scikit-learn pandas
    python crates/bench/peers/trees_peers.py --data DIR [--sets phishing nsl_kdd generated]
        [--learners boosting random_forest] [--threads 1 2] [--rounds 5] [--trees 100] [--leaves 31]

DIR holds phishing.csv and nsl_kdd/KDD{Train,Test}+.txt. Every library gets the same rows as float32, the
same number of threads, trees and leaves, and is otherwise at its defaults (XGBoost grows leaf-wise over
histograms). A time is from the rows in memory to the fitted model: binning is in it for all
(`lightgbm.Dataset`, `xgboost.QuantileDMatrix`). On one thread it is the processor's time, which other work
on the machine touches little; on several it is the clock's. Each fit runs in a fresh process after one that is not
timed (none above 500,000 rows), and the libraries take turns within a round, so that a busy machine slows
all of them; printed are medians over the rounds, and the memory that the fit added at its peak to a process
that already held the rows.

Held out: phishing, 20 % with equal feature vectors on one side, mean over five seeds; NSL-KDD, KDDTest+,
for reporting only, mean over five seeds of the learners; generated, 200,000 rows of the same distribution,
mean over three draws. `generated_product` has a product of two features that tell nothing alone: a greedy
learner finds it by chance, and its AUC moves by 0.003 from draw to draw. `generated_long`, only where it is asked
for, has 17,000,000 rows: more than sums in 64 bits take.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PEERS = {
    "boosting": ["lightgbm", "xgboost"],
    "random_forest": ["scikit-learn"],
    "extra_trees": ["scikit-learn"],
    "decision_tree": ["scikit-learn"],
}


def phishing(data, seed):
    import pandas as pd
    from sklearn.model_selection import GroupShuffleSplit

    table = pd.read_csv(data / "phishing.csv")
    x = table.drop(columns="Result").to_numpy(np.float32)
    y = (table["Result"] == -1).to_numpy(np.float32)
    if seed == 0:
        return (x, y), (x[:10], y[:10])
    groups = pd.DataFrame(x).groupby(list(range(x.shape[1])), sort=False).ngroup()
    train, test = next(GroupShuffleSplit(1, test_size=0.2, random_state=seed).split(x, y, groups))
    return (x[train], y[train]), (x[test], y[test])


def nsl_kdd(data, _):
    import pandas as pd

    parts = [pd.read_csv(data / f"nsl_kdd/KDD{part}+.txt", header=None) for part in ("Train", "Test")]
    codes = {c: {level: i for i, level in enumerate(sorted(set(parts[0][c])))} for c in (1, 2, 3)}
    sides = []
    for part in parts:
        x = part.iloc[:, :41].copy()
        for c in codes:
            x[c] = x[c].map(codes[c]).fillna(-1)
        sides.append((x.to_numpy(np.float32), (part[41] != "normal").to_numpy(np.float32)))
    return sides


def generated(_, seed, n=1_000_000, width=30, shift=1.0):
    rng = np.random.default_rng(7 + seed)
    x = rng.standard_normal((n + n // 5, width), dtype=np.float32)
    x[:, 10:15] = np.exp(x[:, 10:15])
    x[:, 15:20] = np.round(x[:, 15:20] * 2)
    x[:, 20:25] = np.where(rng.random((len(x), 5)) < 0.1, np.nan, x[:, 20:25])
    z = np.nan_to_num(x)
    margin = ((z[:, 0] + shift) * (z[:, 1] + shift / 2) + np.sin(2 * z[:, 2]) + np.abs(z[:, 3]) - z[:, 4]
              + 0.3 * np.log1p(z[:, 10]) * z[:, 5] + 0.4 * z[:, 15] + 0.5 * np.isnan(x[:, 20]) + 0.7 * (z[:, 21] > 0.5))
    y = (rng.random(len(x)) < 1 / (1 + np.exp(0.6 - margin))).astype(np.float32)
    return (x[:n], y[:n]), (x[n:], y[n:])


def generated_long(_, seed, n=17_000_000):
    rng = np.random.default_rng(7 + seed)
    x = rng.standard_normal((n + 200_000, 5), dtype=np.float32)
    margin = (x[:, 0] + 1) * (x[:, 1] + 0.5) + np.sin(2 * x[:, 2])
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-margin))).astype(np.float32)
    return (x[:n], y[:n]), (x[n:], y[n:])


SETS = {
    "phishing": (phishing, [101, 102, 103, 104, 105]),
    "nsl_kdd": (nsl_kdd, [1, 2, 3, 4, 5]),
    "generated": (generated, [0, 1, 2]),
    "generated_product": (lambda *which: generated(*which, shift=0.0), [0, 1, 2]),
    "generated_long": (generated_long, [0]),
}


def save(path, x, y):
    np.column_stack([x, y]).astype("<f4").tofile(path)


def memory(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return int(line.split()[1]) / 1024


def peer_fit(args, x, y):
    """Returns what fits on the rows, and what scores others with the fitted model."""
    if args.peer == "lightgbm":
        import lightgbm

        params = dict(objective="binary", num_leaves=args.leaves, num_threads=args.worker_threads, verbose=-1, seed=args.seed)
        return (lambda: lightgbm.train(params, lightgbm.Dataset(x, y), args.trees)), lambda m, rows: m.predict(rows)
    if args.peer == "xgboost":
        import xgboost

        params = dict(objective="binary:logistic", tree_method="hist", grow_policy="lossguide", max_depth=0,
                      max_leaves=args.leaves, eta=0.1, nthread=args.worker_threads, seed=args.seed)
        data = lambda rows, labels=None: xgboost.QuantileDMatrix(rows, labels, nthread=args.worker_threads)
        return (lambda: xgboost.train(params, data(x, y), args.trees)), lambda m, rows: m.predict(xgboost.DMatrix(rows))
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    make = {
        "random_forest": lambda: RandomForestClassifier(args.trees, n_jobs=args.worker_threads, random_state=args.seed),
        "extra_trees": lambda: ExtraTreesClassifier(args.trees, n_jobs=args.worker_threads, random_state=args.seed),
        "decision_tree": lambda: DecisionTreeClassifier(random_state=args.seed),
    }[args.learner]
    return (lambda: make().fit(x, y)), lambda m, rows: m.predict_proba(rows)[:, 1]


def worker(args):
    """Runs one fit of a peer and prints what `fit_trees` prints."""
    rows = np.fromfile(args.train, "<f4").reshape(-1, args.columns)
    x, y = np.ascontiguousarray(rows[:, :-1]), rows[:, -1].copy()
    del rows
    fit, score = peer_fit(args, x, y)
    for _ in range(args.warm_up):
        fit()
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS:")
    start, cpu = time.perf_counter(), time.process_time()
    model = fit()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = memory("VmHWM:")
    if args.scores:
        test = np.fromfile(args.test, "<f4").reshape(-1, args.columns)
        score(model, np.ascontiguousarray(test[:, :-1])).astype("<f8").tofile(args.scores)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mib": peak - before}))


def run(name, args, learner, threads, folder, columns, warm_up, scored, seed=1):
    command = [args.binary] if name == "ours" else [sys.executable, __file__, "--peer", name, "--worker-threads", str(threads)]
    command += ["--train", f"{folder}/train", "--columns", str(columns), "--learner", learner.replace("_", "-") if name == "ours" else learner]
    command += ["--trees", str(args.trees), "--leaves", str(args.leaves), "--warm-up", str(warm_up), "--seed", str(seed)]
    if scored:
        command += ["--test", f"{folder}/test", "--scores", f"{folder}/scores"]
    env = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    if scored:
        from sklearn.metrics import roc_auc_score

        truth = np.fromfile(f"{folder}/test", "<f4").reshape(-1, columns)[:, -1]
        scores = np.fromfile(f"{folder}/scores", "<f8")
        result["auc"] = roc_auc_score(truth, scores)
        result["accuracy"] = ((scores >= 0.5) == truth).mean()
    return result


def quality(args, set_name, learner, names):
    """Prints the AUC and accuracy of each library on held-out rows, means over the splits."""
    make, seeds = SETS[set_name]
    found = {name: [] for name in names}
    for seed in seeds:
        train, test = make(args.data, seed)
        with tempfile.TemporaryDirectory() as folder:
            save(f"{folder}/train", *train)
            save(f"{folder}/test", *test)
            for name in names:
                found[name].append(run(name, args, learner, 2, folder, train[0].shape[1] + 1, 0, True, seed))
    mean = lambda name, what: statistics.mean(result[what] for result in found[name])
    for name in names:
        print(f"  {name:13} AUC {mean(name, 'auc'):.5f} (ours less it {mean('ours', 'auc') - mean(name, 'auc'):+.5f})"
              f"  accuracy {mean(name, 'accuracy'):.4f} ({mean('ours', 'accuracy') - mean(name, 'accuracy'):+.4f})", flush=True)


def speed(args, set_name, learner, names, threads):
    """Prints medians over rounds in which the libraries take turns."""
    train, test = SETS[set_name][0](args.data, 0)
    results = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/train", *train)
        for _ in range(args.rounds):
            for name in names:
                warm_up = int(len(train[0]) <= 500_000)
                results[name].append(run(name, args, learner, threads, folder, train[0].shape[1] + 1, warm_up, False))
    median = lambda name, what: statistics.median(result[what] for result in results[name])
    what = "cpu" if threads == 1 else "seconds"
    ours = median("ours", what)
    print(f"  {threads} thread{'s' * (threads > 1)}: ours {ours:.3f} s (binning {median('ours', 'binning'):.3f}), {median('ours', 'peak_mib'):.0f} MiB", flush=True)
    for name in names[1:]:
        ratios = [a[what] / b[what] for a, b in zip(results["ours"], results[name])]
        best = min(r[what] for r in results["ours"]) / min(r[what] for r in results[name])
        print(f"    {name} {median(name, what):.3f} s, {median(name, 'peak_mib'):.0f} MiB: ours takes {ours / median(name, what):.2f} of it"
              f" ({min(ratios):.2f} to {max(ratios):.2f} over the rounds, {best:.2f} best to best)", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/fit_trees")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", nargs="+", default=[name for name in SETS if name != "generated_long"], choices=SETS)
    parser.add_argument("--learners", nargs="+", default=["boosting", "random_forest"], choices=PEERS)
    parser.add_argument("--without", nargs="+", default=[], help="peers to leave out")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-quality", action="store_true")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--leaves", type=int, default=31)
    for name in ("peer", "learner", "train", "test", "scores"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    for name in ("worker-threads", "columns", "warm-up", "seed"):
        parser.add_argument(f"--{name}", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    if args.peer:
        return worker(args)
    for set_name in args.sets:
        for learner in args.learners:
            if set_name.startswith("generated") and learner != "boosting":
                continue
            names = ["ours"] + [peer for peer in PEERS[learner] if peer not in args.without]
            print(f"{set_name}, {learner}, {args.trees} trees:", flush=True)
            if not args.no_quality:
                quality(args, set_name, learner, names)
            for threads in args.threads if args.rounds else []:
                speed(args, set_name, learner, names, threads)


main()
