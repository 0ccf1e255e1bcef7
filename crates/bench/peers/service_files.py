"""Times the start of the service and CSV files through it, and watches its memory.

usage: service_files.py NETSEC SERVER PHISHING_CSV [--rows 10000 100000 1000000 10000000] [--rounds 5]

NETSEC and SERVER are the built programs `netsec` and `netsec-server`; the bundle has 100 trees of 31 leaves. The service
has the first core to itself with one worker, curl the second, both at a real-time priority. The file is PHISHING_CSV,
repeated; its rows go through `/v1/predict/csv`, each answer is counted. Needs Linux, root, curl, taskset and chrt.
"""

import argparse, os, pathlib, statistics, subprocess, sys, tempfile, time, urllib.request

FIRST_CORE, SECOND_CORE = (["chrt", "--fifo", "10", "taskset", "-c", core] for core in "01")
URL = "http://127.0.0.1:5713"
CONFIG = """training:
  families: [gradient_boosting]
  search:
    gradient_boosting: {n_estimators: [100], num_leaves: [31]}
  baseline_rows: 0
"""


class Service:
    """The service from its start to its end."""

    def __init__(self, program, artifacts):
        command = [program, "--artifacts", artifacts, "--listen", URL.split("//")[1], "--admin-listen", "off"]
        began = time.perf_counter()
        self.process = subprocess.Popen([*FIRST_CORE, *command, "--workers", "1"], stdout=subprocess.DEVNULL)
        while not self.is_ready():
            if self.process.poll() is not None:
                sys.exit("the service has ended")
        self.start = time.perf_counter() - began

    def is_ready(self):
        try:
            return urllib.request.urlopen(f"{URL}/readyz", timeout=2).status == 200
        except OSError:
            time.sleep(0.001)
            return False

    def memory(self, what):
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

    def processor(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.terminate()
        self.process.wait()


def repeated(path, rows, place):
    names, *lines = pathlib.Path(path).read_text().splitlines()
    whole, rest = divmod(rows, len(lines))
    block = "\n".join(lines) + "\n"
    with open(place, "w") as file:
        file.write(names + "\n")
        for _ in range(whole):
            file.write(block)
        file.write("".join(line + "\n" for line in lines[:rest]))


def send(file, rows):
    command = [*SECOND_CORE, "curl", "-sS", "-T", file, "-X", "POST", "-H", "Content-Type: text/csv"]
    answer = file + ".answer"
    began = time.perf_counter()
    subprocess.run([*command, f"{URL}/v1/predict/csv", "-o", answer], check=True)
    seconds = time.perf_counter() - began
    counted = subprocess.run(["wc", "-l", answer], check=True, capture_output=True, text=True).stdout
    assert int(counted.split()[0]) == rows + 1, counted
    os.remove(answer)
    return seconds


def main():
    arguments = argparse.ArgumentParser()
    for name in ["netsec", "server", "data"]:
        arguments.add_argument(name)
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000])
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place:
        config, artifacts = f"{place}/config.yaml", f"{place}/artifacts"
        pathlib.Path(config).write_text(CONFIG)
        run = [chosen.netsec, "run", "--dataset", "phishing", "--source", chosen.data, "--config", config]
        subprocess.run([*run, "--artifacts", artifacts], check=True, stdout=subprocess.DEVNULL)
        starts, idle = [], []
        for _ in range(7):
            service = Service(chosen.server, artifacts)
            starts.append(1000 * service.start)
            time.sleep(1)
            idle.append(service.memory("VmRSS"))
            service.end()
        print(f"start to ready: {statistics.median(starts):.0f} ms, {min(starts):.0f} to {max(starts):.0f}")
        print(f"idle: {statistics.median(idle):.1f} MB")
        service = Service(chosen.server, artifacts)
        for rows in chosen.rows:
            file = f"{place}/rows.csv"
            repeated(chosen.data, rows, file)
            rounds = chosen.rounds if rows <= 1_000_000 else 1
            whole, processor = [], []
            for _ in range(rounds):
                before = service.processor()
                whole.append(rows / send(file, rows))
                processor.append(rows / max(service.processor() - before, 0.01))
            print(f"{rows} rows: {statistics.median(processor):,.0f} rows a second of processor time "
                  f"({min(processor):,.0f} to {max(processor):,.0f}), {statistics.median(whole):,.0f} from the first "
                  f"byte to the last, highest memory so far {service.memory('VmHWM'):.1f} MB")
        service.end()


main()
