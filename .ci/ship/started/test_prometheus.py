"""Scrapes a started service with the configuration and the rules of docker-compose.yml, and asks what the
dashboard asks."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.parse
import urllib.request

from engine import REPOSITORY, Started, answer, docker, inspected, is_ready, keys_of, record, wait

# What has nothing to show while all is well.
QUIET = ["ALERTS{"]


class Prometheus(Started):
    def setUp(self):
        super().setUp()
        volumes = ["--volume", "data:/data", "--volume", "metrics-key:/data/metrics"]
        variables = ["--env", "NETSEC_ALLOW_HOST=server", "--env", "NETSEC_METRICS_KEY_FILE=/data/metrics/key"]
        docker("run", "--detach", "--name", "netsec", "--publish", "5000:5000", *volumes, *variables, "network-security-app")
        wait(is_ready)
        self.key = keys_of(docker("logs", "netsec"))["predict"]
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.begin(pathlib.Path(folder.name))

    def begin(self, folder):
        # The file of this network's names alone.
        hosts = pathlib.Path(os.environ["REGISTRY_CERTIFICATE"]).parent.parent / "hosts"
        with hosts.open("a") as file:
            file.write("127.0.0.1 server\n")
        mounts = {mount["Destination"]: mount["Source"] for mount in inspected("netsec")["Mounts"]}
        settings = (REPOSITORY / "deploy/prometheus/prometheus.yml").read_text()
        settings = settings.replace("/run/netsec/key", mounts["/data/metrics"] + "/key").replace("15s", "1s")
        (folder / "prometheus.yml").write_text(settings)
        rules = "netsec.rules.yml"
        (folder / rules).write_text((REPOSITORY / "deploy/prometheus" / rules).read_text())
        flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        process = subprocess.Popen(
            ["prometheus", *flags, "--web.listen-address=127.0.0.1:9090"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

    @staticmethod
    def ask(path, **query):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:9090/api/v1/{path}?{urllib.parse.urlencode(query)}") as got:
                return json.load(got)["data"]
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{query}: {refused.read()}") from refused
        except urllib.error.URLError:
            return {}

    def result(self, expression):
        return self.ask("query", query=expression).get("result", [])

    def test_every_query_of_the_dashboard_finds_something(self):
        wait(lambda: self.result('up{job="netsec"} == 1'), 30)
        for _ in range(3):
            self.assertEqual(answer("/v1/predict", self.key, {"records": [record()] * 2000})[0], 200)
        wait(lambda: self.result("netsec_records_scored_total > 0"), 30)
        self.assertEqual(answer("/v1/predict", self.key, {"records": [record()] * 10})[0], 200)
        dashboard = json.loads((REPOSITORY / "deploy/grafana/dashboards/netsec.json").read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                expression = re.sub(r"\$__rate_interval|\$__range", "1m", target["expr"])
                with self.subTest(panel["title"], expression=expression):
                    found = wait(lambda: self.result(expression) or any(text in expression for text in QUIET), 30)
                    if found is not True:
                        self.check_legend(target["legendFormat"], found)

    def check_legend(self, legend, found):
        for name in re.findall(r"{{(\w+)}}", legend):
            for series in found:
                self.assertIn(name, series["metric"])

    def test_every_rule_is_evaluated_and_the_simulated_model_is_noticed(self):
        wait(lambda: self.result('up{job="netsec"} == 1'), 30)
        wait(lambda: self.ask("alerts").get("alerts"), 30)
        names = {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]}
        self.assertEqual(names, {"NetsecSimulatedModel"})
        for group in self.ask("rules")["groups"]:
            for rule in group["rules"]:
                self.assertEqual(rule["health"], "ok", rule)
