"""One seed, many independent streams: each purpose gets a seed of its own.

So the draws of one step don't depend on how many another step made, and a step that is
repeated alone draws what it drew before.
"""

import zlib

import numpy as np


def derived_seed(seed: int, purpose: str) -> int:
    """A seed for ``purpose``, below 2^63, that depends on nothing else.

    Args:
        seed: the run's seed, >= 0.
        purpose: a name such as ``search``.
    """
    words = np.random.SeedSequence([seed, zlib.crc32(purpose.encode())])
    return int(words.generate_state(1, np.uint64)[0] >> np.uint64(1))
