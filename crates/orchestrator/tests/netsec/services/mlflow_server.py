"""MLflow's own server, and its Python client as another client for it: a call a line of standard input.

It ends when standard input does, and the server with it.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PASSWORD = "hunter2-of-the-tests"
AUTH = """[mlflow]
default_permission = READ
database_uri = sqlite:///{directory}/auth.db
admin_username = admin
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


def start(directory, guarded, bucket):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = dict(os.environ, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{directory}/mlflow.db", "--workers", "1"]
    if bucket:
        command += ["--no-serve-artifacts", "--default-artifact-root", bucket]
    else:
        command += ["--artifacts-destination", f"{directory}/artifacts"]
    if guarded:
        with open(f"{directory}/auth.ini", "w") as file:
            file.write(AUTH.format(directory=directory, password=PASSWORD))
        environment["MLFLOW_AUTH_CONFIG_PATH"] = f"{directory}/auth.ini"
        environment["MLFLOW_FLASK_SERVER_SECRET_KEY"] = secrets.token_hex()
        command += ["--app-name", "basic-auth"]
    with open(f"{directory}/log", "w") as log:
        server = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    return server, port


def wait(server, directory, port):
    since = time.monotonic()
    while True:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).read()
        except OSError:
            if server.poll() is not None or time.monotonic() - since > 120:
                sys.exit(open(f"{directory}/log").read())
            time.sleep(0.1)


class Client:
    """What the tests ask of MLflow's own client."""

    def __init__(self, directory):
        from mlflow import MlflowClient

        self.directory = directory
        self.client = MlflowClient()

    def runs(self, experiment):
        found = self.client.get_experiment_by_name(experiment)
        if found is None:
            return []
        return [self.run(run) for run in self.client.search_runs([found.experiment_id], max_results=1000)]

    def run(self, run):
        return {
            "id": run.info.run_id,
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "metrics": run.data.metrics,
            "tags": run.data.tags,
            "inputs": sorted(tag.value for given in run.inputs.dataset_inputs for tag in given.tags),
        }

    def history(self, run, key):
        return sorted([metric.step, metric.value] for metric in self.client.get_metric_history(run, key))

    def artifacts(self, run, path):
        return sorted(file.path for file in self.client.list_artifacts(run, path or None))

    def model(self, name):
        versions = self.client.search_model_versions(f"name = '{name}'")
        ours = {version.version: version.tags["netsec.version"] for version in versions}
        aliases = self.client.get_registered_model(name).aliases
        return {"versions": sorted(ours.values()), "aliases": {a: ours[str(v)] for a, v in aliases.items()}}

    def untag(self, name):
        self.client.delete_registered_model_tag(name, "netsec.history")

    def withdrawn(self, name):
        versions = self.client.search_model_versions(f"name = '{name}'")
        marked = [version for version in versions if version.tags.get("netsec.status") == "withdrawn"]
        return sorted(version.tags["netsec.version"] for version in marked)

    def predict(self, uri, csv):
        import mlflow
        import pandas

        model = mlflow.pyfunc.load_model(uri)
        names = model.metadata.get_input_schema().input_names()
        # Texts of pandas 3 are no arrays for ONNX Runtime.
        texts = [column.name for column in model.metadata.get_input_schema().inputs if column.type.name == "string"]
        kinds = {name: object for name in texts}
        given = model.predict(pandas.read_csv(csv)[names].astype(kinds))
        assert len(model.predict(model.input_example.astype(kinds))) == 2
        return {name: given[name].tolist() for name in given.columns}


def main():
    guarded = sys.argv[1:] == ["guarded"]
    bucket = next((argument for argument in sys.argv[1:] if argument.startswith("s3://")), None)
    with tempfile.TemporaryDirectory() as directory:
        server, port = start(directory, guarded, bucket)
        try:
            wait(server, directory, port)
            os.environ["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{port}"
            if guarded:
                os.environ.update(MLFLOW_TRACKING_USERNAME="admin", MLFLOW_TRACKING_PASSWORD=PASSWORD)
            print(port, flush=True)
            client = Client(directory)
            for line in sys.stdin:
                name, arguments = json.loads(line)
                print(json.dumps(getattr(client, name)(*arguments)), flush=True)
        finally:
            # Its workers are processes of their own.
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


main()
