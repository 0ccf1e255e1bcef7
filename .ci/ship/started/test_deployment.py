"""Deploys with run.sh on a machine with a real engine and a real registry; of AWS, its client is a stand-in."""

import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from engine import REPOSITORY, Started, answer, docker, inspected, is_ready, keys_of, record, wait

HOST = os.environ["REGISTRY_HOST"]
REPOSITORY_OF_IMAGES = f"{HOST}/network-security"
AWS = """#!/bin/sh
case "$1 $2" in
  "ecr get-login-password") [ ! -e {folder}/refuse-login ] || exit 255; echo token ;;
  "ecr describe-images")
    for word in "$@"; do case "$word" in imageTag=*) tag="${{word#*=}}" ;; esac; done
    curl --fail --silent --head --cacert "$REGISTRY_CERTIFICATE" --user AWS:token \\
      --header 'Accept: application/vnd.docker.distribution.manifest.v2+json' \\
      "https://$REGISTRY_HOST/v2/network-security/manifests/$tag" >{folder}/head || exit 254
    sed -n 's/\\r$//; s/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p' {folder}/head ;;
esac
"""
# What each image adds to the real one.
IMAGES = {
    "first": "LABEL build=first",
    "second": "LABEL build=second",
    "third": "LABEL build=third",
    "crashes": 'ENTRYPOINT ["/bin/false"]',
    "mute": 'ENTRYPOINT ["/bin/sleep", "600"]',
    "unready": "ENV NETSEC_MODEL=absent",
    # Something to pull that needs room.
    "large": "USER 0\nRUN dd if=/dev/urandom of=/large bs=1M count=64\nUSER 10001:10001",
}
DIGESTS = {}


def publish(names):
    """Pushes images, keeps their digests and forgets them."""
    with tempfile.TemporaryDirectory() as login:
        docker("--config", login, "login", "--username", "AWS", "--password-stdin", HOST, text="token")
        for name in names:
            tag = f"{REPOSITORY_OF_IMAGES}:{name}"
            docker("build", "--tag", tag, "-", text=f"FROM network-security-app\n{IMAGES[name]}\n")
            pushed = docker("--config", login, "push", tag)
            DIGESTS[name] = pushed.rpartition("digest: ")[2].split()[0]
            docker("image", "rm", tag)


def registry(reference, *words, text=None):
    """What the registry says of a manifest, or to one that is sent."""
    command = ["curl", "--fail", "--silent", "--show-error", "--cacert", os.environ["REGISTRY_CERTIFICATE"], "--user", "AWS:token"]
    url = f"https://{HOST}/v2/network-security/manifests/{reference}"
    return subprocess.run([*command, *words, url], input=text, capture_output=True, check=True).stdout


