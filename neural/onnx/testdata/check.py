"""Runs the networks of a folder in ONNX Runtime and compares their results.

Each network is NAME.onnx beside NAME.json, which has the inputs and the expected
outputs by name, with the batch as the first axis. Prints the largest difference,
relative to numbers above 1 and absolute below.
"""
import glob
import json
import sys

import numpy as np
import onnx
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
worst = 0.0
for path in sorted(glob.glob(sys.argv[1] + "/*.onnx")):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    with open(path[:-5] + ".json") as f:
        case = json.load(f)
    feeds = {}
    for i in session.get_inputs():
        x = np.array(case["inputs"][i.name]).reshape([case["batch"]] + i.shape[1:])
        feeds[i.name] = x.astype(np.int64 if i.type == "tensor(int64)" else np.float32)
    wanted = case["outputs"]
    outputs = session.get_outputs()
    assert len(outputs) == len(wanted), (path, [o.name for o in outputs])
    for o, got, want in zip(outputs, session.run(None, feeds), wanted):
        assert list(got.shape) == [case["batch"]] + o.shape[1:], (path, got.shape, o.shape)
        want = np.array(want).reshape(got.shape)
        difference = float(np.max(np.abs(got - want) / np.maximum(1, np.abs(want))))
        if not difference <= 1e-4:
            sys.exit(f"{path}: output {o.name} differs by {difference:g}")
        worst = max(worst, difference)
print(f"onnxruntime {ort.__version__}, onnx {onnx.__version__}: largest difference {worst:.2g}")
