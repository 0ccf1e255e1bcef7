"""Holds `.env.example` and the IAM policies against what reads them."""

import fnmatch
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
# Set by the images, by a test or for a test alone: nothing for anybody to choose.
INTERNAL = {"NETSEC_ROOT", "NETSEC_WRITE_GOLDEN"}
# Of GitHub's settings, not of a program.
OF_GITHUB = {"AWS_ROLE"}


class Variables(unittest.TestCase):
    def test_every_variable_that_is_read_is_in_the_example(self):
        example = (REPOSITORY / ".env.example").read_text()
        named = set(re.findall(r"^#?([A-Z_0-9]+)=", example, re.MULTILINE))
        for path, pattern in [
            ("crates", r'env = "(NETSEC_[A-Z_]+)"'),
            ("crates", r'_VARIABLE: &str = "((?:NETSEC|AWS)_[A-Z_]+)"'),
            ("crates", r'"(AWS_[A-Z0-9_]+)"'),
            ("docs", r"`(AWS_[A-Z0-9_]+|PG[A-Z]+|TMPDIR|HTTPS?_PROXY|NO_PROXY)"),
            ("run.sh", r"\$\{((?:NETSEC|AWS|ECR)_[A-Z_]+)"),
            ("docker-compose.yml", r"\$\{([A-Z0-9_]+)"),
            ("deploy/image/entrypoint", r"\$\{(NETSEC_[A-Z_]+)"),
        ]:
            read = self.read(REPOSITORY / path, pattern)
            self.assertTrue(read, f"{path}: {pattern}")
            self.assertEqual(read - named - INTERNAL - OF_GITHUB, set(), path)

    def test_run_sh_knows_its_own_and_no_others(self):
        own = (REPOSITORY / ".env.example").read_text().split("# For run.sh,")[1].split("\n\n")[0]
        known = re.search(r"^own='NETSEC_\((.*)\)'$", (REPOSITORY / "run.sh").read_text(), re.MULTILINE)[1]
        self.assertEqual({f"NETSEC_{name}" for name in known.split("|")}, set(re.findall(r"^#(NETSEC_[A-Z_]+)=", own, re.MULTILINE)))

    @staticmethod
    def read(path, pattern):
        files = [*path.rglob("*.rs"), *path.rglob("*.md")] if path.is_dir() else [path]
        return {name for file in files if "tests" not in file.parts for name in re.findall(pattern, file.read_text())}


