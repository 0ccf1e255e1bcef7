"""Reads a table of PostgreSQL into columns: `connectors` beside psycopg with a cursor on the server.

    pip install 'psycopg[binary]'
    cargo build --release -p connectors --features sql --example read
    python crates/bench/peers/sql_peers.py --uri 'postgres://…/db' --rows 100000 1000000

Makes the tables `bench_ROWS` of 30 whole numbers and a label where they are not there. Each reading is in a process of
its own, in turn; the ratio is that of the medians.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time

COLUMNS = [f"c{i}" for i in range(30)] + ["y"]


def make(uri, rows):
    import psycopg

    cells = ", ".join(f"((g * {i + 7}) % 3 - 1)::bigint AS c{i}" for i in range(30))
    with psycopg.connect(uri) as connection:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS bench_{rows} AS "
            f"SELECT {cells}, (g % 2)::bigint AS y FROM generate_series(1, {rows}) g"
        )


def peer(uri, rows):
    import psycopg

    since = time.perf_counter()
    columns = [[] for _ in COLUMNS]
    with psycopg.connect(uri) as connection:
        with connection.cursor(name="peer") as cursor:
            cursor.itersize = 8192
            cursor.execute(f"SELECT * FROM bench_{rows}")
            while batch := cursor.fetchmany(8192):
                # Columns of this batch; the last one's are let go, as ours are.
                columns = list(zip(*batch))
    seconds = time.perf_counter() - since
    assert len(columns) == len(COLUMNS)
    status = open("/proc/self/status").read()
    print(f"{rows} rows in {seconds:.3f} s, peak {re.search('VmHWM:(.*)', status)[1].strip()}")


def timed(command):
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"in ([\d.]+) s", said)[1]), re.search(r"peak (.*)", said)[1]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--uri", required=True)
    arguments.add_argument("--rows", type=int, nargs="+", default=[100_000])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--read", default="target/release/examples/read")
    arguments.add_argument("--schema", default="schema/phishing.yaml")
    arguments.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.peer:
        return peer(chosen.uri, chosen.rows[0])
    for rows in chosen.rows:
        make(chosen.uri, rows)
        ours, theirs = [], []
        for _ in range(chosen.rounds):
            ours.append(timed([chosen.read, f"{chosen.uri}?table=bench_{rows}", chosen.schema]))
            itself = [sys.executable, __file__, "--peer", "--uri", chosen.uri, "--rows", str(rows)]
            theirs.append(timed(itself))
        a, b = (statistics.median(t for t, _ in times) for times in (ours, theirs))
        print(f"{rows} rows: ours {rows / a:,.0f}/s, peak {ours[-1][1]}; psycopg {rows / b:,.0f}/s, "
              f"peak {theirs[-1][1]}; ratio {b / a:.2f} (best to best "
              f"{min(theirs)[0] / min(ours)[0]:.2f})")


main()
