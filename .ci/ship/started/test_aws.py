"""Types what docs/deploy.md says of AWS, word by word, against an emulator of it."""

import ipaddress
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from engine import CONFINED, REPOSITORY, Started, answer, docker, inspected, is_ready, keys_of, record, wait

PEERS = pathlib.Path(os.environ["PEERS"])
PORT = 5556
EMULATOR = f"http://127.0.0.1:{PORT}"


def blocks(section):
    guide = (REPOSITORY / "docs/deploy.md").read_text()
    section = guide.split(f"### {section}\n")[1].split("\n### ")[0]
    return re.findall(r"^```text\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


class Emulated(unittest.TestCase):
    """An emulator of AWS, also for containers, and the client that asks it."""

    def setUp(self):
        super().setUp()
        server = subprocess.Popen(
            [PEERS / "moto_server", "-H", "0.0.0.0", "-p", str(PORT)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.variables = {
            "PATH": f"{PEERS}:/usr/bin:/bin",
            "HOME": folder.name,
            "AWS_ENDPOINT_URL": EMULATOR,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        wait(self.is_there, 60)

    @staticmethod
    def is_there():
        try:
            urllib.request.urlopen(f"{EMULATOR}/moto-api/").close()
        except urllib.error.URLError:
            return False
        return True

    def shell(self, text):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{text}\n{done.stdout}{done.stderr}")
        return done.stdout

    def aws(self, *words):
        return json.loads(self.shell(f"aws {' '.join(words)} --output json"))


class Guide(Emulated):
    def test_what_it_says_of_aws_can_be_typed(self):
        shutil.copytree(REPOSITORY / "deploy", self.folder / "deploy")
        vpc = self.aws("ec2 describe-vpcs")["Vpcs"][0]["VpcId"]
        subnet = self.aws("ec2 describe-subnets")["Subnets"][0]["SubnetId"]
        text = "".join(blocks("Once, in AWS")).replace("vpc-…", vpc).replace("subnet-…", subnet)
        self.assertNotIn("…", text)
        self.shell(text + blocks("Logs")[0])
        self.check_instance()
        self.check_group()
        policy = self.aws("iam get-role-policy --role-name netsec-instance --policy-name netsec")["PolicyDocument"]
        self.assertIn("arn:aws:s3:::example-netsec/netsec/*", json.dumps(policy))
        policy = self.aws("iam get-role-policy --role-name netsec-instance --policy-name logs")["PolicyDocument"]
        self.assertEqual(policy["Statement"][0]["Resource"], "arn:aws:logs:eu-central-1:123456789012:log-group:netsec:*")
        groups = self.aws("logs describe-log-groups")["logGroups"]
        self.assertEqual([(group["logGroupName"], group["retentionInDays"]) for group in groups], [("netsec", 30)])
        # What the checkout holds stays as it is.
        self.assertIn("BUCKET", (self.folder / "deploy/iam/instance.json").read_text())
        versions = self.aws("s3api get-bucket-versioning --bucket example-netsec")
        self.assertEqual(versions["Status"], "Enabled")
        self.aws("ecr get-lifecycle-policy --repository-name network-security")

    def check_instance(self):
        instance = self.aws("ec2 describe-instances")["Reservations"][0]["Instances"][0]
        self.assertEqual(instance["InstanceType"], "t2.medium")
        self.assertTrue(instance["IamInstanceProfile"]["Arn"].endswith("/netsec-instance"))
        self.assertEqual(instance["MetadataOptions"]["HttpTokens"], "required")
        self.assertEqual(instance["MetadataOptions"]["HttpPutResponseHopLimit"], 1)

    def check_group(self):
        group = self.aws("ec2 describe-security-groups --group-names netsec")["SecurityGroups"][0]
        ports = {name: sorted(rule.get("FromPort", 0) for rule in group[name]) for name in ["IpPermissions", "IpPermissionsEgress"]}
        self.assertEqual(ports, {"IpPermissions": [443], "IpPermissionsEgress": [80, 443]})


class Bucket(Emulated, Started):
    def test_a_registry_in_a_bucket_is_filled_by_one_image_and_served_by_the_other(self):
        self.aws("s3api create-bucket --bucket models --create-bucket-configuration LocationConstraint=eu-central-1")
        there = {"AWS_ENDPOINT_URL": f"http://{self.gateway()}:{PORT}", "NETSEC_REGISTRY": "s3://models/registry"}
        variables = self.variables | there
        names = sorted(variables.keys() - {"PATH", "HOME"})
        given = [word for name in names for word in ("--env", f"{name}={variables[name]}")]
        docker("run", "--detach", "--name", "netsec", "--publish", "5000:5000", *CONFINED, *given, "network-security-app")
        wait(lambda: answer("/healthz")[0] == 200)
        self.assertFalse(is_ready())
        docker("run", "--rm", *CONFINED, *given, "network-security-pipeline", "run", "--progress", "off")
        wait(is_ready, 30)
        words = docker("logs", "netsec")
        self.assertNotIn("training", words)
        self.assertEqual(answer("/v1/predict", keys_of(words)["predict"], {"records": [record()]})[0], 200)
        kept = self.aws("s3api list-objects-v2 --bucket models --query Contents[].Key")
        self.assertIn("registry/models/phishing-simulated/history/00000001.json", kept)

    @staticmethod
    def gateway():
        """The first address of the bridge, which is this machine for containers."""
        return ipaddress.ip_network(inspected("bridge")["IPAM"]["Config"][0]["Subnet"])[1]
