"""Each call that run.sh makes fails once, in each way; and the engine hangs."""

import shutil

from machine import OnAMachine, image


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


class Hanging(OnAMachine):
    """An engine that takes calls and answers none; each limit is shortened to a second and written down."""

    def setUp(self):
        super().setUp()
        self.shorten(self.machine)

    def shorten(self, machine):
        ours = f'case "$4" in docker) echo "$3 $5 $6" >>"$FAKE_STATE/limits"; shift 3; set -- --foreground --kill-after=1 1 "$@" ;; esac'
        self.program(machine, "timeout", f'{ours}\nexec {shutil.which("timeout")} "$@"')

    def test_every_command_ends_and_says_what_to_do(self):
        (self.machine.state / "hanging").touch()
        for arguments, code in [(["status"], 69), (["rollback"], 69), (["deploy", image("new")], 69), (["start"], 69), (["check"], 124)]:
            with self.subTest(arguments):
                self.check(self.machine.run(*arguments), code, "`systemctl restart docker`")

    def test_a_call_that_hangs_leaves_the_old_one_serving(self):
        self.check(self.machine.deploy("new", **self.LOGS), 0)
        calls = self.machine.calls()
        for words in [" pull ", " run --rm ", " stop netsec", " run --detach --name netsec "]:
            with self.subTest(words):
                at = next(number for number, call in enumerate(calls, 1) if words in call)
                machine = self.new_machine("hangs")
                self.shorten(machine)
                done = machine.deploy("new", at=at, how="hang", **self.LOGS)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("`systemctl restart docker`", done.stderr)
                self.assertEqual(machine.serving(), "old")

    def test_a_pull_and_a_start_have_longer_than_a_look(self):
        self.check(self.machine.deploy("new"), 0)
        limits = (self.machine.state / "limits").read_text().splitlines()
        for limit in ["60 ps --all", "60 container inspect", "60 login --username", "900 pull --quiet", "330 run --detach", "330 container stop"]:
            self.assertIn(limit, limits)

    def test_the_watch_goes_on_with_an_engine_that_answers_again(self):
        (self.machine.tools / "looks").mkdir()
        (self.machine.tools / "looks/sleep").symlink_to((self.machine.tools / "sleep").resolve())
        # Three looks find it hanging; what was stopped meanwhile is started by the next ones.
        hangs = 'cd "$FAKE_STATE"\necho >>slept\ncase "$(wc -l <slept)" in 1) : >hanging ;; 4) rm hanging; echo exited >containers/netsec/state ;; esac'
        self.program(self.machine, "sleep", f'{hangs}\nexec {self.machine.tools}/looks/sleep "$@"')
        self.check(self.machine.run("watch", FAKE_WATCHES="8"), 0, "not restarted")
        self.assertEqual(self.machine.serving(), "old")
