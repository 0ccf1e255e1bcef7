"""Times the KNN imputer beside scikit-learn's on the same table, in the same run.

    python crates/bench/peers/knn_imputer.py [--data phishing.csv] [--rows N --columns N] [--k 3]

With --data: that CSV's columns but the last, 5 % of the cells blanked. Without: generated continuous
columns. --skip-peer leaves scikit-learn out (its time grows with the square of the rows).
"""

import argparse
import pathlib
import subprocess
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent


def table(arguments):
    random = np.random.default_rng(arguments.seed)
    if arguments.data:
        x = np.genfromtxt(arguments.data, delimiter=",", skip_header=1)[:, :-1]
        if arguments.rows:
            x = x[random.integers(0, len(x), arguments.rows)]
    else:
        shape = (arguments.rows or 11055, arguments.columns)
        x = random.normal(size=shape) @ random.normal(size=(shape[1], shape[1]))
    x[random.random(x.shape) < 0.05] = np.nan
    return x


def write(x, path):
    with open(path, "w") as file:
        for row in x:
            file.write(",".join("" if np.isnan(v) else repr(float(v)) for v in row) + "\n")


def peer(x, arguments):
    from sklearn.impute import KNNImputer

    start = time.perf_counter()
    filled = KNNImputer(n_neighbors=arguments.k, weights=arguments.weights).fit_transform(x)
    return filled, time.perf_counter() - start


def decided_cells(x, arguments):
    """Missing cells whose k-th and (k+1)-th donors differ in distance, with the value by definition.

    From differences, not from x² - 2xy + y² as in scikit-learn, which loses small distances between
    large values.
    """
    k = arguments.k
    for row in np.flatnonzero(np.isnan(x).any(axis=1))[:500]:
        squares = (x - x[row]) ** 2
        shared = (~np.isnan(squares)).sum(axis=1)
        distances = np.sqrt(np.nansum(squares, axis=1) / np.where(shared, shared, np.nan))
        for column in np.flatnonzero(np.isnan(x[row])):
            donors = np.flatnonzero(~np.isnan(x[:, column]) & (shared > 0))
            nearest = donors[np.argsort(distances[donors], kind="stable")[: k + 1]]
            last, next_one = distances[nearest[-2:]]
            if next_one - last > 1e-9 * next_one:
                yield row, column, mean_of(x[nearest[:k], column], distances[nearest[:k]], arguments)


def mean_of(values, distances, arguments):
    if arguments.weights == "uniform":
        return values.mean()
    weights = 1 / distances if distances.all() else distances == 0
    return np.average(values, weights=weights)


def report(name, filled, cells):
    errors = np.array([abs(filled[r, c] - v) / max(1, abs(v)) for r, c, v in cells])
    wrong = (errors > 1e-6).sum()
    print(f"{name:13s}{wrong} of {len(errors)} cells without a tie differ from the definition;"
          f" largest relative difference {errors.max(initial=0):.2e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--weights", default="uniform")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--skip-peer", action="store_true")
    parser.add_argument("--target-dir", default=str(ROOT / "target"))
    arguments = parser.parse_args()
    build = ["cargo", "build", "--release", "-p", "model", "--example", "knn_imputer"]
    subprocess.run([*build, "--target-dir", arguments.target_dir], cwd=ROOT, check=True)
    binary = pathlib.Path(arguments.target_dir) / "release/examples/knn_imputer"
    x = table(arguments)
    print(f"{x.shape[0]} rows x {x.shape[1]} columns, {np.isnan(x).mean():.1%} missing")
    with tempfile.TemporaryDirectory() as folder:
        source, output = pathlib.Path(folder) / "table.csv", pathlib.Path(folder) / "filled.csv"
        write(x, source)
        command = ["/usr/bin/env", "time", "-f", "%M"] if arguments.skip_peer else []
        command += [binary, source, str(arguments.k), arguments.weights, output]
        ours = []
        for _ in range(arguments.repeats):
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            ours.append(float(run.stdout))
        print("ours        ", " ".join(f"{t:.3f}" for t in ours), "s", run.stderr.strip())
        if arguments.skip_peer:
            return
        mine = np.genfromtxt(output, delimiter=",")
    theirs, seconds = peer(x, arguments)
    print(f"scikit-learn {seconds:.3f} s; ratio {np.median(ours) / seconds:.4f}")
    cells = list(decided_cells(x, arguments))
    report("ours (f32)", mine, cells)
    report("scikit-learn", theirs, cells)


if __name__ == "__main__":
    main()
