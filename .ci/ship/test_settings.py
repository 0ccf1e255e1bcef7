"""What run.sh takes from its settings, and refuses."""

import shutil
import socket
import time

from machine import HERE, OnAMachine, image


class Settings(OnAMachine):
    def test_a_file_of_settings_counts_and_the_environment_wins(self):
        settings = self.machine.root / "etc/netsec"
        settings.mkdir(parents=True)
        (settings / "deploy.env").write_text("# a remark\nNETSEC_MEMORY=1g\nNETSEC_PROBE_PORT=5099\n")
        self.check(self.machine.deploy("new", NETSEC_MEMORY="2g"), 0)
        started = [call for call in self.machine.calls() if call.startswith("docker run")]
        self.assertIn("127.0.0.1:5099:5000", started[0])
        self.assertIn("--memory 2g", started[0])

    def test_a_wait_that_has_no_end_ends_at_once(self):
        self.machine.publish("old", "mute")
        shutil.copy(self.machine.state / "registry" / image("old").replace("/", ","), self.machine.state / "images")
        self.check(self.machine.run("start", NETSEC_READY_SECONDS="10m"), 69)

    def test_status_without_an_answer_of_the_engine_is_no_status(self):
        self.check(self.machine.run("status", at=1), 69, "the container engine does not answer")

    def test_another_port_is_asked_only_once_the_container_is_published_there(self):
        machine = self.machine
        self.check(machine.run("status", NETSEC_PORT="8080"), 0, "ready address=127.0.0.1:5000")
        self.check(machine.run("start", NETSEC_PORT="8080"), 0)
        self.check(machine.deploy("new", NETSEC_PORT="8080"), 0, "serving image=")
        self.check(machine.run("status"), 0, "ready address=127.0.0.1:8080")

    def test_a_deployment_at_another_port_that_fails_goes_back_at_once(self):
        self.machine.publish("new", "mute")
        self.check(self.machine.deploy("new", NETSEC_PORT="8080"), 69)
        self.assertEqual(self.machine.serving(), "old")
        calls = self.machine.calls()
        back = next(n for n, call in enumerate(calls) if call.startswith("docker container rm --force netsec-probe"))
        self.assertEqual([call for call in calls[back:] if call.startswith("sleep")], [])

    def settings(self, text):
        (self.machine.root / "etc/netsec").mkdir(parents=True, exist_ok=True)
        (self.machine.root / "etc/netsec/deploy.env").write_text(text, newline="")

    def test_remarks_numbers_in_names_equal_signs_and_a_last_line_without_an_end_are_read(self):
        self.settings("  # a remark\n\n\t\nAWS_ENDPOINT_URL_S3=http://x/?a=b=\nNETSEC_MEMORY=1g\nNETSEC_PORT=5055")
        self.program(self.machine, "id", 'echo "$AWS_ENDPOINT_URL_S3" >>"$FAKE_STATE/seen"; echo 0')
        (self.machine.tools / "aws").unlink()
        self.program(self.machine, "apt-get", f'ln -sf {HERE}/fakes/machine {self.machine.tools}/aws')
        self.check(self.machine.deploy("new"), 0)
        self.check(self.machine.run("status"), 0, "127.0.0.1:5055")
        self.assertEqual((self.machine.state / "seen").read_text(), "http://x/?a=b=\n")

    def test_a_line_that_cannot_be_meant_ends_a_deployment_and_leaves_the_rest_at_work(self):
        for line in ['NETSEC_PORT="5055"', "NETSEC_PORT='5055'", "NETSEC_PORT=5055\r", "export NETSEC_PORT=5055", "NETSEC_PORT"]:
            with self.subTest(line):
                self.settings(f"NETSEC_MEMORY=1g\n{line}\n")
                done = self.machine.deploy("new")
                self.check(done, 78, "deploy.env: line 2 ")
                self.assertNotIn("5055", done.stderr)
                self.assertEqual(self.machine.calls(), [])
                self.check(self.machine.run("status"), 0, "line 2 ")
                self.check(self.machine.run("start"), 0)

    def test_a_damaged_file_of_settings_is_not_taken_for_none(self):
        for name, damage in [
            ("empty", lambda file: file.touch()),
            ("zeroes", lambda file: file.write_bytes(bytes(64))),
            ("partly", lambda file: file.write_bytes(b"NETSEC_PORT=50\x0055\n")),
            ("folder", lambda file: file.mkdir()),
            ("link", lambda file: file.symlink_to("gone")),
        ]:
            with self.subTest(name):
                machine = self.new_machine("damaged", ("new",))
                self.check(machine.deploy("old", NETSEC_BIND="127.0.0.2"), 0)
                file = machine.root / "etc/netsec/deploy.env"
                file.parent.mkdir(parents=True)
                damage(file)
                self.check(machine.deploy("new"), 78, "deploy.env: is empty or damaged")
                self.assertEqual(machine.calls(), [])
                self.check(machine.run("rollback"), 0, "with the settings of what served last")
                self.check(machine.run("status"), 0, "ready address=127.0.0.2:5000")

    def test_variables_of_the_service_that_cannot_be_read_are_told_before_anything_is_touched(self):
        for text, says in [
            ("A=1\nexport NETSEC_LOG=info\n", "server.env: line 2 "),
            ("# a = b\n\n  NETSEC_LOG = info\n", "server.env: line 3 "),
            ("=info\n", "server.env: line 1 "),
            ("NETSEC_LOG \n", "server.env: line 1 "),
            ("", "server.env: is empty or damaged"),
            ("\0" * 64, "server.env: is empty or damaged"),
            (None, "server.env: is empty or damaged"),
        ]:
            with self.subTest(text):
                machine = self.new_machine("variables", ("old", "new"))
                server = machine.root / "etc/netsec/server.env"
                server.parent.mkdir(parents=True)
                server.symlink_to("gone") if text is None else server.write_text(text)
                self.check(machine.deploy("old"), 78, says)
                self.assertEqual(machine.calls(), [])
                self.check(machine.run("rollback"), 78, says)
                self.assertEqual(machine.containers(), ["netsec running new", "netsec-previous exited old"])
                # What serves is looked after all the same; made again without its settings it would be another service.
                (machine.state / "containers/netsec/state").write_text("exited\n")
                self.check(machine.run("start"), 0)
                self.remove(machine, False)
                self.check(machine.run("start"), 78, says)

    def test_what_docker_takes_for_variables_is_taken(self):
        server = self.machine.root / "etc/netsec/server.env"
        server.parent.mkdir(parents=True)
        server.write_text("# a = b\n  # c d\n \n\tNETSEC_LOG=a = b\r\nEMPTY=\nPASSED_ON\nlower.case-1=x", newline="")
        self.check(self.machine.deploy("old"), 0, "swapping")

    def test_a_service_at_one_address_alone_is_asked_there(self):
        self.check(self.machine.deploy("new", NETSEC_BIND="10.0.0.7"), 0)
        self.check(self.machine.run("status"), 0, "ready address=10.0.0.7:5000")

    def test_settings_that_cannot_be_meant_are_refused_before_anything_is_touched(self):
        for name, value in [
            ("NETSEC_PORT", '"5000"'),
            ("NETSEC_PORT", "5055\r"),
            ("NETSEC_PORT", "0"),
            ("NETSEC_PORT", "65536"),
            ("NETSEC_PORT", "5001"),
            ("NETSEC_PROBE_PORT", "http"),
            ("NETSEC_READY_SECONDS", "10m"),
            ("NETSEC_WATCH_SECONDS", "soon"),
            ("NETSEC_WATCH_SECONDS", "0"),
            ("NETSEC_BIND", "localhost"),
            ("NETSEC_BIND", "10.0.0.256"),
            ("NETSEC_MEMORY", "3 gigabytes"),
            ("NETSEC_LOG_DRIVER", "aws logs"),
            ("NETSEC_LOG_OPTIONS", "awslogs-group"),
            ("NETSEC_LOG_OPTIONS", "awslogs-group=netsec"),
        ]:
            with self.subTest(name=name, value=value):
                machine = self.new_machine("settings", ("new", "old"))
                self.check(machine.deploy("new", **{name: value}), 78, name)
                self.assertEqual(machine.calls(), [])
                # What serves is looked after all the same, and there is a way back.
                self.check(machine.run("start", **{name: value}), 0)
                self.check(machine.run("rollback", **{name: value}), 0, name)
                self.assertEqual(machine.serving(), "new")

    def test_a_rollback_beside_settings_that_cannot_be_meant_keeps_those_of_what_serves(self):
        machine = self.new_machine("settings", ("new",))
        kept = {"NETSEC_PORT": "5001", "NETSEC_PROBE_PORT": "5002", "NETSEC_BIND": "127.0.0.2", "NETSEC_MEMORY": "1g"}
        self.check(machine.deploy("old", **kept, **self.LOGS), 0)
        broken = {"NETSEC_PORT": "x", "NETSEC_PROBE_PORT": "5001", "NETSEC_MEMORY": "2g"}
        self.check(machine.run("rollback", **broken, **self.LOGS), 0, "with the settings of what served last")
        _, probe, service = [call for call in machine.calls() if call.startswith("docker run")]
        self.assertIn("127.0.0.1:5002:5000", probe)
        for words in ["127.0.0.2:5001:5000", "--memory 1073741824", "--log-driver awslogs"]:
            self.assertIn(words, service)

    def test_beside_settings_that_cannot_be_meant_a_removed_container_is_published_as_it_was(self):
        for arguments in [("start",), ("watch",), ("rollback",)]:
            with self.subTest(arguments):
                machine = self.new_machine("settings", ("new", "old"))
                self.check(machine.deploy("old", NETSEC_BIND="127.0.0.2", NETSEC_PORT="5055", NETSEC_MEMORY="1g"), 0)
                self.remove(machine, False)
                self.check(machine.run(*arguments, NETSEC_PORT="x"), 0, "with the settings of what served last")
                service = [call for call in machine.calls() if call.startswith("docker run")][-1]
                self.assertIn("127.0.0.2:5055:5000", service)
                self.assertIn("--memory 1073741824", service)

    def test_beside_settings_that_cannot_be_meant_nothing_is_made_that_nobody_wrote_down(self):
        machine = self.new_machine("settings", ("new", "old"))
        record = machine.root / "var/lib/netsec/serving"
        # As an older run.sh wrote it.
        record.write_text(" ".join(record.read_text().split()[:2]) + "\n")
        self.remove(machine, False)
        for command in ["start", "rollback"]:
            self.check(machine.run(command, NETSEC_PORT="x"), 78, "NETSEC_PORT")
        self.check(machine.run("start", NETSEC_PORT="5055"), 0, f"made again image={image('old')} address=0.0.0.0:5055")

    def test_a_port_that_another_program_has_is_told_before_anything_is_touched(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = str(other.getsockname()[1])
            self.check(self.machine.deploy("new", NETSEC_PORT=port), 78, f"NETSEC_PORT={port}: another program")
        self.assertEqual(self.machine.containers(), ["netsec running old"])
        self.assertFalse([call for call in self.machine.calls() if " stop " in call or " pull " in call])

    def test_an_address_that_neither_answers_nor_refuses_is_told_within_seconds(self):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as last:
            port = full.getsockname()[1]
            last.connect(("127.0.0.1", port))
            begun = time.monotonic()
            self.check(self.machine.deploy("new", NETSEC_PORT=str(port)), 78, f"127.0.0.1:{port} neither answers nor refuses")
            self.assertLess(time.monotonic() - begun, 10)
        self.assertFalse([call for call in self.machine.calls() if " stop " in call or " pull " in call])

    def test_an_address_that_the_machine_does_not_have_is_told_before_anything_is_touched(self):
        known = self.machine.root / "proc/net/fib_trie"
        known.parent.mkdir(parents=True)
        # As Linux writes it: networks and broadcasts beside what is the machine's.
        known.write_text("Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.7\n"
                         "        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n")
        for given, code in [("10.0.0.70", 78), ("10.0.0.0", 78), ("10.0.0.255", 78), ("", 78), ("1.10.0.0", 78), ("10.0.0.7", 0), ("127.0.0.2", 0), ("0.0.0.0", 0)]:
            with self.subTest(given):
                said = f"NETSEC_BIND={given} is no address" if given else "NETSEC_BIND='' is not an IPv4 address"
                says = said if code else "serving"
                self.check(self.machine.deploy("new", NETSEC_BIND=given), code, says)
        self.check(self.machine.run("rollback", NETSEC_BIND="10.0.0.70"), 0, "with the settings of what served last")

    def test_a_rollback_keeps_the_port_of_what_serves_where_another_program_has_that_of_the_settings(self):
        machine = self.new_machine("taken", ("old", "new"))
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = str(other.getsockname()[1])
            self.check(machine.run("rollback", NETSEC_PORT=port), 0, "with the settings of what served last")
        self.assertEqual(machine.serving(), "old")

    def test_a_name_in_the_wrong_file_is_told(self):
        self.settings("NETSEC_PORTS=5055\nNETSEC_ALLOW_HOST=a\nNETSEC_MEMORY=1g\nAWS_PROFILE=a\nHTTPS_PROXY=b\n")
        server = self.machine.root / "etc/netsec/server.env"
        server.write_text("NETSEC_BIND=127.0.0.1\nNETSEC_LOG_DRIVER=awslogs\nNETSEC_LOG=info\n#NETSEC_PORT=1\n")
        done = self.machine.deploy("old")
        self.check(done, 0)
        told = [line for line in done.stderr.splitlines() if "/etc/netsec/" in line and " has mode " not in line]
        self.assertEqual(len(told), 3, told)
        for name, line in zip(["NETSEC_PORTS is", "NETSEC_ALLOW_HOST is", "NETSEC_BIND NETSEC_LOG_DRIVER does nothing there"], told):
            self.assertIn(name, line)
