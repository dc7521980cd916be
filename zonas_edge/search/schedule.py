"""How the search changes over time: temperature, size phase, learning rate.

Every schedule is a function of progress, the fraction of the search's steps that is
done. So a search with fewer epochs is the same search, only shorter.

Source: ZO-DARTS+ (arXiv:2405.03462), annealing 1.5 x 0.75 every 5 of 50 epochs; size
variables from epoch 20 of 50 (published code); cosine learning rate.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """The search's schedules.

    Args:
        temperature: divisor of alpha at the start, > 0.
        cooling: factor on the temperature at each tenth of the search, in (0, 1].
        size_phase: progress from which kernels and depths are searched too.
        rate: learning rate of the weights at the start.
        final_rate: and at the end.
    """

    temperature: float = 1.5
    cooling: float = 0.75
    size_phase: float = 0.4
    rate: float = 0.025
    final_rate: float = 0.001

    def temperature_at(self, progress: float) -> float:
        """Divisor of alpha; it falls in ten steps."""
        # the tolerance keeps 0.3 * 10 = 2.9999... from losing a step
        return self.temperature * self.cooling ** math.floor(10 * progress + 1e-9)

    def sizes_at(self, progress: float) -> bool:
        """True once kernels and depths are searched."""
        return progress >= self.size_phase - 1e-9

    def rate_at(self, progress: float) -> float:
        """Learning rate of the weights: half a cosine."""
        span = self.rate - self.final_rate
        return self.final_rate + span * (1 + math.cos(math.pi * progress)) / 2
