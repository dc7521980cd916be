"""From a trained network to a file that provably loads on the device."""
