"""Labelled images, from wherever they lie to tensors on the device.

Every source (MedMNIST by name, the user's own ``.npz`` or folder, the embedded sample)
ends in one frozen `Dataset` that passed the same checks. Only ``batches`` knows torch.
"""
