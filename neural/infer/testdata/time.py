"""Prints the milliseconds of the processor that ONNX Runtime takes for a batch of each
of the files, with one thread: the least and the median of some rounds."""
import sys
import time

import numpy as np
import onnxruntime as ort

batch = int(sys.argv[1])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
for path in sys.argv[2:]:
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {i.name: np.random.rand(batch, *i.shape[1:]).astype(np.float32) for i in session.get_inputs()}
    times = []
    stop = time.process_time() + 1
    while time.process_time() < stop:
        start = time.process_time()
        for _ in range(10):
            session.run(None, feeds)
        times.append((time.process_time() - start) / 10 * 1000)
    times.sort()
    print(f"{times[0]:.4f} {times[len(times) // 2]:.4f}")