def publish_index(image, other):
    """As BuildKit does with attestations: an index of an image and, for no platform, of what is none to run."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    entries = []
    for name, platform in [(image, {"architecture": "amd64", "os": "linux"}), (other, {"architecture": "unknown", "os": "unknown"})]:
        size = len(registry(DIGESTS[name], "--header", f"Accept: {kind}"))
        entries.append({"mediaType": kind, "digest": DIGESTS[name], "size": size, "platform": platform})
    kind = "application/vnd.oci.image.index.v1+json"
    text = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
    DIGESTS["index"] = f"sha256:{hashlib.sha256(text).hexdigest()}"
    registry(DIGESTS["index"], "--request", "PUT", "--header", f"Content-Type: {kind}", "--data-binary", "@-", text=text)


def forget_images():
    shown = ["--all", "--digests", "--format", "{{.Repository}}@{{.Digest}}", REPOSITORY_OF_IMAGES]
    for image in docker("image", "ls", *shown).split():
        docker("image", "rm", "--force", image)


class Deployment(Started):
    @classmethod
    def setUpClass(cls):
        publish(IMAGES)
        publish_index("first", "mute")
        # A first start's data, so that not every test has to train.
        docker("run", "--detach", "--name", "seed", "--publish", "5000:5000", "--volume", "seed:/data", "network-security-app")
        wait(is_ready)
        cls.keys = keys_of(docker("logs", "seed"))
        docker("stop", "seed")
        cls.data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.data.cleanup)
        cls.copy(inspected("seed")["Mounts"][0]["Source"], cls.data.name)
        docker("container", "rm", "seed")
        docker("volume", "rm", "seed")

    @staticmethod
    def copy(folder, to):
        """With its owners."""
        subprocess.run(["cp", "--archive", f"{folder}/.", to], check=True)

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "bin").mkdir()
        for name, text in [("aws", AWS.format(folder=self.folder)), ("systemctl", "#!/bin/sh\n")]:
            (self.folder / "bin" / name).write_text(text)
            (self.folder / "bin" / name).chmod(0o755)
        self.addCleanup(forget_images)
        docker("volume", "create", "netsec-data")
        self.copy(self.data.name, inspected("netsec-data")["Mountpoint"])

    def begin(self, *arguments, seconds=20, **environment):
        variables = os.environ | {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "NETSEC_ROOT": f"{self.folder}/root",
            "NETSEC_READY_SECONDS": str(seconds),
        }
        return subprocess.Popen(
            ["bash", str(REPOSITORY / "run.sh"), *arguments],
            env=variables | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run_sh(self, *arguments, code=0, says="", **options):
        process = self.begin(*arguments, **options)
        printed, _ = process.communicate(timeout=300)
        if code is not None:
            self.assertEqual(process.returncode, code, printed)
        self.assertIn(says, printed)
        return printed

    def deploy(self, name, **options):
        return self.run_sh("deploy", self.image(name), **options)

    @staticmethod
    def image(name):
        return f"{REPOSITORY_OF_IMAGES}@{DIGESTS[name]}"

    def check_serving(self, name, previous=None):
        """That this image answers, beside the one that is kept, and that nothing else is there."""
        self.assertTrue(is_ready())
        names = {digest: known for known, digest in DIGESTS.items()}
        found = {}
        for container in docker("ps", "--all", "--format", "{{.Names}}").split():
            known = inspected(container)
            found[container] = (known["State"]["Status"], names[known["Config"]["Image"].rpartition("@")[2]])
        expected = {"netsec": ("running", name)}
        if previous:
            expected["netsec-previous"] = ("exited", previous)
        self.assertEqual(found, expected)
        body = {"records": [record()]}
        self.assertEqual(answer("/v1/predict", self.keys["predict"], body)[0], 200)

    def test_a_first_deployment_by_tag_trains_and_leaves_its_keys_to_root(self):
        docker("volume", "rm", "netsec-data")
        printed = self.run_sh("deploy", f"{REPOSITORY_OF_IMAGES}:first", seconds=300, says="keys were made")
        self.assertNotRegex(printed, "netsec_[0-9a-f]{8}")
        words = self.folder / "root/var/lib/netsec/first-start.log"
        self.assertEqual(words.stat().st_mode & 0o777, 0o600)
        self.keys = keys_of(words.read_text())
        self.check_serving("first")
        self.run_sh("status", says="ready")

    def test_three_deployments_keep_two_and_a_rollback_goes_back(self):
        self.deploy("first")
        with self.outage() as outage:
            self.deploy("second")
        print(f"a swap: {outage['seconds']:.1f} s without an answer, {outage['answers']} answers")
        self.check_serving("second", "first")
        self.deploy("third")
        self.check_serving("third", "second")
        images = docker("image", "ls", "--all", "--digests", "--format", "{{.Digest}}", REPOSITORY_OF_IMAGES).split()
        self.assertEqual(sorted(images), sorted([DIGESTS["second"], DIGESTS["third"]]))
        self.deploy("third", says="serving already")
        self.run_sh("rollback")
        self.check_serving("second", "third")

    def test_changed_settings_and_a_tidied_engine_leave_the_image_before_to_go_back_to(self):
        self.deploy("first")
        self.deploy("second")
        settings = self.folder / "root/etc/netsec"
        settings.mkdir(parents=True)
        (settings / "server.env").write_text("NETSEC_LOG=info\n")
        self.deploy("second", says="swapping")
        self.check_serving("second", "first")
        docker("container", "prune", "--force")
        docker("image", "rm", self.image("first"))
        self.run_sh("rollback")
        self.check_serving("first", "second")
        self.run_sh("deploy", self.image("second"), code=78, says="NETSEC_PORT", NETSEC_PORT='"5000"')
        docker("pause", "netsec")
        self.run_sh("start")
        self.check_serving("first", "second")

    def test_the_digest_of_an_index_is_deployed_and_gone_back_to_by_a_pull(self):
        self.deploy("index")
        self.deploy("second")
        self.check_serving("second", "index")
        docker("container", "prune", "--force")
        docker("image", "rm", self.image("index"))
        self.run_sh("rollback")
        self.check_serving("index", "second")

    @contextlib.contextmanager
    def outage(self):
        """Counts for how long nobody answers with 200."""
        seen = {"seconds": 0.0, "answers": 0}
        over = threading.Event()

        def look():
            last = time.monotonic()
            while not over.wait(0.02):
                is_there = is_ready()
                now = time.monotonic()
                seen["seconds"] += 0 if is_there else now - last
                seen["answers"] += is_there
                last = now

        thread = threading.Thread(target=look)
        thread.start()
        yield seen
        over.set()
        thread.join()

    def test_an_image_that_never_serves_leaves_the_old_one_serving(self):
        self.deploy("first")
        for name in ["crashes", "mute", "unready"]:
            with self.subTest(name):
                self.deploy(name, code=69, seconds=4, says="back to what served before")
                self.check_serving("first")

    def test_a_registry_that_refuses_leaves_the_old_one_serving(self):
        self.deploy("first")
        (self.folder / "refuse-login").touch()
        self.assertNotIn("serving", self.deploy("second", code=69, says="no password"))
        self.check_serving("first")
        (self.folder / "refuse-login").unlink()
        absent = f"{REPOSITORY_OF_IMAGES}@sha256:{'0' * 64}"
        self.run_sh("deploy", absent, code=69, says="could not be pulled")
        self.run_sh("deploy", f"{REPOSITORY_OF_IMAGES}:absent", code=69)
        self.check_serving("first")

    def test_a_port_that_is_taken_leaves_what_was(self):
        with self.listener(5000):
            self.deploy("first", code=78, says="NETSEC_PORT=5000: another program")
        self.assertEqual(docker("ps", "--all", "--quiet"), "")
        self.deploy("first")
        with self.listener(5001):
            self.deploy("second", code=125)
        self.check_serving("first")
        self.deploy("second")
        self.check_serving("second", "first")

    @contextlib.contextmanager
    def listener(self, port):
        server = http.server.HTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler)
        yield
        server.server_close()

    def test_another_port_is_taken_over_by_a_running_watch(self):
        self.deploy("first")
        process = self.begin("watch", NETSEC_WATCH_SECONDS="1")
        try:
            self.deploy("second", NETSEC_PORT="5055")
            begun = inspected("netsec")["State"]["StartedAt"]
            time.sleep(10)
            self.assertEqual(inspected("netsec")["State"]["StartedAt"], begun)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.run_sh("status", says="ready address=127.0.0.1:5055")

    def test_a_full_disk_leaves_the_old_one_serving(self):
        self.deploy("first")
        disk = pathlib.Path(os.environ["REGISTRY_CERTIFICATE"]).parent.parent
        ballast = disk / "ballast"
        for left in [80, 1, 0]:
            with self.subTest(left=left):
                free = shutil.disk_usage(disk).free
                with ballast.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, max(1, free - left * 1024 * 1024))
                try:
                    self.assertNotIn("serving image", self.deploy("large", code=None, says="no space left on device"))
                    self.check_serving("first")
                finally:
                    ballast.unlink()
        self.deploy("large")
        self.check_serving("large", "first")

    def test_an_old_container_that_is_gone_is_no_hindrance(self):
        self.deploy("first")
        docker("container", "rm", "--force", "netsec")
        self.run_sh("start", says="made again")
        self.check_serving("first")
        docker("container", "rm", "--force", "netsec")
        self.deploy("second")
        self.check_serving("second")
        self.run_sh("rollback")
        self.check_serving("first", "second")

    def test_killed_in_the_middle_it_starts_again_and_the_next_one_completes(self):
        self.deploy("first")
        for number, delay in enumerate([0, 0.1, 0.3, 0.5, 0.8, 1.2, 1.6, 2.2]):
            old, new = [("first", "second"), ("second", "first")][number % 2]
            with self.subTest(delay):
                process = self.begin("deploy", self.image(new))
                for line in process.stdout:
                    if "swapping" in line:
                        break
                time.sleep(delay)
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                self.run_sh("start")
                self.assertTrue(is_ready())
                serves = inspected("netsec")["Config"]["Image"]
                self.assertIn(serves, [self.image(old), self.image(new)])
                print(f"killed {delay} s into the swap: {'old' if serves == self.image(old) else 'new'} serves")
                self.deploy(new)
                self.check_serving(new, old)

    def test_ended_by_a_signal_it_goes_back_by_itself(self):
        self.deploy("first")
        process = self.begin("deploy", self.image("mute"))
        for line in process.stdout:
            if "trying" in line:
                break
        time.sleep(1)
        os.killpg(process.pid, signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0, printed)
        self.check_serving("first")

    def test_two_at_once_come_one_after_the_other(self):
        self.deploy("first")
        both = [self.begin("deploy", self.image(name)) for name in ["second", "third"]]
        for process in both:
            printed, _ = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, printed)
        last = {self.image(name): name for name in ["second", "third"]}[inspected("netsec")["Config"]["Image"]]
        self.check_serving(last, {"second": "third", "third": "second"}[last])

    def test_an_engine_that_was_restarted_in_the_middle_serves_again(self):
        self.deploy("first")
        process = self.begin("deploy", self.image("second"))
        for line in process.stdout:
            if "swapping" in line:
                break
        self.restart_engine(process)
        self.run_sh("start")
        self.assertTrue(is_ready())
        self.deploy("second")
        self.check_serving("second", "first")

    def restart_engine(self, process):
        """As at a reboot: what was at work is killed, the engine ends and begins again."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        engine = pathlib.Path(os.environ["ENGINE"].split("--pidfile ")[1])
        pid = int(engine.read_text())
        os.kill(pid, signal.SIGTERM)
        wait(lambda: not engine.exists(), 60)
        # It outlives this test.
        subprocess.run(["sh", "-c", "$ENGINE >/dev/null 2>&1 &"], check=True)
        wait(lambda: docker("info", "--format", "{{.ServerVersion}}", code=None)[:1].isdigit(), 60)

    def test_the_watch_restarts_what_hangs_and_what_has_died(self):
        self.deploy("first")
        process = self.begin("watch", NETSEC_WATCH_SECONDS="1")
        try:
            docker("kill", "--signal", "STOP", "netsec")
            self.assertFalse(is_ready())
            wait(is_ready, 90)
            docker("container", "kill", "netsec")
            wait(is_ready, 90)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
        self.assertEqual(printed.count("restarting"), 2, printed)
        self.check_serving("first")

    def test_a_retraining_beside_the_service_is_taken_up(self):
        self.deploy("first")
        key = self.keys["predict"]
        before = answer("/v1/models", key)[1]
        script = REPOSITORY / "deploy/systemd/netsec-retrain"
        settings = self.folder / "root/etc/netsec"
        settings.mkdir(parents=True)
        (settings / "retrain.env").write_text("NETSEC__SOURCE=synth://phishing?rows=4000\nNETSEC__SEED=9\n")
        done = subprocess.run(
            ["sh", str(script)],
            env=os.environ | {"NETSEC_ROOT": f"{self.folder}/root"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        wait(lambda: answer("/v1/models", key)[1] != before, 20)
