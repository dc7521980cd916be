"""zonas-edge: from a device profile and labelled images to a measured ONNX model."""

__version__ = "0.1.0"
