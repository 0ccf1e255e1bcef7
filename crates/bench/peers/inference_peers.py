"""Times scoring and explaining with tree ensembles beside LightGBM and ONNX Runtime, in one run.

usage: inference_peers.py SCORE_TREES [PHISHING_CSV]

SCORE_TREES is the built example `score_trees` of the crate `model`. LightGBM trains 100 trees of at
most 31 leaves; its very trees are then scored by itself, by ONNX Runtime (onnxmltools) and by ours, so
that all answers can be compared. Everything runs on one thread and takes turns; figures are medians of
five rounds, in microseconds of processor time a row (other work on the machine hardly counts). NaN
stands in 5 % of the generated cells.
"""

import json, os, statistics, subprocess, sys, tempfile, time

os.environ["OMP_NUM_THREADS"] = "1"
import lightgbm, numpy as np, onnxruntime
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

ROUNDS, EXPLAINED, SINGLE = 5, 1000, 300


def generated():
    random = np.random.default_rng(1)
    x = random.standard_normal((100_000, 30)).astype(np.float32)
    signal = x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + x[:, 3] + 0.5 * x[:, 4:12].sum(1)
    y = (signal + random.standard_normal(len(x)) > 0).astype(int)
    x[random.random(x.shape) < 0.05] = np.nan
    return x, y


def phishing(path):
    table = np.genfromtxt(path, delimiter=",", skip_header=1, dtype=np.float32)
    return np.ascontiguousarray(table[:, :-1]), (table[:, -1] == -1).astype(int)


def breadth_first(tree):
    """The nodes as [feature, threshold, missing left, left child, cover], leaves as [-1, value, 0, 0, cover]."""
    nodes, queue = [], [tree]
    for node in queue:
        if "leaf_value" in node:
            nodes.append([-1, node["leaf_value"], 0, 0, node.get("leaf_count", 1)])
            continue
        assert node["decision_type"] == "<="
        missing = node["missing_type"] == "NaN"
        # Without missing values in training, LightGBM takes NaN for 0.
        left = node["default_left"] if missing else 0 <= node["threshold"]
        at_most = np.float32(node["threshold"])
        if float(at_most) > node["threshold"]:
            at_most = np.nextafter(at_most, np.float32(-np.inf))
        nodes.append([node["split_feature"], float(at_most), int(left), len(queue), node["internal_count"]])
        queue += [node["left_child"], node["right_child"]]
    return nodes


def train(x, y, folder):
    parameters = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "verbose": -1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(x, y), 100)
    trees = [breadth_first(t["tree_structure"]) for t in booster.dump_model()["tree_info"]]
    with open(f"{folder}/model.json", "w") as file:
        json.dump({"n_features": x.shape[1], "trees": trees}, file)
    x.tofile(f"{folder}/rows.f32")
    return booster


def session(booster, n_features):
    model = convert_lightgbm(booster, initial_types=[("x", FloatTensorType([None, n_features]))], zipmap=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def seconds(call):
    start = time.process_time()
    answer = call()
    return time.process_time() - start, answer


def ours(binary, folder):
    command = [binary, f"{folder}/model.json", f"{folder}/rows.f32", str(EXPLAINED), folder]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def compare(name, x, y, binary):
    with tempfile.TemporaryDirectory() as folder:
        booster = train(x, y, folder)
        onnx = session(booster, x.shape[1])
        wide = x.astype(np.float64)
        rounds = []
        for _ in range(ROUNDS):
            took = {f"ours, {what}": value for what, value in ours(binary, folder).items()}
            batch, scores = seconds(lambda: booster.predict(wide, num_threads=1))
            explaining, contributions = seconds(lambda: booster.predict(wide[:EXPLAINED], num_threads=1, pred_contrib=True))
            one, _ = seconds(lambda: [booster.predict(wide[i : i + 1], num_threads=1) for i in range(SINGLE)])
            took |= {"LightGBM, batch": batch / len(x) * 1e6, "LightGBM, explanation": explaining / EXPLAINED * 1e6}
            took |= {"LightGBM, one row": one / SINGLE * 1e6}
            batch, _ = seconds(lambda: onnx.run(None, {"x": x}))
            one, _ = seconds(lambda: [onnx.run(None, {"x": x[i : i + 1]}) for i in range(SINGLE)])
            took |= {"ONNX Runtime, batch": batch / len(x) * 1e6, "ONNX Runtime, one row": one / SINGLE * 1e6}
            rounds.append(took)
        took = {what: statistics.median(r[what] for r in rounds) for what in rounds[0]}
        leaves = [sum(node[0] < 0 for node in tree) for tree in json.load(open(f"{folder}/model.json"))["trees"]]
        print(f"{name}: {x.shape[0]} x {x.shape[1]}, {len(leaves)} trees of {statistics.mean(leaves):.1f} leaves")
        for what, value in took.items():
            print(f"  {what:26} {value:9.3f} us/row")
        for peer in ("LightGBM", "ONNX Runtime"):
            print(f"  batch, rows/s beside {peer}: {took[f'{peer}, batch'] / took['ours, batch']:.1f}")
        print(f"  explanation, time beside LightGBM: {took['ours, explanation'] / took['LightGBM, explanation']:.3f}")
        own = np.fromfile(f"{folder}/scores.f64")
        print(f"  largest difference of probabilities from LightGBM: {np.abs(own - scores).max():.1e}")
        own = np.fromfile(f"{folder}/contributions.f64").reshape(EXPLAINED, -1)
        print(f"  largest difference of contributions from LightGBM: {np.abs(own - contributions).max():.1e}", flush=True)


def main():
    binary = sys.argv[1]
    compare("generated", *generated(), binary)
    for path in sys.argv[2:]:
        compare("phishing", *phishing(path), binary)


main()
