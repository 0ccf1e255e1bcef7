"""Each call that run.sh makes fails once, in each way."""

from machine import OnAMachine


class Failure(OnAMachine):
    """Every call that a deployment makes fails once, in each way, and the deployment after it completes."""

    def sweep(self, how, deployed=("old",)):
        machine = self.new_machine("clean", deployed)
        self.check(machine.deploy("new"), 0)
        calls = machine.calls()
        self.assertGreater(len(calls), 20)
        committed = self.first_call_after_the_commit(calls)
        for at in range(1, len(calls) + 1):
            with self.subTest(how=how, at=at, call=calls[at - 1]):
                machine = self.new_machine("faulty", deployed)
                done = machine.deploy("new", at=at, how=how)
                if how != "refuse":
                    self.assertEqual(done.returncode, -9)
                    # As after a reboot, or by the unit's next start.
                    self.check(machine.run("start"), 0)
                self.check_serving(machine, at, committed, done)
                self.check(machine.deploy("new"), 0)
                names = [line.split()[0] for line in machine.containers()]
                self.assertEqual(machine.serving(), "new")
                self.assertEqual(names, ["netsec", "netsec-previous"])
                self.assertIn(f"netsec-previous exited {deployed[-1]}", machine.containers())

    def check_serving(self, machine, at, committed, done):
        if done.returncode == 0 or at > committed:
            self.assertEqual(machine.serving(), "new", done.stderr)
        else:
            self.assertEqual(machine.serving(), "old", done.stderr)

    @staticmethod
    def first_call_after_the_commit(calls):
        """The last call before the record of the commit is written; what comes after it is tidying."""
        inspected = [n for n, call in enumerate(calls, 1) if "inspect" in call and ".Id" in call]
        return inspected[-1]

    def test_a_refused_call_leaves_a_serving_machine(self):
        self.sweep("refuse")

    def test_a_death_before_a_call_leaves_a_machine_that_starts_again(self):
        self.sweep("kill")

    def test_a_death_after_a_call_leaves_a_machine_that_starts_again(self):
        self.sweep("kill-after")

    def test_the_third_deployment_fails_as_harmlessly_as_the_second(self):
        self.sweep("refuse", deployed=("third", "old"))
