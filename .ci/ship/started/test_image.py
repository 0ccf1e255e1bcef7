"""Looks into the two images and starts them, as docs/deploy.md says."""

import json
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
import time
import zlib

from engine import CONFINED, REPOSITORY, Started, answer, docker, inspected, is_ready, keys_of, record, wait

SERVER = "network-security-app"
PIPELINE = "network-security-pipeline"
MEGABYTE = 1_000_000
# And what an engine puts there.
OURS = r"^(usr/local/bin/(netsec|entrypoint)|etc/[a-z/.-]+|data/[a-z]+/\.keep|dev/console|\.dockerenv)$"


def files_of(image):
    """Name and content of every file of an image that is not a link."""
    container = docker("create", image)
    with tempfile.TemporaryDirectory() as folder:
        exported = f"{folder}/exported.tar"
        docker("export", "--output", exported, container)
        with tarfile.open(exported) as archive:
            return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isreg()}


def section(program, name):
    """What an ELF program of 64 bits has in a section, or none."""

    def number(at, size):
        return int.from_bytes(program[at : at + size], "little")

    headers, size, count, names = number(0x28, 8), number(0x3A, 2), number(0x3C, 2), number(0x3E, 2)
    sections = [headers + index * size for index in range(count)]
    strings = number(sections[names] + 0x18, 8)
    for at in sections:
        title = program[strings + number(at, 4) :].split(b"\0", 1)[0]
        if title == name.encode():
            return program[number(at + 0x18, 8) :][: number(at + 0x20, 8)]
    return None


class Content(Started):
    def test_an_image_is_small(self):
        for image, packed_at_most, at_most in [(SERVER, 20, 40), (PIPELINE, 20, 40)]:
            with tempfile.TemporaryDirectory() as folder:
                saved = pathlib.Path(folder) / "saved.tar"
                docker("save", "--output", str(saved), image)
                packed = len(zlib.compress(saved.read_bytes(), 6))
            size = inspected(image)["Size"]
            print(f"{image}: {packed / MEGABYTE:.1f} MB in a registry, {size / MEGABYTE:.1f} MB unpacked")
            self.assertLess(packed, packed_at_most * MEGABYTE, image)
            self.assertGreater(packed, size / 10, image)
            self.assertLess(size, at_most * MEGABYTE, image)

    def test_its_description_is_whole(self):
        for image in [SERVER, PIPELINE]:
            config = inspected(image)["Config"]
            self.assertEqual(config["User"], "10001:10001")
            self.assertEqual(list(config["Volumes"]), ["/data"])
            labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
            self.assertRegex(labels["revision"], r"^[0-9a-f]{40}$")
            self.assertEqual(labels["licenses"], "Apache-2.0")
            self.assertLessEqual({"title", "description", "source"}, labels.keys())
        config = inspected(SERVER)["Config"]
        self.assertEqual(list(config["ExposedPorts"]), ["5000/tcp"])
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertNotIn("CMD-SHELL", config["Healthcheck"]["Test"])

    def test_nothing_is_in_it_but_busybox_and_ours(self):
        files = files_of(SERVER)
        ours = {name for name in files if not name.startswith("bin/")}
        self.assertLessEqual(
            {"usr/local/bin/netsec", "usr/local/bin/entrypoint"},
            ours,
        )
        for name in ours:
            self.assertRegex(name, OURS)
        tools = {content for name, content in files.items() if name.startswith("bin/")}
        self.assertEqual([b"BusyBox v" in tool for tool in tools], [True])

    def test_its_program_needs_no_library(self):
        for name, content in files_of(SERVER).items():
            if content.startswith(b"\x7fELF"):
                self.assertIsNone(section(content, ".interp"), name)

    def test_nothing_of_the_machine_that_built_it_and_no_secret_is_in_it(self):
        telling = [str(REPOSITORY), os.path.expanduser("~/."), os.uname().nodename + "."]
        patterns = [re.escape(text).encode() for text in telling if len(text) > 5]
        patterns += [rb"AKIA[0-9A-Z]{16}", rb"netsec_[0-9a-f]{64}", rb"PRIVATE KEY-----\n[A-Za-z0-9+/]{40}"]
        for image in [SERVER, PIPELINE]:
            for name, content in files_of(image).items():
                for pattern in patterns:
                    self.assertIsNone(re.search(pattern, content), f"{image}: {name}: {pattern}")

    def test_its_program_says_what_it_is_made_of(self):
        files = files_of(SERVER)
        packages = json.loads(zlib.decompress(section(files["usr/local/bin/netsec"], ".dep-v0")))["packages"]
        print(f"{len(packages)} packages")
        wanted = {"mongodb", "sqlx", "trees", "actix-web", "aws-sdk-s3"}
        self.assertLessEqual(wanted, {package["name"] for package in packages})


