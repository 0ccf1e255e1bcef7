"""What the tests of started containers share; they run inside `.ci/ship/engine`, beside nothing else."""

import json
import pathlib
import re
import subprocess
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent.parent
# As docs/deploy.md confines a container.
CONFINED = "--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges".split()


def docker(*arguments, code=0, text=None):
    """What docker prints on both streams."""
    done = subprocess.run(
        ["docker", *arguments],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    if code is not None and done.returncode != code:
        raise AssertionError(f"docker {' '.join(arguments)} ended with {done.returncode}: {done.stdout}")
    return done.stdout.strip()


def inspected(name):
    return json.loads(docker("inspect", name))[0]


def wait(what, seconds=300):
    """Until it gives something that is true, which is returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s: {what}")


def answer(path, key=None, body=None, port=5000, host=None):
    """Status and body of a request to this machine; status 0 when nobody answers."""
    command = ["curl", "--silent", "--max-time", "20", "--write-out", "\n%{http_code}"]
    if key:
        command += ["--header", f"Authorization: Bearer {key}"]
    if host:
        command += ["--header", f"Host: {host}"]
    if body is not None:
        command += ["--header", "Content-Type: application/json", "--data-binary", "@-"]
    url = f"http://127.0.0.1:{port}{path}"
    done = subprocess.run([*command, url], input=json.dumps(body), capture_output=True, text=True, check=False)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text


def is_ready(port=5000):
    return answer("/readyz", port=port)[0] == 200


def keys_of(words):
    """Keys by scope, from what a first start has printed."""
    return {scope: key for scope, key in re.findall(r"\(scope (\w+)\).*: (netsec_[0-9a-f]{64})", words)}


def record():
    """A record that the model can score: every required column at one of its levels."""
    description = json.loads(answer("/openapi.json")[1])["components"]["schemas"]["Record"]
    columns = description["properties"]
    return {name: columns[name]["enum"][0] for name in description["required"]}


class Started(unittest.TestCase):
    """Containers and volumes of a test go with it."""

    def setUp(self):
        self.addCleanup(self.remove_all)

    @staticmethod
    def remove_all():
        for kind, removal in [("container", ["container", "rm", "--force"]), ("volume", ["volume", "rm", "--force"])]:
            listed = ["ps", "--all", "--quiet"] if kind == "container" else ["volume", "ls", "--quiet"]
            for name in docker(*listed).split():
                docker(*removal, name)
