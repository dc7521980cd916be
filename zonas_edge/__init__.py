"""zonas-edge: from a device profile and labelled images to a measured ONNX model."""

import os

# Builds of ONNX Runtime report to their maker, on Linux too since 2026, unless this is
# set before they are loaded (docs/Privacy.md of microsoft/onnxruntime).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0.dev0"
