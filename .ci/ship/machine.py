"""A machine for run.sh, whose docker, aws, curl, systemctl and sleep are stand-ins."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
STAND_INS = ["docker", "aws", "curl", "systemctl", "sleep"]
# The machine's own, by name, so that no docker of the machine that tests is ever found.
REAL = (
    "awk basename bash cat chmod cmp cp cut dirname env flock grep id install ln mkdir mktemp mv numfmt rm sed sh"
    " sha256sum stat tail timeout touch wc"
).split()


def image(name):
    return f"{HOST}/network-security@sha256:{name}"


class Machine:
    """A machine with its engine, its registry and its disk, in one folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        self.root = self.folder / "root"
        self.tools = self.folder / "bin"
        if self.folder.exists():
            return
        for name in ["containers", "images", "registry", "tags"]:
            (self.state / name).mkdir(parents=True)
        self.tools.mkdir()
        for tool in STAND_INS:
            (self.tools / tool).symlink_to(HERE / "fakes" / "machine")
        for tool in REAL:
            (self.tools / tool).symlink_to(shutil.which(tool))
        (self.state / "words").write_text("http://0.0.0.0:5000/\n")

    def publish(self, name, behaviour="sound"):
        (self.state / "registry" / image(name).replace("/", ",")).write_text(behaviour)
        (self.state / "tags" / name).write_text(f"sha256:{name}")

    def run(self, *arguments, at=0, how="refuse", program=REPOSITORY / "run.sh", **environment):
        (self.state / "calls").write_text("")
        variables = {
            "PATH": str(self.tools),
            "FAKE_STATE": str(self.state),
            "FAKE_AT": str(at),
            "FAKE_HOW": how,
            "NETSEC_ROOT": str(self.root),
            "NETSEC_READY_SECONDS": "1",
        }
        return subprocess.run(
            ["bash", str(program), *arguments],
            env=variables | environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=60,
            check=False,
        )

    def deploy(self, name, **options):
        return self.run("deploy", image(name), **options)

    def calls(self):
        return (self.state / "calls").read_text().splitlines()

    def containers(self):
        """One `name state image` for each, without the part of the image that all share."""
        found = []
        for folder in sorted((self.state / "containers").iterdir()):
            parts = [(folder / part).read_text().strip() for part in ["state", "image"]]
            found.append(f"{folder.name} {parts[0]} {parts[1].rpartition(':')[2]}")
        return found

    def serving(self):
        """The image that answers at port 5000, if any does."""
        for folder in (self.state / "containers").iterdir():
            if (folder / "state").read_text().strip() == "running" and (folder / "port").read_text().strip() == "5000":
                return (folder / "image").read_text().strip().rpartition(":")[2]
        return None


class OnAMachine(unittest.TestCase):
    LOGS = {"NETSEC_LOG_DRIVER": "awslogs", "NETSEC_LOG_OPTIONS": "awslogs-group=netsec awslogs-region=eu-central-1"}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.machine = self.new_machine("first")

    def new_machine(self, name, deployed=("old",)):
        """A machine on which these were deployed; the second of a kind is a copy of the first."""
        folder = pathlib.Path(self.folder.name) / name
        kept = pathlib.Path(self.folder.name) / "-".join(["kept", *deployed])
        if not kept.exists():
            machine = Machine(kept)
            for published in ["old", "new", "third"]:
                machine.publish(published)
            for each in deployed:
                self.check(machine.deploy(each), 0)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, folder, symlinks=True)
        return Machine(folder)

    def check(self, done, code, says=""):
        printed = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, printed)
        self.assertIn(says, printed)

    @staticmethod
    def remove(machine, image_as_well):
        shutil.rmtree(machine.state / "containers/netsec")
        if image_as_well:
            (machine.state / "images" / image("new").replace("/", ",")).unlink(missing_ok=True)

    @staticmethod
    def program(machine, name, text):
        (machine.tools / name).unlink(missing_ok=True)
        (machine.tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (machine.tools / name).chmod(0o755)
