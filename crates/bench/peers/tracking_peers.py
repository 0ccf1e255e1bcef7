"""Logs a run of netsec to an MLflow server, by `netsec tracking sync` and by MLflow's own fluent client.

MLFLOW_TRACKING_URI names the server. The client logs the search as training scripts do: a nested run a candidate,
its parameters, its scores fold by fold, boosting's loss round by round, and the run's report.
"""

import argparse
import json
import pathlib
import subprocess
import time

import mlflow


def log(run, experiment):
    report = json.loads((run / "04-training/training.json").read_text())
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=run.name):
        for candidate in report["candidates"]:
            with mlflow.start_run(run_name=candidate["name"], nested=True):
                inside = candidate["name"].split("(", 1)[1].rstrip(")")
                parameters = dict(pair.split("=", 1) for pair in inside.split(", "))
                mlflow.log_params({"family": candidate["family"], **parameters})
                for fold in range(report["folds"]):
                    scores = {f"cv_fold/{name}": values[fold] for name, values in candidate["folds"].items()}
                    mlflow.log_metrics(scores, step=fold)
                for boosting_round, loss in candidate.get("log_loss_by_round", []):
                    mlflow.log_metric("cv_round/log_loss", loss, step=boosting_round)
                means = {f"cv/{name}": spread["mean"] for name, spread in candidate["cv"].items()}
                spreads = {f"cv/{name}_std": spread["std"] for name, spread in candidate["cv"].items()}
                mlflow.log_metrics({**means, **spreads})
        mlflow.log_artifact(str(run / "report.html"))
    return len(report["candidates"])


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--netsec", required=True)
    arguments.add_argument("--run", type=pathlib.Path, required=True, help="run directory that was not tracked yet")
    given = arguments.parse_args()
    since = time.monotonic()
    command = [given.netsec, "tracking", "sync", str(given.run), "--json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"netsec: {told[0]['requests']} requests, {time.monotonic() - since:.1f} s")
    since = time.monotonic()
    candidates = log(given.run.resolve(), f"peer-{time.time():.0f}")
    print(f"mlflow: {candidates} candidates, {time.monotonic() - since:.1f} s")


main()
