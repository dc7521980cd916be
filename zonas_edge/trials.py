"""Trials: which of some networks learns best, found by short trainings.

Successive halving: in every round the networks that are left train from scratch, twice
as long as in the round before, and the half that val judges better goes on. So every
round takes the same number of steps. A trial is a retraining in small, with its own
warm-up and cosine, since a training that is merely cut off tells less of a whole one.

It leaves nothing behind but its figures; a tournament that was killed goes on from
them.

Source: Jamieson & Talwalkar (arXiv:1502.07943), successive halving.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from zonas_edge.blueprint import Blueprint
from zonas_edge.data.batches import DeviceData
from zonas_edge.learner import Learner, Recipe
from zonas_edge.nn.evaluate import comparable
from zonas_edge.space import TaskSpec

MOST = 16
"""Networks in the first round, at most; a power of two."""

LEAST_STEPS = 160
"""A shorter training tells too little (benchmarks/LOG.md); fewer networks enter."""


@dataclass(frozen=True)
class Round:
    """Networks that are left, and the steps that each of them trains.

    Args:
        candidates: a power of two, >= 2; half of them go on.
        steps: of each training.
    """

    candidates: int
    steps: int


def rounds_of(candidates: int, steps: int) -> tuple[Round, ...]:
    """The rounds of a tournament, the first one first.

    Args:
        candidates: networks that could enter.
        steps: of training, of all trials together, at most.

    Returns:
        Rounds with an equal share of the steps each, the first with as many networks
        as leaves each of them ``LEAST_STEPS``; () where that are fewer than two.
    """
    count = MOST
    while count >= 2:  # noqa: PLR2004 - a round needs a loser
        rounds = count.bit_length() - 1
        each = steps // (rounds * count)
        if count <= candidates and each >= LEAST_STEPS:
            return tuple(Round(count >> n, each << n) for n in range(rounds))
        count //= 2
    return ()


@dataclass(frozen=True)
class Trial:
    """A training that is to be done.

    Args:
        number: of the trial, from 1.
        round: from 1.
        candidate: place of the network among those that entered, from 0.
        steps: of training.
    """

    number: int
    round: int
    candidate: int
    steps: int


@dataclass(frozen=True)
class TrialRecord(Trial):
    """A trial that was held, as ``trials.jsonl`` tells it.

    Args:
        train_loss: mean over the batches, smoothing included [nats].
        val_loss: cross-entropy of the averaged weights on val at the end [nats].
        val_accuracy: of the averaged weights, 0 to 1.
    """

    train_loss: float
    val_loss: float
    val_accuracy: float

    @property
    def trial(self) -> Trial:
        """What was to be done."""
        return Trial(self.number, self.round, self.candidate, self.steps)


class Tournament:
    """Who meets whom; knows no network, only places.

    Args:
        rounds: of ``rounds_of``.
        records: of trials that are done already, in their order.

    Raises:
        ValueError: a record is not that of the trial which comes next.
    """

    def __init__(
        self, rounds: tuple[Round, ...], records: Iterable[TrialRecord] = ()
    ) -> None:
        self._rounds = rounds
        self._round = 0
        self._left = tuple(range(self.entrants))
        self._told: list[TrialRecord] = []
        self._number = 1
        self.last: TrialRecord | None = None
        """The record of the winner's last trial; None before the end."""
        for record in records:
            self.add(record)

    @property
    def entrants(self) -> int:
        """Networks in the first round; 1 if there is none."""
        return self._rounds[0].candidates if self._rounds else 1

    @property
    def trials(self) -> int:
        """Trainings from the first to the last."""
        return sum(each.candidates for each in self._rounds)

    @property
    def done(self) -> float:
        """Fraction of all steps that is done: rounds take the same number each."""
        if self._round == len(self._rounds):
            return 1.0
        return (self._round + len(self._told) / len(self._left)) / len(self._rounds)

    @property
    def following(self) -> Trial | None:
        """The trial that comes next, None at the end."""
        if self._round == len(self._rounds):
            return None
        return Trial(
            self._number,
            self._round + 1,
            self._left[len(self._told)],
            self._rounds[self._round].steps,
        )

    @property
    def winner(self) -> int:
        """Place of the network that has won; before the end, of one that still may."""
        return self._left[0]

    def add(self, record: TrialRecord) -> None:
        """Take down a trial.

        Raises:
            ValueError: it is not the one that comes next.
        """
        if record.trial != self.following:
            raise ValueError(f"trial {record.number} is not the one that comes next")
        self._told.append(record)
        self._number += 1
        if len(self._told) < len(self._left):
            return
        # a tie goes to the network that entered first
        best = sorted(self._told, key=lambda told: (told.val_loss, told.candidate))
        self._left = tuple(told.candidate for told in best[: len(best) // 2])
        self._told, self._round = [], self._round + 1
        if self._round == len(self._rounds):
            self.last = best[0]


def tried(
    trial: Trial,
    blueprint: Blueprint,
    task: TaskSpec,
    *,
    data: DeviceData,
    recipe: Recipe,
) -> TrialRecord:
    """Do a trial.

    Args:
        trial: its steps, and what is copied into the record.
        blueprint: the network.
        task: image shape and classes.
        data: train is learned from, val judges.
        recipe: that of the retraining.

    Returns:
        Its record; a training that has diverged loses to all others.
    """
    learner = Learner(
        blueprint,
        task,
        train=data.train,
        normalisation=data.normalisation,
        recipe=recipe,
        steps=trial.steps,
    )
    train_loss = learner.learn(trial.steps)
    loss, accuracy = learner.judge(data.val)
    return TrialRecord(
        **vars(trial),
        train_loss=comparable(train_loss),
        val_loss=comparable(loss),
        val_accuracy=accuracy,
    )
