"""Where a model is measured: one file that travels, and the machines it runs on."""
