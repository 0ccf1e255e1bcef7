"""Brings up what docker-compose.yml has of ours, by Debian's Compose: the service, Prometheus beside it, and the
job, against what speaks like MongoDB. The other images cannot be had without their registries."""

import ipaddress
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.request

from engine import REPOSITORY, Started, answer, docker, inspected, is_ready, keys_of, wait

MONGODB = REPOSITORY / "crates/orchestrator/tests/netsec/services/mongodb_server.py"
PROMETHEUS = """FROM network-security-app
USER 0
COPY . /
RUN mkdir -p /prometheus && chown 65534:65534 /prometheus
USER 65534:65534
ENTRYPOINT ["/bin/prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
"""


class Compose(Started):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        shutil.copytree(REPOSITORY / "deploy", self.folder / "deploy")
        text = (REPOSITORY / "docker-compose.yml").read_text()
        # Debian's Compose is older than this line.
        (self.folder / "docker-compose.yml").write_text(text.replace("name: network-security\n", ""))
        example = (REPOSITORY / ".env.example").read_text()
        filled = re.sub(r"^(\w+_PASSWORD)=$", r"\1=abcdefgh12", example, flags=re.MULTILINE)
        (self.folder / ".env").write_text(filled)
        self.addCleanup(self.compose, "down")

    def compose(self, *words):
        done = subprocess.run(
            ["/usr/bin/docker-compose", "--project-name", "network-security", *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout}")
        return done.stdout

    def build_prometheus(self):
        """Debian's program, under the name of the image that cannot be had."""
        place = self.folder / "prometheus"
        (place / "bin").mkdir(parents=True)
        program = shutil.which("prometheus")
        shutil.copy(program, place / "bin")
        needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/lib\S*)", needed):
            (place / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place / library[1:])
        (place / "Dockerfile").write_text(PROMETHEUS)
        image = re.search(r"image: (\S*prom/prometheus\S*)", (REPOSITORY / "docker-compose.yml").read_text())[1]
        docker("build", "--tag", image, str(place))

    def test_the_service_becomes_healthy_and_prometheus_reads_its_metrics(self):
        self.build_prometheus()
        self.compose("up", "--detach", "--no-build", "server", "prometheus")
        wait(is_ready)
        self.assertEqual(sorted(keys_of(self.compose("logs", "--no-color", "server"))), ["admin", "predict"])
        wait(lambda: self.scraped() == ["up"], 60)
        wait(lambda: inspected("network-security_server_1")["State"]["Health"]["Status"] == "healthy", 40)

    @staticmethod
    def scraped():
        try:
            with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/targets") as got:
                return [target["health"] for target in json.load(got)["data"]["activeTargets"]]
        except OSError:
            return []

    def test_the_job_fills_mongodb_trains_from_it_and_its_model_can_be_served(self):
        self.begin_mongodb()
        with (self.folder / ".env").open("a") as file:
            file.write("NETSEC_MODEL=phishing-from-mongodb\n")
        self.compose("up", "--detach", "--no-build", "server")
        wait(lambda: answer("/healthz")[0] == 200)
        self.assertFalse(is_ready())
        # Without its user: what speaks like MongoDB here knows none.
        source = f"NETSEC__SOURCE=mongodb://{self.this_machine()}:27117/netsec?collection=phishing&authSource=admin"
        printed = self.compose("run", "--no-deps", "--rm", "-e", source, "train")
        self.assertIn("phishing-from-mongodb version 1: promoted", printed)
        wait(is_ready, 30)

    @staticmethod
    def this_machine():
        network = inspected("network-security_default")
        return ipaddress.ip_network(network["IPAM"]["Config"][0]["Subnet"])[1]

    def begin_mongodb(self):
        data = self.folder / "mongodb"
        data.mkdir()
        files = ["--data-dir", str(data), "--log-file", f"{data}.log", "--pid-file", f"{data}.pid"]
        process = subprocess.Popen(
            [f"{os.environ['PEERS']}/python", str(MONGODB), "--host", "0.0.0.0", "-p", "27117", *files],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
