"""What run.sh does between deployments: it watches the service, and trains."""

import fcntl
import subprocess

from machine import HERE, REPOSITORY, OnAMachine, image


class Watch(OnAMachine):
    """What the unit runs; the sleep that the stand-in refuses ends it."""

    def test_a_stopped_container_is_started(self):
        (self.machine.state / "containers/netsec/state").write_text("exited")
        self.machine.run("watch")
        self.assertEqual(self.machine.serving(), "old")

    def test_a_container_that_does_not_answer_is_restarted_after_three_looks(self):
        (self.machine.state / "hung").write_text("")
        for looks, restarts in [(2, 0), (3, 1), (7, 2)]:
            with self.subTest(looks):
                # Ready at the start, mute from then on.
                (self.machine.state / "hung").unlink()
                done = self.watch_hanging(looks)
                found = [call for call in self.machine.calls() if " restart " in call]
                self.assertEqual(len(found), restarts, done.stderr)

    def test_a_container_that_hangs_when_the_watch_begins_is_restarted(self):
        (self.machine.state / "hung").write_text("")
        done = self.machine.run("watch", NETSEC_READY_SECONDS="1")
        self.assertEqual([call for call in self.machine.calls() if " restart " in call], ["docker container restart -t 10 netsec"], done.stderr)

    def test_a_service_at_another_port_than_the_settings_name_is_left_alone(self):
        self.machine.run("watch", FAKE_WATCHES="7", NETSEC_PORT="8080")
        self.assertEqual([call for call in self.machine.calls() if " restart " in call], [])

    def test_an_interval_that_is_none_is_said_and_the_usual_one_counts(self):
        for seconds in ["10x", "0"]:
            with self.subTest(seconds):
                self.program(self.machine, "sleep", 'echo "$1" >"$FAKE_STATE/slept"\nexit 1')
                self.check(self.machine.run("watch", NETSEC_WATCH_SECONDS=seconds), 0, f"NETSEC_WATCH_SECONDS='{seconds}'")
                self.assertEqual((self.machine.state / "slept").read_text(), "10\n")

    def watch_hanging(self, looks):
        hanging = self.machine.tools / "sleep"
        hanging.unlink()
        hanging.write_text(f'#!/bin/sh\ntouch "$FAKE_STATE/hung"\nexec {self.machine.tools}/fake-sleep/sleep "$@"\n')
        hanging.chmod(0o755)
        (self.machine.tools / "fake-sleep").mkdir(exist_ok=True)
        inner = self.machine.tools / "fake-sleep/sleep"
        if not inner.exists():
            inner.symlink_to(HERE / "fakes" / "machine")
        return self.machine.run("watch", FAKE_WATCHES=str(looks))

    def test_without_a_deployment_there_is_nothing_to_watch(self):
        self.check(self.new_machine("none", deployed=()).run("watch"), 65, "nothing was deployed yet")


class Retraining(OnAMachine):
    def retrain(self, *arguments):
        return subprocess.run(
            ["sh", str(REPOSITORY / "deploy/systemd/netsec-retrain"), *arguments],
            env={
                "PATH": str(self.machine.tools),
                "FAKE_STATE": str(self.machine.state),
                "NETSEC_ROOT": str(self.machine.root),
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def test_the_serving_image_trains_on_the_service_s_data(self):
        self.check(self.retrain(), 0)
        call = self.machine.calls()[-1]
        self.assertEqual((self.machine.state / "variables").read_text().strip(), "")
        self.assertIn("source=netsec-data,target=/data", call)
        self.assertTrue(call.endswith(f"{image('old')} run --refresh --progress off"), call)

    def retrain_with(self, service, training):
        """The variables and the words with which it trains."""
        settings = self.machine.root / "etc/netsec"
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "server.env").write_text(service)
        (settings / "retrain.env").write_text(training)
        self.check(self.retrain(), 0)
        variables = (self.machine.state / "variables").read_text().split()
        return variables, self.machine.calls()[-1].partition(image("old"))[2]

    def test_it_trains_for_the_registry_the_model_and_the_signers_of_the_service(self):
        service = "NETSEC_REGISTRY=s3://bucket/netsec\nAWS_REGION=eu-central-1\nNETSEC_TRUSTED_KEYS=/data/trusted.pem\n"
        other = "# a remark\nNETSEC_API_KEYS=a b c\nNETSEC_LOG=info\n"
        variables, words = self.retrain_with(f"{service}{other}NETSEC_MODEL=urls", "NETSEC__SOURCE=mongodb://db/netsec")
        self.assertEqual(variables, ["NETSEC__SOURCE=mongodb://db/netsec", *service.split(), "NETSEC_MODEL=urls"])
        self.assertEqual(words, " run --refresh --progress off --model urls")

    def test_what_training_says_itself_counts_and_credentials_are_not_mixed(self):
        service = "NETSEC_REGISTRY=/data/one\nAWS_ACCESS_KEY_ID=reads\nAWS_SESSION_TOKEN=t\nNETSEC_MODEL=urls\n"
        training = "NETSEC_REGISTRY=/data/two\nAWS_ACCESS_KEY_ID=writes\nNETSEC_MODEL=mails\n"
        variables, words = self.retrain_with(service, training)
        self.assertEqual(variables, training.split())
        self.assertEqual(words, " run --refresh --progress off --model mails")

    def test_arguments_are_refused_since_the_engine_would_take_them_as_its_own(self):
        (self.machine.state / "calls").write_text("")
        self.check(self.retrain("--user", "0", "--volume", "/:/host"), 64, "no arguments")
        self.assertEqual(self.machine.calls(), [])

    def test_two_at_a_time_are_refused(self):
        with (self.machine.root / "var/lib/netsec/retrain.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.check(self.retrain(), 75, "at work already")
