"""Reads and validates one generated CSV of small integers with ours, polars and pandas, in turn.

    cargo build --release -p bench
    python crates/bench/peers/ingestion_peers.py [--rows 1000000] [--columns 31] [--binary target/release/read_rows]

Each runs five times in a process of its own; medians of the seconds and the greatest peak of memory are
shown, and each one's rows/s as a ratio to ours. Ours reads, types, sorts and keeps row numbers. The peers
read and sort. To validate means for all: the domain of every cell, missing cells, repeated rows, equal
feature vectors under both labels, and each column's counts of values.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 5

POLARS = """
import json, time, sys, polars as pl
t = time.perf_counter()
f = pl.read_csv(sys.argv[1])
f = f.sort(f.columns)
read = time.perf_counter() - t
t = time.perf_counter()
features = f.columns[:-1]
bad = f.select(pl.all_horizontal(pl.col(c).is_in([-1, 0, 1]) for c in f.columns).not_().sum()).item()
missing = f.null_count()
repeated = len(f) - f.n_unique()
conflicting = f.group_by(features).agg(pl.col("label").n_unique()).filter(pl.col("label") > 1).height
counts = [f[c].value_counts() for c in f.columns]
print(json.dumps({"rows": len(f), "read": read, "validate": time.perf_counter() - t}))
"""

PANDAS = """
import json, time, sys, pandas as pd
t = time.perf_counter()
f = pd.read_csv(sys.argv[1])
f = f.sort_values(list(f.columns))
read = time.perf_counter() - t
t = time.perf_counter()
features = list(f.columns[:-1])
bad = (~f.isin([-1, 0, 1]).all(axis=1)).sum()
missing = f.isna().sum()
repeated = f.duplicated().sum()
distinct = f.drop_duplicates()
conflicting = distinct.duplicated(subset=features).sum()
counts = [f[c].value_counts() for c in f.columns]
print(json.dumps({"rows": len(f), "read": read, "validate": time.perf_counter() - t}))
"""


def generate(folder: pathlib.Path, rows: int, columns: int) -> tuple[pathlib.Path, pathlib.Path]:
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(7)
    names = [f"c{i}" for i in range(columns - 1)]
    frame = {name: rng.integers(-1, 2, rows, dtype=np.int8) for name in names}
    frame["label"] = rng.choice(np.array([-1, 1], np.int8), rows)
    path = folder / "rows.csv"
    pl.DataFrame(frame).write_csv(path)
    schema = folder / "schema.yaml"
    listed = "".join(f"  - {{name: {name}, type: integer, values: [-1, 0, 1]}}\n" for name in names)
    target = "target: {column: label, benign: {ok: ['1']}, threats: {bad: ['-1']}}\n"
    schema.write_text(f"name: generated\ncolumns:\n{listed}{target}")
    return path, schema


def run(command: list[str]) -> tuple[float, float, float]:
    """Seconds to read, seconds to validate, and the peak MiB of the process."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command[0]} failed")
    told = json.loads(output)
    return told["read"], told["validate"], usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=31)
    parser.add_argument("--binary", default="target/release/read_rows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, schema = generate(pathlib.Path(folder), options.rows, options.columns)
        print(f"{options.rows} x {options.columns}, {path.stat().st_size / 2**20:.0f} MiB, {os.cpu_count()} cores")
        commands = {
            "ours": [options.binary, str(schema), str(path)],
            "polars": [sys.executable, "-c", POLARS, str(path)],
            "pandas": [sys.executable, "-c", PANDAS, str(path)],
        }
        runs = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                runs[name].append(run(command))
        ours = None
        for name, of_one in runs.items():
            read, validate = (statistics.median(r[at] for r in of_one) for at in (0, 1))
            ours = ours or read + validate
            print(
                f"{name:8} read and sort {read:7.3f} s, validate {validate:7.3f} s,"
                f" {options.rows / (read + validate):10.0f} rows/s ({ours / (read + validate):.2f} of ours),"
                f" {max(r[2] for r in of_one):6.0f} MiB"
            )


if __name__ == "__main__":
    main()
