"""Networks: the blocks, the supernet, and the network derived from it."""
