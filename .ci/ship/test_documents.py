"""Holds `.env.example` and the IAM policies against what reads them."""

import json
import pathlib
import re
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
# Set by the images, by a test or for a test alone: nothing for anybody to choose.
INTERNAL = {"NETSEC_ROOT", "NETSEC_WRITE_GOLDEN"}


class Variables(unittest.TestCase):
    def test_every_variable_that_is_read_is_in_the_example(self):
        example = (REPOSITORY / ".env.example").read_text()
        named = set(re.findall(r"^#?([A-Z_0-9]+)=", example, re.MULTILINE))
        for path, pattern in [
            ("crates", r'env = "(NETSEC_[A-Z_]+)"'),
            ("crates", r'_VARIABLE: &str = "((?:NETSEC|AWS)_[A-Z_]+)"'),
            ("run.sh", r"\$\{((?:NETSEC|AWS|ECR)_[A-Z_]+)"),
            ("docker-compose.yml", r"\$\{([A-Z0-9_]+)"),
            ("deploy/image/entrypoint", r"\$\{(NETSEC_[A-Z_]+)"),
            ("deploy/systemd/netsec-retrain", r"(NETSEC_[A-Z_]+)="),
        ]:
            read = self.read(REPOSITORY / path, pattern)
            self.assertTrue(read, f"{path}: {pattern}")
            self.assertEqual(read - named - INTERNAL, set(), path)

    @staticmethod
    def read(path, pattern):
        files = path.rglob("*.rs") if path.is_dir() else [path]
        return {name for file in files for name in re.findall(pattern, file.read_text())}


class Policies(unittest.TestCase):
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
            self.assertRegex(action, r"^(ecr|s3|sts):[A-Za-z]+$")
            self.assertNotIn("Delete", action)
        if statement.get("Resource") == "*":
            self.assertEqual(actions, ["ecr:GetAuthorizationToken"])
        if "Federated" in statement.get("Principal", {}):
            self.assertIn("Condition", statement)


if __name__ == "__main__":
    unittest.main()
