"""Deploys with run.sh on a machine of stand-ins."""

import fcntl
import os
import shutil
import stat
import subprocess
import time

from machine import HERE, HOST, REPOSITORY, OnAMachine, image


class Deployment(OnAMachine):
    def test_the_newest_two_containers_and_images_stay(self):
        for name in ["new", "third"]:
            self.check(self.machine.deploy(name), 0, "serving")
        self.assertEqual(self.machine.containers(), ["netsec running third", "netsec-previous exited new"])
        kept = sorted(path.name.rpartition(":")[2] for path in (self.machine.state / "images").iterdir())
        self.assertEqual(kept, ["new", "third"])

    def test_the_same_image_again_touches_no_container(self):
        self.check(self.machine.deploy("old"), 0, "serving already")
        changing = [call for call in self.machine.calls() if " run " in call or " stop " in call or " pull " in call]
        self.assertEqual(changing, [])

    def test_a_changed_environment_of_the_server_starts_it_anew(self):
        settings = self.machine.root / "etc/netsec"
        settings.mkdir(parents=True)
        (settings / "server.env").write_text("NETSEC_ALLOW_HOST=detector.example\n")
        self.check(self.machine.deploy("old"), 0, "swapping")
        started = [call for call in self.machine.calls() if call.startswith("docker run")]
        self.assertEqual(len(started), 2)
        for call in started:
            self.assertIn(f"--env-file {settings}/server.env", call)

    def test_an_environment_of_the_server_that_others_can_read_is_told(self):
        self.change_settings(self.machine)
        server = self.machine.root / "etc/netsec/server.env"
        for mode, tells in [(0o644, True), (0o666, True), (0o640, True), (0o600, False), (0o400, False)]:
            with self.subTest(mode=oct(mode)):
                server.chmod(mode)
                done = self.machine.deploy("old")
                self.check(done, 0)
                self.assertEqual(f"{server} has mode {mode:o}" in done.stderr, tells, done.stderr)

    def test_a_tag_is_turned_into_a_digest_and_never_pulled_by_name(self):
        (self.machine.state / "tags" / "latest").write_text("sha256:new")
        done = self.machine.run("deploy", AWS_ECR_LOGIN_URI=HOST, ECR_REPO="network-security")
        self.check(done, 0, "serving")
        pulled = [call for call in self.machine.calls() if " pull " in call]
        self.assertEqual(len(pulled), 1)
        self.assertTrue(pulled[0].endswith(image("new")), pulled)

    def test_a_tag_that_the_registry_does_not_know_changes_nothing(self):
        self.check(self.machine.run("deploy", f"{HOST}/network-security:unheard"), 69)
        self.assertEqual(self.machine.serving(), "old")

    def test_an_image_that_cannot_be_meant_is_refused(self):
        for given, says in [("network-security", "neither"), ("docker.io/x/y:1", "no ECR host")]:
            with self.subTest(given):
                done = self.machine.run("deploy", given)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(says, done.stderr)
                self.assertEqual(self.machine.serving(), "old")

    def test_an_image_of_another_repository_than_the_settings_name_is_refused(self):
        named = {"AWS_ECR_LOGIN_URI": HOST, "ECR_REPO": "network-security"}
        other = "999999999999.dkr.ecr.eu-central-1.amazonaws.com/network-security@sha256:new"
        for given in [other, image("new").replace("network-security", "network-security-2")]:
            self.check(self.machine.run("deploy", given, **named), 64, f"not of {HOST}/network-security,")
        self.check(self.machine.run("deploy", image("new"), **named), 0)

    def test_a_digest_beside_a_tag_counts_alone(self):
        named = {"AWS_ECR_LOGIN_URI": HOST, "ECR_REPO": "network-security"}
        self.check(self.machine.run("deploy", image("new").replace("@", ":latest@"), **named), 0, f"serving image={image('new')} ")
        self.assertEqual(self.machine.containers(), ["netsec running new", "netsec-previous exited old"])

    def test_what_the_engine_says_of_a_login_is_shown_when_it_failed(self):
        self.assertNotIn("unencrypted", self.machine.deploy("new").stderr)
        machine = self.new_machine("refused")
        self.program(machine, "aws", "echo guess")
        self.check(machine.deploy("new"), 69, "does not let this machine in: docker: no password")

    def test_nothing_of_the_login_stays_on_the_disk(self):
        self.check(self.machine.deploy("new", TMPDIR=str(self.machine.folder)), 0)
        left = [path.name for path in self.machine.folder.iterdir()]
        self.assertEqual(sorted(left), ["bin", "root", "state"])
        self.assertFalse((self.machine.state / "config.json").exists())
        self.assertEqual(list(self.machine.root.rglob("config.json")), [])

    def test_a_login_that_a_kill_left_is_forgotten_at_the_next_start(self):
        machine = self.machine
        self.assertTrue(any(self.is_killed_in_a_pull(machine, at) for at in range(1, 30)))
        self.assertNotEqual(list(machine.root.rglob("config.json")), [])
        self.check(machine.run("start"), 0)
        self.assertEqual(list(machine.root.rglob("config.json")), [])

    @staticmethod
    def is_killed_in_a_pull(machine, at):
        machine.deploy("new", at=at, how="kill")
        return " pull " in machine.calls()[-1]

    def test_an_image_that_never_serves_leaves_the_old_one_serving(self):
        for behaviour in ["crashes", "mute", "unready", "mute-in-place"]:
            with self.subTest(behaviour):
                machine = self.new_machine(behaviour)
                machine.publish("new", behaviour)
                self.check(machine.deploy("new"), 69, "back to what served before")
                self.assertEqual(machine.containers(), ["netsec running old"])
                machine.publish("new")
                shutil.copy(machine.state / "registry" / image("new").replace("/", ","), machine.state / "images")
                self.check(machine.deploy("new"), 0)
                self.assertEqual(machine.containers(), ["netsec running new", "netsec-previous exited old"])

    def test_a_first_image_that_never_serves_leaves_nothing(self):
        machine = self.new_machine("empty", deployed=())
        machine.publish("new", "mute-in-place")
        self.check(machine.deploy("new"), 69)
        self.assertEqual(machine.containers(), [])

    def test_rollback_serves_the_image_before_and_can_be_undone(self):
        self.check(self.machine.deploy("new"), 0)
        self.check(self.machine.run("rollback"), 0)
        self.assertEqual(self.machine.containers(), ["netsec running old", "netsec-previous exited new"])
        self.check(self.machine.run("rollback"), 0)
        self.assertEqual(self.machine.serving(), "new")

    def test_a_second_deployment_of_an_image_leaves_the_one_before_to_go_back_to(self):
        for says, prepare in [("changed settings", self.change_settings), ("not ready", self.hang)]:
            with self.subTest(says):
                machine = self.new_machine(says.replace(" ", "-"), ("old", "new"))
                prepare(machine)
                self.check(machine.deploy("new"), 0, "swapping")
                self.assertEqual(machine.containers(), ["netsec running new", "netsec-previous exited old"])
                self.check(machine.run("rollback"), 0, "serving image=")
                self.assertEqual(machine.serving(), "old")
                self.check(machine.run("rollback"), 0)
                self.assertEqual(machine.serving(), "new")

    @staticmethod
    def change_settings(machine):
        settings = machine.root / "etc/netsec"
        settings.mkdir(parents=True)
        (settings / "server.env").write_text("NETSEC_LOG=info\n")

    @staticmethod
    def hang(machine):
        """Once: for the look whether the image serves already."""
        (machine.tools / "curl").unlink()
        (machine.tools / "hung").mkdir()
        (machine.tools / "hung/curl").symlink_to(HERE / "fakes" / "machine")
        OnAMachine.program(machine, "curl", f'[ -e "$FAKE_STATE/over" ] || {{ : >"$FAKE_STATE/over"; exit 28; }}\nexec {machine.tools}/hung/curl "$@"')

    def test_a_container_that_was_tidied_away_is_no_hindrance_to_a_rollback(self):
        for images_as_well in [False, True]:
            with self.subTest(images_as_well):
                machine = self.new_machine("pruned", ("old", "new"))
                shutil.rmtree(machine.state / "containers/netsec-previous")
                if images_as_well:
                    (machine.state / "images" / image("old").replace("/", ",")).unlink()
                self.check(machine.run("status"), 0, f"netsec-previous state=absent image={image('old')}")
                self.check(machine.deploy("new"), 0, "serving already")
                self.check(machine.run("rollback"), 0)
                self.assertEqual(machine.serving(), "old")
                self.check(machine.run("rollback"), 0)
                self.assertEqual(machine.containers(), ["netsec running new", "netsec-previous exited old"])

    def test_a_container_that_was_removed_is_made_again(self):
        for arguments in [("start",), ("watch",)]:
            for image_as_well in [False, True]:
                with self.subTest(arguments=arguments, image_as_well=image_as_well):
                    machine = self.new_machine("removed", ("old", "new"))
                    self.remove(machine, image_as_well)
                    self.check(machine.run("status"), 69, f"netsec state=absent image={image('new')}")
                    self.check(machine.run(*arguments), 0, "made again")
                    self.assertEqual(machine.containers(), ["netsec running new", "netsec-previous exited old"])
                    self.check(machine.deploy("new"), 0, "serving already")

    def test_a_container_that_is_removed_beside_a_watch_is_made_again_with_the_settings_of_now(self):
        machine = self.new_machine("removed", ("old", "new"))
        settings = machine.root / "etc/netsec"
        settings.mkdir(parents=True)
        (settings / "deploy.env").write_text("NETSEC_BIND=127.0.0.3\n")
        changed = f'rm -r "$FAKE_STATE/containers/netsec"; echo NETSEC_BIND=127.0.0.2 >{settings}/deploy.env'
        (machine.tools / "looks").mkdir()
        (machine.tools / "looks/sleep").symlink_to(HERE / "fakes" / "machine")
        self.program(machine, "sleep", f'if mkdir "$FAKE_STATE/over"; then {changed}; fi\nexec {machine.tools}/looks/sleep "$@"')
        # The unit starts what has ended.
        done = [machine.run("watch", FAKE_WATCHES="4") for _ in range(2)]
        self.assertIn("made again", "".join(each.stdout for each in done))
        self.check(machine.run("status"), 0, "ready address=127.0.0.2:5000")

    def test_a_rollback_after_the_container_was_removed_can_be_undone(self):
        machine = self.new_machine("removed", ("old", "new"))
        self.remove(machine, True)
        self.check(machine.run("rollback"), 0)
        self.assertEqual(machine.serving(), "old")
        self.check(machine.run("rollback"), 0)
        self.assertEqual(machine.containers(), ["netsec running new", "netsec-previous exited old"])

    def test_a_deployment_does_not_need_the_container_that_was_removed(self):
        machine = self.new_machine("removed")
        self.remove(machine, True)
        (machine.state / "registry" / image("old").replace("/", ",")).unlink()
        self.check(machine.deploy("new"), 0)
        self.check(machine.run("status"), 0, f"netsec-previous state=absent image={image('old')}")

    def test_a_second_deployment_of_the_only_image_leaves_nothing_to_go_back_to(self):
        self.change_settings(self.machine)
        self.check(self.machine.deploy("old"), 0, "swapping")
        self.assertEqual(self.machine.containers(), ["netsec running old"])
        self.check(self.machine.run("rollback"), 65, "no other image")

    def test_what_the_engine_cannot_start_is_no_hindrance_to_what_takes_its_place(self):
        for arguments, serves in [(["rollback"], "old"), (["deploy", image("third")], "third")]:
            with self.subTest(arguments):
                machine = self.new_machine("stopped", ("old", "new"))
                (machine.state / "containers/netsec/state").write_text("exited\n")
                (machine.tools / "engine").mkdir()
                (machine.tools / "engine/docker").symlink_to(HERE / "fakes" / "machine")
                refused = '[ "$*" != "container start netsec" ] || { echo "docker: no such log driver" >&2; exit 1; }'
                self.program(machine, "docker", f'{refused}\nexec {machine.tools}/engine/docker "$@"')
                self.check(machine.run(*arguments), 0, "cannot be started")
                self.assertEqual(machine.serving(), serves)
                self.assertEqual(machine.run("status").returncode, 0)

    def test_rollback_to_the_image_that_serves_is_refused(self):
        """As two deployments of one image by an older run.sh have left it."""
        containers = self.machine.state / "containers"
        shutil.copytree(containers / "netsec", containers / "netsec-previous")
        (containers / "netsec-previous/state").write_text("exited\n")
        self.check(self.machine.run("rollback"), 65, "no other image")
        self.assertEqual(self.machine.serving(), "old")

    def test_rollback_needs_no_registry(self):
        self.check(self.machine.deploy("new"), 0)
        self.check(self.machine.run("rollback"), 0)
        self.assertEqual([call for call in self.machine.calls() if call.startswith("aws")], [])

    def test_rollback_without_a_past_says_so(self):
        self.check(self.machine.run("rollback"), 65, "no other image")
        self.assertEqual(self.machine.serving(), "old")

    def test_keys_of_a_first_start_go_to_a_file_of_root_and_not_to_the_log(self):
        machine = self.new_machine("keys", deployed=())
        (machine.state / "words").write_text("admin key: netsec_0123456789abcdef\n")
        done = machine.deploy("new")
        self.check(done, 0, "keys were made")
        self.assertNotIn("0123456789abcdef", done.stdout + done.stderr)
        kept = machine.root / "var/lib/netsec/first-start.log"
        self.assertEqual(kept.stat().st_mode & 0o777, 0o600)
        self.assertIn("0123456789abcdef", kept.read_text())

    def test_the_log_of_a_failed_first_start_shows_no_key(self):
        machine = self.new_machine("keys", deployed=())
        machine.publish("new", "crashes")
        (machine.state / "words").write_text("admin key: netsec_0123456789abcdef\n")
        done = machine.deploy("new")
        self.check(done, 69, "netsec_***")
        self.assertNotIn("0123456789abcdef", done.stdout + done.stderr)

    def test_keys_of_a_first_start_that_failed_afterwards_are_kept(self):
        machine = self.new_machine("keys", deployed=())
        machine.publish("new", "unready")
        (machine.state / "words").write_text("admin key: netsec_0123456789abcdef\n")
        self.check(machine.deploy("new"), 69, "keys were made")
        self.assertIn("0123456789abcdef", (machine.root / "var/lib/netsec/first-start.log").read_text())

    def test_keys_that_could_not_be_kept_stay_with_their_container_until_they_are(self):
        machine = self.new_machine("full", deployed=())
        (machine.state / "words").write_text("admin key: netsec_0123456789abcdef\n")
        kept = machine.root / "var/lib/netsec/first-start.log"
        kept.parent.mkdir(parents=True)
        for name in ["first-start.log", "first-start.log.new"]:
            (kept.parent / name).symlink_to("/dev/full")
        for _ in range(2):
            done = machine.deploy("new")
            self.check(done, 69, "docker logs netsec-probe")
            self.assertNotIn("0123456789abcdef", done.stdout + done.stderr)
            self.assertEqual(machine.containers(), ["netsec-probe exited new"])
        for name in ["first-start.log", "first-start.log.new"]:
            (kept.parent / name).unlink()
        self.check(machine.deploy("new"), 0, "keys were made")
        self.assertEqual(machine.containers(), ["netsec running new"])
        self.assertIn("0123456789abcdef", kept.read_text())

    def test_a_service_is_looked_after_beside_keys_that_could_not_be_kept(self):
        machine = self.machine
        (machine.state / "words").write_text("admin key: netsec_0123456789abcdef\n")
        (machine.root / "var/lib/netsec/first-start.log.new").symlink_to("/dev/full")
        (machine.root / "var/lib/netsec/first-start.log").symlink_to("/dev/full")
        self.check(machine.deploy("new"), 69, "docker logs netsec-probe")
        self.assertEqual(machine.containers(), ["netsec running old", "netsec-probe exited new"])
        (machine.state / "containers/netsec/state").write_text("exited\n")
        self.check(machine.run("start"), 0)
        self.assertEqual(machine.serving(), "old")

    def test_a_full_disk_is_told_before_anything_is_touched(self):
        machine = self.new_machine("full", ("old", "new"))
        (machine.root / "var/lib/netsec/serving.new").symlink_to("/dev/full")
        for arguments in [("rollback",), ("deploy", image("third"))]:
            self.check(machine.run(*arguments), 69, "var/lib/netsec cannot be written: make room there")
            self.assertEqual(machine.containers(), ["netsec running new", "netsec-previous exited old"])
            self.assertFalse([call for call in machine.calls() if " stop " in call or " pull " in call])

    def test_a_wait_ends_by_the_clock_also_when_each_look_takes_long(self):
        machine = self.new_machine("slow", deployed=())
        machine.publish("new", "unready")
        (machine.tools / "hang").symlink_to(shutil.which("sleep"))
        self.program(machine, "curl", "hang 3\nexit 28")
        begun = time.monotonic()
        self.check(machine.deploy("new", NETSEC_READY_SECONDS="3"), 69, "has no good answer at /readyz after")
        self.assertLess(time.monotonic() - begun, 9)

    def test_every_container_is_confined(self):
        self.check(self.machine.deploy("new"), 0)
        started = [call for call in self.machine.calls() if call.startswith("docker run")]
        self.assertEqual(len(started), 2)
        for call in started:
            for flag in ["--read-only", "--cap-drop ALL", "no-new-privileges", "--memory 3g", "--pids-limit"]:
                self.assertIn(flag, call)
        self.assertIn("127.0.0.1:5001:5000", started[0])
        self.assertIn("0.0.0.0:5000:5000", started[1])

    def test_a_log_goes_where_the_settings_send_it_but_for_the_words_of_the_container_that_makes_keys(self):
        done = self.machine.deploy("old", **self.LOGS)
        self.check(done, 0, "serving image=")
        trial, probe, service = [call for call in self.machine.calls() if call.startswith("docker run")]
        for call in [trial, service]:
            self.assertIn("--log-driver awslogs --log-opt=awslogs-group=netsec --log-opt=awslogs-region=eu-central-1 ", call)
        self.assertIn("--name netsec-probe", probe)
        self.assertIn("--log-driver local --log-opt max-size=10m --log-opt max-file=5 ", probe)
        self.check(self.machine.deploy("old", **self.LOGS), 0, "serving already")

    def test_a_log_that_the_engine_cannot_send_is_told_while_the_old_container_serves(self):
        done = self.machine.deploy("new", NETSEC_LOG_DRIVER="absent")
        self.check(done, 78, "NETSEC_LOG_DRIVER=absent")
        self.assertEqual([call for call in self.machine.calls() if " stop netsec" in call], [])
        self.assertEqual(self.machine.serving(), "old")

    def test_a_rollback_keeps_its_log_here_where_the_engine_cannot_send_it(self):
        machine = self.new_machine("rollback", ("old", "new"))
        self.check(machine.run("rollback", NETSEC_LOG_DRIVER="absent"), 0, "the log stays on this machine")
        self.assertEqual(machine.serving(), "old")
        self.assertIn("--log-driver local ", [call for call in machine.calls() if call.startswith("docker run")][-1])
        # A deployment of the same image sends it again once it can.
        self.check(machine.deploy("old", **self.LOGS), 0, "swapping")

    def test_a_container_that_is_made_again_keeps_its_log_here_where_the_engine_cannot_send_it(self):
        self.remove(self.machine, False)
        self.check(self.machine.run("start", NETSEC_LOG_DRIVER="absent"), 0, "the log stays on this machine")
        self.assertEqual(self.machine.serving(), "old")

    def test_the_unit_is_installed_once_and_again_when_the_system_refused_it(self):
        unit = self.machine.root / "etc/systemd/system/netsec.service"
        self.assertEqual(unit.read_bytes(), (REPOSITORY / "deploy/systemd/netsec.service").read_bytes())
        self.assertTrue(os.access(self.machine.root / "usr/local/sbin/netsec-run", os.X_OK))
        self.check(self.machine.deploy("new"), 0)
        done = [call for call in self.machine.calls() if call.startswith("systemctl")]
        self.assertEqual(done, ["systemctl start --no-block netsec.service"])

    def test_an_installation_brings_the_programs_and_units_of_a_checkout(self):
        machine = self.new_machine("installed", deployed=())
        self.check(machine.run("install"), 0, "installed")
        units = REPOSITORY / "deploy/systemd"
        programs = {"netsec-run": REPOSITORY / "run.sh", "netsec-retrain": units / "netsec-retrain"}
        for name, source in programs.items():
            program = machine.root / "usr/local/sbin" / name
            self.assertEqual(program.read_bytes(), source.read_bytes())
            self.assertEqual(program.stat().st_mode & 0o777, 0o755)
        for name in ["netsec.service", "netsec-retrain.service", "netsec-retrain.timer", "netsec-check.service", "netsec-check.timer"]:
            self.assertEqual((machine.root / "etc/systemd/system" / name).read_bytes(), (units / name).read_bytes())
        self.assertTrue((machine.root / "etc/netsec").is_dir())
        done = [call for call in machine.calls() if call.startswith("systemctl")]
        self.assertIn("systemctl enable netsec.service", done)
        self.assertIn("systemctl enable --now netsec-check.timer", done)

    def test_a_check_says_whether_what_serves_would_be_loaded_at_a_start(self):
        self.check(self.machine.run("check"), 0)
        self.assertEqual(self.machine.calls(), ["docker exec netsec timeout 300 entrypoint --check"])
        (self.machine.state / "damaged").write_text("")
        self.check(self.machine.run("check"), 70, "error: damaged")
        self.assertEqual(self.machine.serving(), "old")

    def test_an_installation_on_a_bare_machine_brings_the_engine_first(self):
        machine = self.bare_machine("apt-get")
        self.check(machine.run("install"), 0, "installing packages=docker aws curl")

    def test_the_installed_copy_deploys_and_leaves_itself_as_it_is(self):
        machine = self.new_machine("copy", deployed=())
        self.check(machine.run("install"), 0)
        program = machine.root / "usr/local/sbin/netsec-run"
        self.check(machine.deploy("new", program=program), 0, "serving")
        # The unit waits for this.
        self.assertEqual(machine.calls()[-1], "systemctl start --no-block netsec.service")
        self.check(machine.run("install", program=program), 64, "no checkout")
        self.assertEqual(program.read_bytes(), (REPOSITORY / "run.sh").read_bytes())

    def test_what_is_missing_is_installed(self):
        for client, packages in [("apt-get", ["docker.io", "awscli", "curl"]), ("dnf", ["docker", "awscli", "curl"])]:
            with self.subTest(client):
                machine = self.bare_machine(client)
                self.check(machine.deploy("new"), 0, "installing packages=docker aws curl")
                self.assertEqual(machine.serving(), "new")
                installed = (machine.state / "installed").read_text().split()
                self.assertEqual([word for word in installed if word in packages], packages)

    def test_a_package_that_cannot_be_had_ends_it_before_anything_is_touched(self):
        machine = self.bare_machine("apt-get", gives=["docker", "curl"])
        done = machine.deploy("new")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(machine.containers(), [])

    def test_installing_needs_root(self):
        machine = self.bare_machine("apt-get")
        self.program(machine, "id", "echo 1000")
        self.check(machine.deploy("new"), 64, "needs root")

    def bare_machine(self, client, gives=("docker", "aws", "curl")):
        machine = self.new_machine("bare", deployed=())
        for tool in ["docker", "aws", "curl"]:
            (machine.tools / tool).unlink()
        self.program(machine, "id", "echo 0")
        links = "\n".join(f'*{tool}*) ln -s {HERE}/fakes/machine {machine.tools}/{tool} ;;' for tool in gives)
        self.program(machine, client, f'echo "$@" >>"$FAKE_STATE/installed"\ncase "$*" in\n{links}\nesac')
        return machine

    def test_an_argument_that_would_be_passed_over_is_refused(self):
        extra = [[command, "x"] for command in ["rollback", "start", "watch", "status", "check", "install"]]
        for arguments in [*extra, ["deploy", image("new"), "x"]]:
            with self.subTest(arguments):
                self.check(self.machine.run(*arguments), 64, "usage: run.sh")
                self.assertEqual(self.machine.calls(), [])

    def test_nobody_else_can_hold_the_locks(self):
        folder = self.machine.root / "var/lib/netsec"
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        folder.chmod(0o755)
        self.machine.run("start")
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)

    def test_the_service_is_asked_without_a_proxy(self):
        self.check(self.machine.deploy("new"), 0)
        asked = [call for call in self.machine.calls() if call.startswith("curl ")]
        self.assertTrue(asked)
        for call in asked:
            self.assertTrue(call.startswith("curl --disable --noproxy * "), call)

    def test_a_second_deployment_waits_for_the_first(self):
        with (self.machine.root / "var/lib/netsec/lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self.assertRaises(subprocess.TimeoutExpired):
                subprocess.run(
                    ["bash", str(REPOSITORY / "run.sh"), "rollback"],
                    env={
                        "PATH": str(self.machine.tools),
                        "FAKE_STATE": str(self.machine.state),
                        "NETSEC_ROOT": str(self.machine.root),
                    },
                    timeout=1,
                    check=False,
                )
        self.assertEqual(self.machine.serving(), "old")

    def test_who_waits_for_another_deployment_is_told_so(self):
        self.program(self.machine, "flock", '[ "$1" != --nonblock ] || exit 1\necho "$@" >>"$FAKE_STATE/waits"')
        self.check(self.machine.run("rollback"), 65, "waiting for another deployment to end")
        self.assertIn("--wait 900 9", (self.machine.state / "waits").read_text())

    def test_a_paused_container_goes_on(self):
        for arguments in [("start",), ("deploy", image("old")), ("deploy", image("new"))]:
            with self.subTest(arguments):
                machine = self.new_machine("paused")
                (machine.state / "containers/netsec/state").write_text("paused\n")
                self.check(machine.run(*arguments), 0)
                self.assertEqual(machine.serving(), arguments[-1][-3:] if len(arguments) > 1 else "old")

    def test_a_stop_that_the_engine_goes_on_with_is_made_good_by_a_start(self):
        (self.machine.state / "stopping").write_text("")
        self.check(self.machine.run("start"), 0)
        self.assertEqual(self.machine.serving(), "old")

    def test_a_stop_that_the_engine_goes_on_with_is_made_good_by_a_deployment_that_fails(self):
        self.check(self.machine.deploy("new"), 0)
        at = next(n for n, call in enumerate(self.machine.calls(), 1) if call.startswith("docker run"))
        machine = self.new_machine("again")
        (machine.state / "stopping").write_text("")
        self.check(machine.deploy("new", at=at), 1, "back to what served before")
        self.assertEqual(machine.serving(), "old")
