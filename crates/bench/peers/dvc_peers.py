"""Puts the same directory of many files under DVC with `netsec export dvc` and with `dvc add`, in turn.

    cargo build -p orchestrator
    python crates/bench/peers/dvc_peers.py [--netsec target/debug/netsec] [--dvc PATH] [--files 10000]

Each round takes two new repositories: the first call finds an empty cache, the second everything in place. Medians
of the seconds of whole processes are shown; both `.dvc` files must be equal.
"""

import argparse
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import tempfile
import time

ROUNDS = 5


def fill(directory, files):
    draw = random.Random(7)
    for at in range(files):
        path = directory / f"{at % 100:02}" / f"{at:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(draw.randrange(1_000, 20_000)))


def seconds(command, place):
    environment = {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(place / "no-config"),
        "DVC_SITE_CACHE_DIR": str(place / "site"),
    }
    os.sync()
    since = time.perf_counter()
    subprocess.run(command, cwd=place / "repo", env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - since


def measure(command, data, dvc):
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        shutil.copytree(data, place / "repo" / "data")
        seconds(["git", "init", "-q"], place)
        seconds([dvc, "init", "-q"], place)
        times = seconds(command, place), seconds(command, place)
        return times, (place / "repo" / "data.dvc").read_text()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--netsec", default="target/debug/netsec")
    parser.add_argument("--dvc", default=shutil.which("dvc"))
    parser.add_argument("--files", type=int, default=10_000)
    given = parser.parse_args()
    dvc = str(pathlib.Path(given.dvc).absolute())
    netsec = str(pathlib.Path(given.netsec).absolute())
    commands = {"netsec": [netsec, "export", "dvc", "--path", "data"], "dvc": [dvc, "add", "-q", "data"]}
    measured = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as name:
        data = pathlib.Path(name)
        fill(data, given.files)
        for _ in range(ROUNDS):
            documents = set()
            for name, command in commands.items():
                times, document = measure(command, data, dvc)
                measured[name].append(times)
                documents.add(document)
            assert len(documents) == 1, documents
    for at, state in enumerate(["empty cache", "all in place"]):
        ours, theirs = (statistics.median(times[at] for times in measured[name]) for name in commands)
        print(f"{state}: netsec {ours:.2f} s, dvc {theirs:.2f} s, ratio {theirs / ours:.1f}")
        for name in commands:
            print(f"  {name}:", " ".join(f"{times[at]:.2f}" for times in measured[name]))


main()
