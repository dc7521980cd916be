"""Measure a device: what the networks of a space take there, as a latency model."""
