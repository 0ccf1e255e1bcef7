"""Holds the dashboard and the rules against what the service exposes and what Prometheus can parse."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
DASHBOARD = REPOSITORY / "deploy/grafana/dashboards/netsec.json"
RULES = REPOSITORY / "deploy/prometheus/netsec.rules.yml"
OPERATIONS = REPOSITORY / "docs/operations.md"
# Written nowhere else: a histogram's families have their names put together.
SUFFIXES = ["_bucket", "_sum", "_count"]


def exposed():
    """Names of the families that the service writes."""
    text = "".join(path.read_text() for path in (REPOSITORY / "crates/server/src").rglob("*.rs"))
    names = set(re.findall(r'"(netsec_[a-z_]+)"', text))
    return names | {name + suffix for name in names for suffix in SUFFIXES}


def expressions():
    dashboard = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


class Monitoring(unittest.TestCase):
    def test_every_metric_of_the_rules_and_the_dashboard_is_exposed(self):
        known = exposed()
        self.assertIn("netsec_requests_total", known)
        for where, text in [("rules", RULES.read_text()), ("dashboard", "\n".join(expressions()))]:
            used = set(re.findall(r"\bnetsec_[a-z_]+", text))
            self.assertTrue(used)
            self.assertEqual(used - known, set(), where)

    def test_every_recorded_series_of_the_dashboard_is_recorded(self):
        recorded = set(re.findall(r"record: (\S+)", RULES.read_text()))
        used = set(re.findall(r"\bnetsec:[a-z0-9_:]+", "\n".join(expressions())))
        self.assertTrue(used)
        self.assertEqual(used - recorded, set())

    def test_prometheus_parses_every_expression_of_the_dashboard(self):
        rules = []
        for number, expression in enumerate(expressions()):
            expression = re.sub(r"\$__rate_interval|\$__range", "5m", expression)
            rules.append({"record": f"panel:{number}", "expr": expression})
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            done = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_panels_neither_overlap_nor_share_a_number(self):
        panels = json.loads(DASHBOARD.read_text())["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        self.assertEqual(len(set(cells)), len(cells))
        self.assertLessEqual(max(x for x, _ in cells), 23)

    def test_every_alert_has_a_section_in_the_runbook(self):
        alerts = re.findall(r"alert: (\S+)", RULES.read_text())
        sections = re.findall(r"^### (\S+)", OPERATIONS.read_text(), re.MULTILINE)
        self.assertEqual(sorted(alerts), sorted(section for section in sections if section.startswith("Netsec")))


if __name__ == "__main__":
    unittest.main()
