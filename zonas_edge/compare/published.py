"""The published protocol's figure, and why nothing can choose by it.

The published tables give the largest accuracy on *test* over all epochs of retraining,
which is larger than what a user will see. To stand beside them it is measured here, in
a column of its own. The measurement reads the checkpoints that retraining has written
and writes a log that nothing but a table reads: no value of it ever comes back to a
search or a retraining. Each look is counted as an opening of the test split.

The weights are those that val has judged at the epoch, in evaluation mode; the
published code normalises test images by their own batches, which no device can do.
"""

from zonas_edge.artifact import Run, append_line, read_lines
from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.data.dataset import Dataset
from zonas_edge.learner import averaged_weights
from zonas_edge.nn.evaluate import evaluate
from zonas_edge.pipeline.checkpoint import load_state
from zonas_edge.pipeline.deliver import open_test
from zonas_edge.pipeline.request import Request
from zonas_edge.pipeline.retrain import network_with


class Onlooker:
    """Looks at a retraining from outside.

    Args:
        run: its folder, locked.
        request: what it is made under.
        dataset: its data.
    """

    def __init__(self, run: Run, request: Request, dataset: Dataset) -> None:
        self._run, self._request, self._dataset = run, request, dataset
        self._normalisation = Normalisation.of(dataset.train)

    def look(self) -> None:
        """Measure the weights of the last checkpoint on test, unless that was done.

        Called after every epoch, and before a resumed retraining goes on, it misses
        none.
        """
        run, device = self._run, self._request.device
        if not run.retrain_checkpoint.is_file():
            return
        state = load_state(run.retrain_checkpoint, run.command("retrain"))
        epoch = int(state["epoch"])
        if any(line["epoch"] == epoch for line in read_lines(run.published_log)):
            return
        network = network_with(
            run, self._dataset.task, averaged_weights(state["learner"])
        )
        test, _ = open_test(run, self._dataset)
        _, accuracy = evaluate(
            network.to(device), DeviceSplit.of(test, device), self._normalisation
        )
        append_line(run.published_log, {"epoch": epoch, "accuracy": accuracy})


def largest(run: Run, epochs: int) -> float | None:
    """The largest accuracy on test over all epochs of a retraining.

    Args:
        run: its folder.
        epochs: of the retraining.

    Returns:
        None if nobody looked, or not at every epoch: a network that was retrained by
        itself since then has no such figure.
    """
    seen = {
        int(line["epoch"]): float(line["accuracy"])
        for line in read_lines(run.published_log)
    }
    if seen.keys() != set(range(1, epochs + 1)):
        return None
    return max(seen.values())
