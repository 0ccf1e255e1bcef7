"""Has systemd read the units, in a root of their own with the programs that they start."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
UNITS = REPOSITORY / "deploy/systemd"
# Where run.sh and docs/operations.md put them.
PROGRAMS = {"netsec-run": REPOSITORY / "run.sh", "netsec-retrain": UNITS / "netsec-retrain"}
# What the units name and systemd brings, but for Docker's.
BROUGHT = "basic multi-user network network-online shutdown sysinit time-set time-sync timers".split()


class Units(unittest.TestCase):
    def check(self, change, says):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ["usr/local/sbin", "etc/systemd/system", "usr/lib/systemd/system"]:
                (root / name).mkdir(parents=True)
            for name, program in PROGRAMS.items():
                shutil.copy(program, root / "usr/local/sbin" / name)
            for name in BROUGHT:
                shutil.copy(f"/usr/lib/systemd/system/{name}.target", root / "usr/lib/systemd/system")
            (root / "usr/lib/systemd/system/docker.service").write_text("[Service]\nExecStart=/usr/local/sbin/netsec-run\n")
            names = [unit.name for unit in sorted(UNITS.iterdir()) if unit.suffix in {".service", ".timer"}]
            for name in names:
                (root / "etc/systemd/system" / name).write_text((UNITS / name).read_text().replace(*change))
            done = subprocess.run(
                ["systemd-analyze", "verify", f"--root={root}", *names],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        if says is None:
            self.assertEqual((done.returncode, done.stdout), (0, ""))
        else:
            self.assertIn(says, done.stdout)

    def test_systemd_has_nothing_to_say_about_the_units(self):
        self.check(("", ""), None)

    def test_the_watch_comes_back_with_the_engine_and_with_the_machine(self):
        with tempfile.TemporaryDirectory() as folder:
            units = pathlib.Path(folder) / "etc/systemd/system"
            units.mkdir(parents=True)
            shutil.copy(UNITS / "netsec.service", units)
            subprocess.run(["systemctl", f"--root={folder}", "enable", "netsec.service"], capture_output=True, check=True)
            wanted = sorted(path.parent.name for path in units.glob("*.wants/*"))
            self.assertEqual(wanted, ["docker.service.wants", "multi-user.target.wants"])

    def test_before_the_first_deployment_nothing_starts_that_would_fail(self):
        record = re.search(r"write_down (serving) ", PROGRAMS["netsec-run"].read_text())[1]
        for name in ["netsec.service", "netsec-check.service"]:
            self.assertIn(f"\nConditionPathExists=/var/lib/netsec/{record}\n", (UNITS / name).read_text(), name)

    def test_it_would_notice_a_word_and_a_program_that_are_none(self):
        self.check(("Restart=always", "Restart=alwys"), "alwys")
        self.check(("sbin/netsec-run", "sbin/netsec-runs"), "netsec-runs is not executable")


if __name__ == "__main__":
    unittest.main()
