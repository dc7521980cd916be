"""The few lines that a device needs, written beside the model."""

from zonas_edge.profile import RuntimeLimits
from zonas_edge.space import TaskSpec

_SOURCE = '''\
"""Classify one image with numpy and onnxruntime alone; no preprocessing is needed."""
import json
import os
import platform
import sys
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # or it may report its use
if platform.machine() == "aarch64":  # or a Jetson's numpy 1.19.5 dies while loading
    os.environ.setdefault("OPENBLAS_CORETYPE", "ARMV8")
import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = {threads}
options.inter_op_num_threads = 1
model = sys.argv[1] if len(sys.argv) > 1 else "{model}"
session = ort.InferenceSession(model, options, providers=["{provider}"])
names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
image = np.load("golden.npz")["images"][:1]  # uint8 [1, {channels}, {height}, {width}]
probabilities = session.run(None, {{session.get_inputs()[0].name: image}})[0][0]
print(names[int(probabilities.argmax())], round(float(probabilities.max()), 4))
'''


def example_source(model: str, task: TaskSpec, runtime: RuntimeLimits) -> str:
    """A Python program that classifies the first golden image as it was measured.

    Args:
        model: file name of the model, in the program's folder, unless another one
            is named to the program.
        task: shape of the image.
        runtime: threads and provider of the device.
    """
    return _SOURCE.format(
        model=model,
        channels=task.channels,
        height=task.height,
        width=task.width,
        threads=runtime.threads,
        provider=runtime.provider,
    )
