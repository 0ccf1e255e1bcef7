"""Starts the image's entry point with stand-ins for the two programs, under every shell that is here."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
ENTRYPOINT = REPOSITORY / "deploy/image/entrypoint"
SKELETON = REPOSITORY / "deploy/image/skeleton"
# busybox is what the image has.
SHELLS = [["sh"], ["bash", "--posix"], ["busybox", "sh"]]

SERVER = """#!/bin/sh
if [ "${1:-}" != --new-key ]; then
  echo "serves with keys from ${NETSEC_KEYS_FILE:-the environment}${1:+, $1}"
  exit
fi
[ ! -e broken ] || exit 70
digits="$(printf %s "$2" | sha256sum | cut -c1-64)"
printf 'netsec_%s\\n%s %s %s\\n' "$digits" "$2" "$4" "$digits"
"""
PIPELINE = """#!/bin/sh
echo "trained: $*"
mkdir -p "$NETSEC_ARTIFACTS/registry/models/phishing-simulated/history"
touch "$NETSEC_ARTIFACTS/registry/models/phishing-simulated/history/1.json"
"""


class EntryPoint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def container(self, name):
        data = self.folder / name
        (data / "bin").mkdir(parents=True)
        for program, text in [("netsec-server", SERVER), ("netsec", PIPELINE)]:
            (data / "bin" / program).write_text(text)
            (data / "bin" / program).chmod(0o755)
        return data

    def start(self, data, *command, shell=("sh",), code=0, **environment):
        variables = {
            "PATH": f"{data}/bin:/usr/bin:/bin",
            "NETSEC_ARTIFACTS": f"{data}/artifacts",
            "NETSEC_STATE": f"{data}/state",
            "TMPDIR": f"{data}/tmp",
        }
        done = subprocess.run(
            [*shell, str(ENTRYPOINT), *command],
            env=variables | environment,
            cwd=data,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_the_first_start_trains_and_shows_two_keys_and_the_second_neither(self):
        for number, shell in enumerate(SHELLS):
            with self.subTest(shell):
                self.assertIsNotNone(shutil.which(shell[0]))
                data = self.container(str(number))
                first = self.start(data, shell=shell)
                self.assertIn("SIMULATED", first)
                self.assertIn("trained: run --progress off", first)
                shown = re.findall(r"`(\w+)` \(scope (\w+)\).*: netsec_[0-9a-f]{64}$", first, re.MULTILINE)
                self.assertEqual(shown, [("admin", "admin"), ("predict", "predict")])
                self.assertTrue(first.endswith(f"serves with keys from {data}/state/keys\n"))
                again = self.start(data, shell=shell)
                self.assertEqual(again, f"serves with keys from {data}/state/keys\n")

    def test_a_training_that_fails_ends_the_start_with_its_code(self):
        for number, shell in enumerate(SHELLS):
            with self.subTest(shell):
                data = self.container(str(number))
                (data / "bin/netsec").write_text("#!/bin/sh\nexit 65\n")
                self.assertNotIn("serves", self.start(data, shell=shell, code=65))

    def test_the_file_of_keys_holds_lines_without_keys_and_is_its_owner_s_alone(self):
        data = self.container("keys")
        self.start(data)
        keys = data / "state/keys"
        self.assertEqual(keys.stat().st_mode & 0o777, 0o600)
        lines = [line.split()[:2] for line in keys.read_text().splitlines()]
        self.assertEqual(lines, [["admin", "admin"], ["predict", "predict"]])
        self.assertNotIn("netsec_", keys.read_text())

    def test_the_key_for_prometheus_goes_to_its_file_and_is_not_shown(self):
        data = self.container("metrics")
        shown = self.start(data, NETSEC_METRICS_KEY_FILE=f"{data}/key")
        self.assertEqual(shown.count("netsec_"), 2)
        self.assertRegex((data / "key").read_text(), r"^netsec_[0-9a-f]{64}\n$")
        self.assertEqual((data / "key").stat().st_mode & 0o777, 0o644)
        self.assertEqual(len((data / "state/keys").read_text().splitlines()), 3)

    def test_the_key_for_prometheus_is_made_when_it_is_asked_for_later_and_once(self):
        for number, shell in enumerate(SHELLS):
            with self.subTest(shell):
                data = self.container(f"later{number}")
                self.start(data, shell=shell)
                before = (data / "state/keys").read_text()
                self.assertNotIn("netsec_", self.start(data, shell=shell, NETSEC_METRICS_KEY_FILE=f"{data}/key"))
                after = (data / "state/keys").read_text()
                self.assertTrue(after.startswith(before))
                self.assertEqual(after[len(before):].split()[:2], ["metrics", "predict"])
                self.assertRegex((data / "key").read_text(), r"^netsec_[0-9a-f]{64}\n$")
                self.start(data, shell=shell, NETSEC_METRICS_KEY_FILE=f"{data}/key")
                self.assertEqual((data / "state/keys").read_text(), after)

    def test_a_mounted_registry_is_used_as_it_is(self):
        data = self.container("mounted")
        history = data / "artifacts/registry/models/phishing/history"
        history.mkdir(parents=True)
        (history / "1.json").write_text("")
        self.assertNotIn("trained", self.start(data))

    def test_a_registry_elsewhere_is_left_to_those_who_fill_it(self):
        data = self.container("elsewhere")
        self.assertNotIn("trained", self.start(data, NETSEC_REGISTRY="s3://bucket/models"))

    def test_keys_that_are_given_leave_none_to_make(self):
        for name, value in [("NETSEC_API_KEYS", "a b c"), ("NETSEC_KEYS_FILE", "/given"), ("NETSEC_INSECURE", "true")]:
            with self.subTest(name):
                data = self.container(name)
                self.assertNotIn("netsec_", self.start(data, **{name: value}))
                self.assertFalse((data / "state/keys").exists())

    def test_keys_that_could_not_be_made_are_made_by_the_next_start(self):
        data = self.container("broken")
        (data / "broken").touch()
        self.start(data, code=70)
        (data / "broken").unlink()
        self.assertEqual(self.start(data).count("netsec_"), 2)

    def test_an_option_is_the_service_s_with_the_keys_that_were_made(self):
        for number, shell in enumerate(SHELLS):
            with self.subTest(shell):
                data = self.container(f"option{number}")
                self.assertEqual(self.start(data, "--check", shell=shell), "serves with keys from the environment, --check\n")
                self.start(data, shell=shell)
                checked = self.start(data, "--check", shell=shell)
                self.assertEqual(checked, f"serves with keys from {data}/state/keys, --check\n")
                given = self.start(data, "--check", shell=shell, NETSEC_KEYS_FILE="/given")
                self.assertEqual(given, "serves with keys from /given, --check\n")

    def test_the_runbook_checks_with_the_service_s_keys(self):
        self.assertIn("`docker exec netsec entrypoint --check`", (REPOSITORY / "docs/operations.md").read_text())

    def test_another_command_runs_as_it_stands(self):
        data = self.container("command")
        self.assertEqual(self.start(data, "echo", "models", "list"), "models list\n")


class Skeleton(unittest.TestCase):
    def test_of_a_tree_its_manifests_and_empty_targets_stay(self):
        for number, shell in enumerate(SHELLS):
            with self.subTest(shell), tempfile.TemporaryDirectory() as folder:
                tree = pathlib.Path(folder)
                for name in ["Cargo.toml", "Cargo.lock"]:
                    shutil.copy(REPOSITORY / name, tree)
                shutil.copytree(REPOSITORY / "crates", tree / "crates")
                subprocess.run([*shell, str(SKELETON), folder], check=True, timeout=60)
                self.assertEqual(sorted(path.name for path in tree.iterdir()), ["Cargo.lock", "Cargo.toml", "crates"])
                texts = {path.read_text() for path in (tree / "crates").rglob("*.rs")}
                self.assertEqual(texts, {"", "fn main() {}\n"})
                for manifest in (REPOSITORY / "crates").glob("*/Cargo.toml"):
                    kept = tree / "crates" / manifest.parent.name
                    self.assertEqual((kept / "Cargo.toml").read_text(), manifest.read_text())
                    for path in re.findall(r'^path = "(.*)"$', manifest.read_text(), re.MULTILINE):
                        self.assertTrue((kept / path).is_file(), f"{manifest}: {path}")


if __name__ == "__main__":
    unittest.main()
