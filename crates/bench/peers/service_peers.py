"""Times one record a request beside FastAPI with scikit-learn and a bare JSON handler, in one run.

usage: service_peers.py NETSEC SERVER JSON_PEER PHISHING_CSV

NETSEC, SERVER and JSON_PEER are the built programs `netsec`, `netsec-server` and `json-peer`. Our bundle has 100
trees of 31 leaves, the peer's model is a random forest of 100 trees with its defaults, pickled; both learn
from the same file. FastAPI runs under uvicorn with uvloop and httptools, one worker. Each service has the first
core to itself for its turn, wrk the second, both at a real-time priority, so that other work on the machine does
not get between them. Figures are medians of five turns. Needs Linux, root, wrk, taskset and chrt; scikit-learn,
fastapi, uvicorn, uvloop and httptools from PyPI.
"""

import csv, json, os, pathlib, pickle, statistics, subprocess, sys, tempfile, time, urllib.request

import numpy as np
from sklearn.ensemble import RandomForestClassifier

HERE = pathlib.Path(__file__).resolve().parent / "service"
ROUNDS, SECONDS, CONNECTIONS = 5, 4, 16
FIRST_CORE, SECOND_CORE = (["chrt", "--fifo", "10", "taskset", "-c", core] for core in "01")
PORTS = {"netsec-server": 5710, "json-peer": 5711, "FastAPI": 5712}
CONFIG = """training:
  families: [gradient_boosting]
  search:
    gradient_boosting: {n_estimators: [100], num_leaves: [31]}
  baseline_rows: 0
"""


def prepare(netsec, path, place):
    (place / "config.yaml").write_text(CONFIG)
    run = [netsec, "run", "--dataset", "phishing", "--source", path, "--config", place / "config.yaml"]
    subprocess.run([*run, "--artifacts", place / "artifacts"], check=True, stdout=subprocess.DEVNULL)
    with open(path) as file:
        names, *rows = csv.reader(file)
    table = np.array(rows, dtype=float)
    model = RandomForestClassifier(n_estimators=100, random_state=1).fit(table[:, :-1], table[:, -1])
    model.feature_names = names[:-1]
    (place / "model.pickle").write_bytes(pickle.dumps(model))
    record = {name: int(cell) for name, cell in zip(names[:-1], rows[0])}
    (place / "body.json").write_text(json.dumps({"records": [record]}))


class Service:
    def __init__(self, name, command, place):
        environment = os.environ | {"MODEL": str(place / "model.pickle"), "OMP_NUM_THREADS": "1"}
        command = [*FIRST_CORE, *map(str, command)]
        self.name, self.url = name, f"http://127.0.0.1:{PORTS[name]}/v1/predict"
        self.process = subprocess.Popen(command, env=environment, cwd=HERE, stdout=subprocess.DEVNULL)
        self.place = place

    def wait(self):
        body = (self.place / "body.json").read_bytes()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        for _ in range(200):
            try:
                return json.load(urllib.request.urlopen(request, timeout=2))
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{self.name} does not answer")

    def drive(self, connections=CONNECTIONS, delay=0):
        """Returns requests a second, the 99th percentile in ms, and the processor time a request in us."""
        environment = os.environ | {"BODY": str(self.place / "body.json"), "DELAY": str(delay)}
        wrk = [*SECOND_CORE, "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "30s",
               "-s", HERE / "post.lua", self.url]
        before = self.seconds()
        out = subprocess.run(wrk, env=environment, check=True, capture_output=True, text=True).stdout
        used = self.seconds() - before
        line = next(line for line in out.splitlines() if line.startswith("figures "))
        requests, duration, p99, errors = map(int, line.split()[1:])
        if errors:
            sys.exit(f"{self.name}: {errors} errors")
        return requests / duration * 1e6, p99 / 1000, used / requests * 1e6

    def seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(netsec, server, json_peer, path):
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        prepare(netsec, path, place)
        ours = [server, "--artifacts", place / "artifacts", "--listen", f"127.0.0.1:{PORTS['netsec-server']}",
                "--admin-listen", "off", "--workers", "1"]
        uvicorn = [sys.executable, "-m", "uvicorn", "fastapi_service:app", "--port", PORTS["FastAPI"], "--loop", "uvloop",
                   "--http", "httptools", "--log-level", "warning", "--no-access-log"]
        services = [Service("netsec-server", ours, place),
                    Service("json-peer", [json_peer, f"127.0.0.1:{PORTS['json-peer']}"], place),
                    Service("FastAPI", uvicorn, place)]
        try:
            measure(services)
        finally:
            for service in services:
                service.process.terminate()


def measure(services):
    for service in services:
        service.wait()
    rates = {service.name: [] for service in services}
    times = {service.name: [] for service in services}
    for turn in range(ROUNDS):
        for service in services:
            rate, p99, used = service.drive()
            rates[service.name].append(rate)
            times[service.name].append(used)
            print(f"{turn} {service.name:14} {rate:9.1f} requests/s  p99 {p99:7.2f} ms  {used:8.1f} us of processor time")
    medians = {name: statistics.median(all) for name, all in rates.items()}
    print("medians", {name: round(median, 1) for name, median in medians.items()})
    for name in ["json-peer", "FastAPI"]:
        ratios = [ours / theirs for ours, theirs in zip(rates["netsec-server"], rates[name])]
        print(f"requests/s, ours / {name}: {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
        ratios = [theirs / ours for ours, theirs in zip(times["netsec-server"], times[name])]
        print(f"processor time, {name} / ours: {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    for service in services[:2]:
        peak = medians[service.name]
        turns = [service.drive(connections, delay=2) for connections in [int(peak * 0.0012)] * ROUNDS]
        p99 = [turn[1] for turn in turns]
        print(f"{service.name} at {statistics.median(turn[0] for turn in turns) / peak:.2f} of its peak: "
              f"p99 {statistics.median(p99):.2f} ms, {min(p99):.2f} to {max(p99):.2f}")


if __name__ == "__main__":
    main(*map(os.path.abspath, sys.argv[1:])) if len(sys.argv) == 5 else sys.exit(__doc__)
