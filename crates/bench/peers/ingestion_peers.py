"""Reads one generated CSV of small integers with ours, polars and pandas: seconds, rows/s, peak memory.

    python crates/bench/peers/ingestion_peers.py [--rows 1000000] [--columns 31] [--binary target/release/examples/ingest]

Each reader runs in a process of its own, three times; the best time and the greatest peak are shown.
Ours types, sorts and keeps row numbers; the others only read, so they are also shown with a sort.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PEERS = {
    "polars read": "import polars as pl; f = pl.read_csv(p)",
    "polars read + sort": "import polars as pl; f = pl.read_csv(p); f = f.sort(f.columns)",
    "pandas read": "import pandas as pd; f = pd.read_csv(p)",
    "pandas read + sort": "import pandas as pd; f = pd.read_csv(p); f = f.sort_values(list(f.columns))",
}


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
    listed = "".join(f"  - {{name: {name}, type: integer}}\n" for name in names)
    target = "target: {column: label, benign: {ok: ['1']}, threats: {bad: ['-1']}}\n"
    schema.write_text(f"name: generated\ncolumns:\n{listed}{target}")
    return path, schema


def run(command: list[str]) -> tuple[float, float, str]:
    """Wall seconds and peak MiB of a process, and what it printed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command[0]} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=31)
    parser.add_argument("--binary", default="target/release/examples/ingest")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, schema = generate(pathlib.Path(folder), options.rows, options.columns)
        print(f"{options.rows} x {options.columns}, {path.stat().st_size / 2**20:.0f} MiB, {os.cpu_count()} cores")
        commands = {"ours": [options.binary, str(schema), str(path)]}
        for name, code in PEERS.items():
            timed = f"import time; p = {str(path)!r}; {code.split(';')[0]}; t = time.perf_counter(); {code.split(';', 1)[1].strip()}; print(f'in {{time.perf_counter() - t:.3f}} s')"
            commands[name] = [sys.executable, "-c", timed]
        for name, command in commands.items():
            runs = [run(command) for _ in range(3)]
            seconds = min(float(output.split(" in ")[-1].split(" s")[0].split("in ")[-1]) for _, _, output in runs)
            peak = max(memory for _, memory, _ in runs)
            print(f"{name:20} {seconds:7.3f} s {options.rows / seconds:12.0f} rows/s {peak:7.0f} MiB")


if __name__ == "__main__":
    main()