class Start(Started):
    def start(self, *arguments, name="netsec"):
        docker("run", "--detach", "--name", name, *arguments)

    def ready(self, name="netsec"):
        """The log of a container that has become ready."""

        def looked():
            self.assertEqual(inspected(name)["State"]["Status"], "running", docker("logs", name))
            return is_ready()

        wait(looked)
        return docker("logs", name)

    def test_the_first_start_trains_shows_keys_and_predicts_and_the_second_goes_on(self):
        begun = time.monotonic()
        self.start("--publish", "5000:5000", SERVER)
        words = self.ready()
        print(f"first start: ready after {time.monotonic() - begun:.1f} s")
        self.assertRegex(words, r"SIMULATED")
        keys = keys_of(words)
        self.assertEqual(sorted(keys), ["admin", "predict"], words)
        self.check_predicts(keys)
        self.check_ends()
        docker("start", "netsec")
        begun = time.monotonic()
        again = self.ready().removeprefix(words)
        print(f"second start: ready after {time.monotonic() - begun:.1f} s")
        self.assertNotRegex(again, "training|netsec_[0-9a-f]{64}")
        self.check_predicts(keys)

    def check_predicts(self, keys):
        body = {"records": [record()]}
        status, text = answer("/v1/predict", keys["predict"], body)
        self.assertEqual(status, 200, text)
        self.assertTrue(json.loads(text)["model"]["simulated"])
        for key in [None, "netsec_" + "0" * 64]:
            self.assertEqual(answer("/v1/predict", key, body)[0], 401)
        self.assertEqual(answer("/metrics")[0], 401)
        self.assertEqual(answer("/v1/models", keys["admin"])[0], 200)

    def check_ends(self):
        begun = time.monotonic()
        docker("stop", "netsec")
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(inspected("netsec")["State"]["ExitCode"], 0, docker("logs", "netsec"))

    def test_a_first_start_can_be_stopped_while_it_trains(self):
        for signal in ["TERM", "INT"]:
            self.start("--publish", "5000:5000", "--volume", f"{signal}:/data", SERVER, name=signal)
            wait(lambda: "training" in docker("logs", signal), 20)
            begun = time.monotonic()
            docker("kill", "--signal", signal, signal)
            docker("wait", signal)
            self.assertLess(time.monotonic() - begun, 3)
            docker("start", signal)
            self.assertEqual(sorted(keys_of(self.ready(signal))), ["admin", "predict"])
            docker("container", "rm", "--force", signal)

    def test_an_interrupted_service_ends(self):
        self.start("--publish", "5000:5000", SERVER)
        self.ready()
        docker("kill", "--signal", "INT", "netsec")
        self.assertEqual(docker("wait", "netsec"), "0")

    def test_confined_it_becomes_healthy_and_can_be_asked_inside(self):
        self.start("--publish", "127.0.0.1:5000:5000", "--volume", "netsec-data:/data", *CONFINED, SERVER)
        key = keys_of(self.ready())["admin"]
        wait(lambda: inspected("netsec")["State"]["Health"]["Status"] == "healthy", 40)
        self.assertIn("phishing-simulated", docker("exec", "netsec", "netsec", "models", "list"))
        guide = (REPOSITORY / "docs/deploy.md").read_text()
        reload = re.search(r"`docker exec -i netsec sh -c '(.*?)' <FILE`", guide)[1]
        self.assertIn("version", docker("exec", "-i", "netsec", "sh", "-c", reload, text=f"{key}\n"))
        self.assertEqual(answer("/reload", key, {})[0], 404)
        self.assertEqual(docker("exec", "netsec", "id", "-u"), "10001")
        self.assertIn("Read-only", docker("exec", "netsec", "touch", "/usr/local/bin/x", code=1))

    def test_a_hung_service_becomes_unhealthy(self):
        quick = ["--health-interval", "1s", "--health-start-period", "0s", "--health-timeout", "1s"]
        self.start("--publish", "127.0.0.1:5000:5000", *quick, SERVER)
        self.ready()
        wait(lambda: inspected("netsec")["State"]["Health"]["Status"] == "healthy", 30)
        docker("kill", "--signal", "STOP", "netsec")
        wait(lambda: inspected("netsec")["State"]["Health"]["Status"] == "unhealthy", 30)

    def test_mounted_artifacts_are_used_and_need_not_be_writable(self):
        with tempfile.TemporaryDirectory() as folder:
            artifacts = pathlib.Path(folder) / "artifacts"
            artifacts.mkdir()
            artifacts.chmod(0o777)
            pathlib.Path(folder).chmod(0o755)
            docker("run", "--rm", "--volume", f"{artifacts}:/data/artifacts", PIPELINE, "run", "--progress", "off", "--model", "mine")
            artifacts.chmod(0o755)
            self.start("--publish", "5000:5000", "--volume", f"{artifacts}:/data/artifacts:ro", SERVER)
            words = self.ready()
            self.assertNotIn("training", words)
            status, text = answer("/v1/predict", keys_of(words)["predict"], {"records": [record()]})
            self.assertEqual(json.loads(text)["model"]["name"], "mine-simulated", status)

    def test_a_model_is_trained_from_a_volume_by_the_other_image_and_taken_up(self):
        self.start("--publish", "5000:5000", "--volume", "netsec-data:/data", SERVER)
        key = keys_of(self.ready())["predict"]
        before = answer("/v1/models", key)[1]
        docker("run", "--rm", "--volume", "netsec-data:/data", *CONFINED, PIPELINE, "run", "--seed", "7", "--model", "another", "--progress", "off")
        wait(lambda: answer("/v1/models", key)[1] != before, 20)

    def test_keys_that_are_given_leave_none_to_make(self):
        made = docker("run", "--rm", SERVER, "netsec-server", "--new-key", "ci", "--scope", "predict")
        key, line = made.splitlines()
        self.start("--publish", "5000:5000", "--env", f"NETSEC_API_KEYS={line}", SERVER)
        self.assertEqual(keys_of(self.ready()), {})
        self.assertEqual(answer("/v1/predict", key, {"records": [record()]})[0], 200)

    def test_other_names_are_refused_until_they_are_allowed(self):
        self.start("--publish", "5000:5000", "--env", "NETSEC_ALLOW_HOST=detector.example.org", SERVER)
        self.ready()
        self.assertEqual(answer("/", host="detector.example.org")[0], 200)
        self.assertEqual(answer("/", host="other.example.org")[0], 421)

    def test_a_backup_is_made_and_brought_back_as_the_runbook_says(self):
        guide = (REPOSITORY / "docs/operations.md").read_text().split("## Backup\n")[1]
        backup, restoration = re.findall(r"^```text\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
        volume = ["--volume", "netsec-data:/data", "--publish", "5000:5000"]
        self.start(*volume, SERVER)
        key = keys_of(self.ready())["predict"]
        docker("exec", "netsec", "entrypoint", "--check")
        # The service and its watch, which are not on this machine.
        restoration = re.sub(r"^(image=|sudo systemctl|sudo docker st).*\n", "", restoration, flags=re.MULTILINE)
        backup, restoration = backup.replace("sudo ", ""), restoration.replace("sudo ", "")
        script = f"{backup}\ndocker container rm --force netsec\ndocker volume rm netsec-data\n{restoration}"
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["sh", "-euc", script], cwd=folder, check=True, capture_output=True)
        self.start(*volume, SERVER)
        self.assertNotIn("training", self.ready())
        self.assertEqual(answer("/v1/predict", key, {"records": [record()]})[0], 200)


