"""How fast a derived network is retrained: textbook and ours side by side.

    python benchmarks/retrain_speed.py                 # writes results/
    python benchmarks/retrain_speed.py --quick --json

A sample is an epoch over random images of BreastMNIST's size, loading and augmentation
included; ours also judges its averaged weights on a few val images, as it always does.
Same network of about 300,000 parameters and same batch size.
``ratio`` is our images per second over the textbook's, medians. With ``--json`` nothing
is written but one object on stdout.
"""

import argparse
from typing import Any

import commandline
import torch
from measuring import Samples, default_kernels, facts, interleaved, seconds_of
from textbook import Images, loader
from textbook_retrain import Network, Operation, TextbookRetraining

from zonas_edge.architecture import Architecture, Stage
from zonas_edge.cost import macs, parameters
from zonas_edge.data.batches import DeviceData, DeviceSplit, Normalisation
from zonas_edge.learner import default_batch
from zonas_edge.retrain import Retraining, RetrainSettings
from zonas_edge.space import Op, TaskSpec

CHANNELS, CLASSES = 16, 2
STAGES: tuple[tuple[tuple[Operation, ...], int], ...] = (
    ((3, "skip", 1, 3, "pool", 7), 2),
    ((3, 1, "skip", "skip", "pool", 3), 2),
    ((3, 1, "pool", "skip", 1, 3), 2),
)
"""A network of 310,690 parameters that has every candidate."""
IMAGES = 546
SIDE = 28
"""Of BreastMNIST's train split."""
_MEAN = _STD = 0.25


def architecture(channels: int = CHANNELS) -> Architecture:
    """The same network as the package's value."""
    words = {"none": Op.NONE, "skip": Op.SKIP, "pool": Op.AVG_POOL, 1: Op.CONV_1X1}

    def stage(operations: tuple[Operation, ...], depth: int) -> Stage:
        return Stage(
            operations=tuple(words.get(word, Op.CONV) for word in operations),
            kernels=tuple(None if word in words else int(word) for word in operations),
            depth=depth,
        )

    return Architecture(channels, tuple(stage(*entry) for entry in STAGES))


class Case:
    """Both retrainings of one network on the same images.

    Args:
        count: images of an epoch.
        batch: images a step.
        channels: of the first stage.
        side: of the images.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(
        self, count: int, batch: int, channels: int, side: int, device: str
    ) -> None:
        self.device, self.batch = device, batch
        self.count = count // batch * batch
        self.task = TaskSpec(1, side, side, CLASSES)
        self.architecture = architecture(channels)
        draw = torch.Generator().manual_seed(0)
        shape = (count, 1, side, side)
        images = torch.randint(256, shape, generator=draw, dtype=torch.uint8)
        labels = torch.randint(CLASSES, (count,), generator=draw)
        split = DeviceSplit(images.to(device), labels.to(device))
        self.ours = Retraining(
            self.architecture,
            self.task,
            data=DeviceData(
                split, split.take(torch.arange(2)), Normalisation(_MEAN, _STD)
            ),
            settings=RetrainSettings(epochs=1000, batch_size=batch, seed=0, flip=True),
        )
        network = Network(STAGES, channels, image_channels=1, classes=CLASSES)
        self.textbook = TextbookRetraining(network.to(device))
        dataset = Images(images, labels, mean=_MEAN, std=_STD, flip=True)
        self._loader = loader(dataset, batch, seed=0)

    def textbook_seconds(self) -> float:
        """Seconds of an epoch of the textbook's."""

        def epoch() -> None:
            batches = (
                (images.to(self.device), labels.to(self.device))
                for images, labels in self._loader
            )
            self.textbook.epoch(batches)

        with default_kernels():
            return seconds_of(epoch, self.device)

    def our_seconds(self) -> float:
        """Seconds of an epoch of ours."""
        return seconds_of(self.ours.run_epoch, self.device)


def images_per_second(samples: Samples, count: int) -> dict[str, Any]:
    """Median and spread of the rate."""
    return Samples(tuple(count / taken for taken in samples.seconds)).summary()


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure."""
    case = Case(
        arguments.images,
        arguments.batch,
        arguments.channels,
        arguments.side,
        arguments.device,
    )
    case.textbook_seconds()
    case.our_seconds()
    textbook, ours = interleaved(
        [case.textbook_seconds, case.our_seconds], arguments.repeats
    )
    return {
        "schema": 1,
        "benchmark": "retrain_speed",
        "quick": arguments.quick,
        "ratio": textbook.median / ours.median,
        "batch": case.batch,
        "images": case.count,
        "parameters": parameters(case.architecture, case.task),
        "macs": macs(case.architecture, case.task),
        "textbook_images_per_second": images_per_second(textbook, case.count),
        "our_images_per_second": images_per_second(ours, case.count),
        "environment": facts(arguments.device),
    }


def text(result: dict[str, Any]) -> str:
    """The figures for a reader."""
    plain, ours = (
        result[f"{which}_images_per_second"]["median"] for which in ("textbook", "our")
    )
    return (
        f"{result['parameters']:,} parameters, batch {result['batch']}: textbook"
        f" {plain:.1f} images/s, ours {ours:.1f} images/s, ratio {result['ratio']:.2f}"
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = commandline.parser(__doc__)
    count = commandline.at_least(1)
    parser.add_argument("--batch", type=count, default=default_batch(IMAGES, SIDE**2))
    parser.add_argument("--images", type=count, default=IMAGES, help="of an epoch")
    parser.add_argument("--repeats", type=count, help="samples, default 9; quick 3")
    parser.add_argument(
        "--channels", type=count, default=CHANNELS, help="of the network"
    )
    parser.add_argument("--side", type=count, default=SIDE, help="of the images")
    arguments = commandline.ready(parser)
    arguments.repeats = arguments.repeats or (3 if arguments.quick else 9)
    return arguments


def main() -> None:
    """Measure, then print or write."""
    arguments = parse()
    result = run(arguments)
    commandline.finish(arguments, result, text(result))


if __name__ == "__main__":
    main()
