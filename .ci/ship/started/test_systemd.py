"""Deploys on a machine whose first process is systemd: a container beside the engine that it deploys on."""

import os
import pathlib
import re
import shutil
import tempfile

from engine import REPOSITORY, Started, docker, is_ready, wait
from test_deployment import DIGESTS, REPOSITORY_OF_IMAGES, forget_images, publish

SOCKET = pathlib.Path(os.environ["DOCKER_HOST"].removeprefix("unix://"))
CLIENT = shutil.which("docker")
# The engine is not this machine's own: its client, its unit and the client of AWS stand in.
STAND_INS = {
    "usr/local/bin/docker": f"#!/bin/sh\nDOCKER_HOST={os.environ['DOCKER_HOST']} exec {CLIENT} \"$@\"\n",
    "usr/local/bin/aws": "#!/bin/sh\necho token\n",
    "etc/systemd/system/docker.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
}


class Systemd(Started):
    def setUp(self):
        super().setUp()
        self.addCleanup(forget_images)
        publish(["first", "second"])
        rights = ["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "seccomp=unconfined"]
        places = [f"{SOCKET.parent}:{SOCKET.parent}", f"{CLIENT}:{CLIENT}:ro", f"{REPOSITORY}:/checkout:ro", "/sys/fs/cgroup:/sys/fs/cgroup"]
        mounts = [word for place in places for word in ("--volume", place)]
        memory = [word for place in ["/run", "/run/lock", "/tmp"] for word in ("--tmpfs", place)]
        create = ["create", "--name", "machine", "--network", "host", "--stop-signal", "SIGRTMIN+3"]
        docker(*create, *rights, *mounts, *memory, "debian-with-systemd", "/sbin/init")
        for name, text in STAND_INS.items():
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(text)
                file.flush()
                os.chmod(file.name, 0o755)
                docker("cp", file.name, f"machine:/{name}")
        docker("start", "machine")
        wait(lambda: self.on("systemctl", "is-system-running", code=None) == "running", 60)

    @staticmethod
    def on(*command, code=0):
        return docker("exec", "machine", *command, code=code)

    def deploy(self, name):
        self.assertIn("serving", self.on("/checkout/run.sh", "deploy", f"{REPOSITORY_OF_IMAGES}@{DIGESTS[name]}"))
        self.check_watched()

    def check_watched(self):
        wait(lambda: self.on("systemctl", "is-active", "netsec.service", code=None) == "active", 30)

    def test_the_unit_brings_back_what_has_died_and_what_a_reboot_has_ended(self):
        self.deploy("first")
        self.assertEqual(self.on("systemctl", "is-enabled", "netsec.service"), "enabled")
        docker("container", "kill", "netsec")
        wait(is_ready, 90)
        self.on("systemctl", "stop", "docker")
        self.on("systemctl", "start", "docker")
        self.check_watched()
        self.deploy("second")
        self.on("systemctl", "kill", "--signal", "KILL", "netsec.service")
        self.check_watched()
        docker("stop", "netsec", "machine")
        docker("start", "machine")
        wait(is_ready, 60)
        self.check_watched()
        self.check_retraining()

    def check_retraining(self):
        guide = (REPOSITORY / "docs/operations.md").read_text().split("**systemd timer**")[1]
        commands = guide.split("```text\n")[1].split("```")[0]
        commands = commands.replace("sudo ", "")
        commands = re.sub("^read .* source &&$", "source='synth://phishing?rows=3000' &&", commands, flags=re.MULTILINE)
        self.assertIn("synth://", commands)
        self.assertIn("netsec-retrain.service", docker("exec", "--workdir", "/checkout", "machine", "bash", "-euc", commands))
        self.on("systemctl", "start", "netsec-retrain.service")
        self.assertIn("version 2", self.on("journalctl", "--unit", "netsec-retrain"))