class Cluster(Started):
    """The image as deploy/kubernetes/ starts it: nothing can be written but what is mounted for it."""

    def confined(self, artifacts):
        mounts = ["--mount", "type=volume,source=nothing,target=/data,readonly"]
        return [*CONFINED, *mounts, "--volume", f"artifacts:/data/artifacts{artifacts}", "--tmpfs", "/data/tmp:mode=1777"]

    def test_a_job_trains_and_a_replica_serves_what_it_cannot_write(self):
        made = [docker("run", "--rm", SERVER, "netsec-server", "--new-key", name).splitlines() for name in ["one", "two"]]
        lines = "".join(f"{line}\n" for _, line in made)
        job = ["--env", "NETSEC__SOURCE=synth://phishing?rows=3000", "--entrypoint", "netsec", SERVER, "run", "--refresh", "--progress", "off"]
        replica = ["--env", f"NETSEC_API_KEYS={lines}", "--publish", "5000:5000", "--entrypoint", "netsec-server", SERVER]
        docker("run", "--detach", "--name", "replica", *self.confined(":ro"), *replica)
        wait(lambda: answer("/healthz")[0] == 200, 30)
        self.assertFalse(is_ready())
        docker("run", "--rm", *self.confined(""), *job)
        wait(is_ready, 30)
        for key, _ in made:
            self.assertEqual(answer("/v1/predict", key, {"records": [record()]})[0], 200)