class Compose(unittest.TestCase):
    # The container's own: where things lie and listen there.
    OF_THE_CONTAINER = {"NETSEC_LISTEN", "NETSEC_ADMIN_LISTEN", "NETSEC_PROGRAM", "NETSEC_TLS_CERTIFICATE", "NETSEC_TLS_KEY", "NETSEC_INSECURE"}

    def test_the_service_gets_every_variable_of_its_own_and_who_asks_amazon(self):
        example = (REPOSITORY / ".env.example").read_text()
        own = example.split("# For netsec-server.\n")[1].split("\n\n")[0]
        wanted = set(re.findall(r"^#([A-Z_]+)=", own, re.MULTILINE)) - self.OF_THE_CONTAINER
        self.assertIn("NETSEC_MAX_ROWS", wanted)
        for service, names in [("server", wanted), ("train", set())]:
            names = names | {"NETSEC_REGISTRY", "NETSEC_TRUSTED_KEYS", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"}
            self.assertEqual(names - self.passed_on(service), set(), service)

    @staticmethod
    def passed_on(service):
        text = (REPOSITORY / "docker-compose.yml").read_text()
        block = re.split(r"\n  (?=\w+:\n)", text.split(f"\n  {service}:\n")[1])[0]
        if "<<: *stores" in block:
            block += "\n" + text.split("&stores\n")[1].split("\n\n")[0]
        return set(re.findall(r"^ +([A-Z_0-9]+):", block, re.MULTILINE))


class Rights(unittest.TestCase):
    """Whoever may push a branch runs commands as the runner's user: what that user may do as root."""

    guide = (REPOSITORY / "docs/deploy.md").read_text()
    workflows = {path.name: path.read_text() for path in (REPOSITORY / ".github/workflows").iterdir()}

    def allowed(self):
        rule = re.search(r"^runner ALL=\(root\) NOPASSWD: ((?:.*\\\n)*.*)$", self.guide, re.MULTILINE)[1]
        return [command.strip() for command in rule.replace("\\\n", " ").split(",")]

    def test_root_runs_only_what_root_alone_can_write(self):
        commands = self.allowed()
        self.assertEqual({command.split()[0] for command in commands}, {"/usr/local/sbin/netsec-run", "/usr/local/sbin/netsec-retrain"})
        # A command without arguments in this file may be given any.
        for command in commands:
            self.assertGreater(len(command.split()), 1, command)

    def test_the_workflows_run_as_root_what_is_allowed(self):
        patterns = [command.replace(' ""', "") for command in self.allowed()]
        found = [command for text in self.workflows.values() for command in re.findall(r"run: sudo (/usr/local/sbin/.*)", text)]
        self.assertEqual(len(found), 4)
        for command in found:
            self.assertTrue(any(fnmatch.fnmatchcase(command, pattern) for pattern in patterns), command)

    def test_a_rollback_waits_for_no_build(self):
        group = re.search(r"^  group: (.*)$", self.workflows["main.yaml"], re.MULTILINE)[1]
        self.assertEqual(group, "${{ inputs.rollback && 'rollback' || 'deployment' }}")

    def test_the_bases_of_the_image_can_be_given_and_are_the_dockerfile_s_otherwise(self):
        for name in ["BUILDER", "RUNTIME"]:
            self.assertIn(f"${{{{ vars.{name} && format('{name}={{0}}', vars.{name}) || '' }}}}", self.workflows["main.yaml"])
            self.assertIn(f"ARG {name}=", (REPOSITORY / "Dockerfile").read_text())

    def test_jobs_on_the_instance_are_of_main_in_an_environment_and_check_nothing_out(self):
        jobs = [job for text in self.workflows.values() for job in re.split(r"\n  (?=\w+:\n)", text) if "self-hosted" in job]
        self.assertEqual(len(jobs), 2)
        for job in jobs:
            self.assertRegex(job, r"\n    environment: production\n")
            self.assertIn("github.ref == 'refs/heads/main'", job)
            self.assertNotIn("uses:", job)
            self.assertEqual(re.findall(r"sudo (?!/usr/local/sbin/)", job), [])


class Runbook(unittest.TestCase):
    """The commands of docs/operations.md, in a root of their own and with a stand-in for the engine."""

    guide = (REPOSITORY / "docs/operations.md").read_text()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "bin").mkdir()
        (self.root / "etc").mkdir()

    def program(self, name, text):
        (self.root / "bin" / name).write_text(f"#!/bin/sh\necho {name} \"$@\" >>{self.root}/calls\n{text}\n")
        (self.root / "bin" / name).chmod(0o755)

    def run_block(self, number, section, typed=""):
        block = re.findall(r"^```text\n(.*?)^```$", self.guide.split(section)[1], re.MULTILINE | re.DOTALL)[number]
        return subprocess.run(
            ["bash", "-uc", self.here(block)],
            cwd=self.root,
            env={"PATH": f"{self.root}/bin:/usr/bin:/bin"},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )

    def here(self, block):
        for folder in ["etc", "data"]:
            block = block.replace(f"/{folder}/", f"{self.root}/{folder}/")
        return block.replace("sudo ", "").replace("./run.sh", "run.sh")

    def calls(self):
        return (self.root / "calls").read_text()

    def test_the_timer_is_enabled_only_once_there_is_a_source(self):
        for program in ["run.sh", "systemctl", "journalctl"]:
            self.program(program, "")
        done = self.run_block(0, "**systemd timer**", "mongodb://a:b@db/netsec\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("enable --now netsec-retrain.timer", self.calls())
        kept = self.root / "etc/netsec/retrain.env"
        self.assertEqual((kept.read_text(), kept.stat().st_mode & 0o777), ("NETSEC__SOURCE=mongodb://a:b@db/netsec\n", 0o600))
        (self.root / "calls").unlink()
        self.program("install", "exit 1")
        self.run_block(0, "**systemd timer**", "mongodb://a:b@db/netsec\n")
        self.assertNotIn("enable", self.calls())

    def test_a_key_is_taken_out_but_for_the_last_and_the_file_stays_the_service_s_alone(self):
        self.program("docker", 'shift 2\nexec "$@"')
        keys = self.root / "data/state/keys"
        keys.parent.mkdir(parents=True)
        keys.write_text("OTHER admin 1\nNAME predict 2\n")
        for says in ["", "no key would be left"]:
            done = self.run_block(1, "## Keys")
            self.assertIn(says, done.stderr)
            self.assertEqual((keys.read_text(), keys.stat().st_mode & 0o777), ("OTHER admin 1\n", 0o600))
            self.guide = self.guide.replace("^NAME ", "^OTHER ")

    def test_a_backup_is_its_maker_s_alone_and_a_restoration_stops_the_watch_first(self):
        self.program("docker", 'case "$1" in run) echo archive ;; esac')
        self.program("systemctl", "")
        done = self.run_block(0, "## Backup")
        self.assertEqual(done.returncode, 0, done.stderr)
        archive = self.root / "netsec.tar.gz"
        self.assertEqual((archive.read_text(), archive.stat().st_mode & 0o777), ("archive\n", 0o600))
        (self.root / "calls").unlink()
        self.run_block(1, "## Backup")
        order = [" ".join(call.split()[:2]) for call in self.calls().splitlines()]
        self.assertEqual(order, ["docker container", "systemctl stop", "docker stop", "docker run", "docker start", "systemctl start"])


class Secrets(unittest.TestCase):
    def test_no_command_puts_one_where_others_read_it(self):
        for name in ["deploy.md", "operations.md"]:
            text = (REPOSITORY / "docs" / name).read_text()
            # Arguments stand in the list of processes, a line that is typed in the shell's history.
            for shown in [r"Bearer \$[A-Z]", r"curl -H \"Auth", "--from-literal", "<<<"]:
                self.assertNotRegex(text, shown, name)

    def test_the_runner_does_not_see_what_others_run(self):
        guide = (REPOSITORY / "docs/deploy.md").read_text()
        unit = guide.split("# /etc/systemd/system/actions.runner.")[1].split("```")[0]
        self.assertIn("\nProtectProc=invisible\n", unit)


class Ways(unittest.TestCase):
    """What the guide has somebody connect with, its rules let through."""

    guide = (REPOSITORY / "docs/deploy.md").read_text()

    def test_the_security_group_has_a_rule_for_the_balancer_and_for_each_database(self):
        rules = self.guide.split("**5. A security group**")[1].split("**6. ")[0]
        self.assertIn("--port 5000 --source-group", rules)
        for port in ["27017", "5432", "3306"]:
            self.assertIn(port, rules)

    def test_a_registry_in_a_bucket_can_be_reached_from_a_cluster_as_the_guide_changes_it(self):
        section = self.guide.split("### When to move to a cluster")[1].split("## What was run")[0]
        for word in ["NETSEC_REGISTRY", "AWS_REGION", "role-arn", "emptyDir", "egress", "port: 53", "port: 443"]:
            self.assertIn(word, section)


class Images(unittest.TestCase):
    def test_every_image_that_is_pulled_is_of_the_repository_that_is_made_filled_and_let_in(self):
        for path in [*(REPOSITORY / "deploy").rglob("*.yaml"), *(REPOSITORY / "deploy/iam").iterdir()]:
            names = re.findall(r"REGION\.amazonaws\.com/([^@:]*)|:repository/([^\"]*)", path.read_text())
            self.assertLessEqual({"".join(name) for name in names}, {"network-security"}, path)


class Policies(unittest.TestCase):
    # What takes no resource: a login to ECR, and an instance that opens its own channels of Session Manager.
    EVERYWHERE = [
        ["ecr:GetAuthorizationToken"],
        ["ssm:UpdateInstanceInformation", *(f"ssmmessages:{verb}{kind}Channel" for verb in ["Create", "Open"] for kind in ["Control", "Data"])],
    ]

    def test_the_guide_gives_no_policy_that_reads_every_parameter_of_the_account(self):
        self.assertNotIn("attach-role-policy", (REPOSITORY / "docs/deploy.md").read_text())
        statements = json.loads((REPOSITORY / "deploy/iam/instance.json").read_text())["Statement"]
        self.assertIn(self.EVERYWHERE[1], [statement["Action"] for statement in statements])

    def test_no_policy_gives_more_than_it_names(self):
        policies = sorted((REPOSITORY / "deploy/iam").glob("*.json"))
        self.assertEqual([path.stem for path in policies], ["instance-trust", "instance", "workflow-trust", "workflow"])
        for path in policies:
            for statement in json.loads(path.read_text())["Statement"]:
                with self.subTest(path.stem, sid=statement["Sid"]):
                    self.check(statement)

    def check(self, statement):
        self.assertEqual(statement["Effect"], "Allow")
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        for action in actions:
            self.assertRegex(action, r"^(ecr|s3|ssm|ssmmessages|sts):[A-Za-z]+$")
            self.assertNotIn("Delete", action)
        if statement.get("Resource") == "*":
            self.assertIn(actions, self.EVERYWHERE)
        if "Federated" in statement.get("Principal", {}):
            self.assertIn("Condition", statement)


if __name__ == "__main__":
    unittest.main()
