"""Small searches on stripes: which way they run is the class."""

from dataclasses import replace

import torch

from zonas_edge.constraint import Constraint
from zonas_edge.cost import parameter_table
from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.search.feed import SearchData
from zonas_edge.search.loop import Search
from zonas_edge.search.method import DEFAULT
from zonas_edge.search.settings import SearchSettings
from zonas_edge.space import SearchSpace, TaskSpec

SPACE = SearchSpace(channels=2, max_depth=1)
TASK = TaskSpec(1, 8, 8, 2)
SIDE = 8


def stripes(count: int, seed: int, noise: float = 40.0) -> DeviceSplit:
    """Diagonal stripes, period 4, of both directions, any shift, in noise."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    shift = torch.randint(4, (count, 1, 1), generator=draw)
    row = torch.arange(SIDE)[None, :, None]
    column = torch.arange(SIDE)[None, None, :]
    sign = (1 - 2 * labels)[:, None, None]
    pattern = ((row + sign * column + shift) % 4 < 2).float() * 2 - 1
    pixels = 127 + 50 * pattern
    pixels = pixels + noise * torch.randn(pixels.shape, generator=draw)
    images = pixels.clamp(0, 255).to(torch.uint8)[:, None]
    return DeviceSplit(images, labels)


def on(split: DeviceSplit, device: str) -> DeviceSplit:
    return DeviceSplit(split.images.to(device), split.labels.to(device))


def data_of(count: int = 56, device: str = "cpu") -> SearchData:
    return SearchData(
        weights=on(stripes(count, seed=1), device),
        alphas=on(stripes(count, seed=2), device),
        normalisation=Normalisation(0.5, 0.25),
    )


def settings_of(
    method: str = DEFAULT,
    *,
    epochs: int = 5,
    batch_size: int = 8,
    seed: int = 0,
) -> SearchSettings:
    return SearchSettings.of(
        method, epochs=epochs, batch_size=batch_size, seed=seed, flip=False
    )


def limit(parameters: int, space: SearchSpace = SPACE) -> Constraint:
    return Constraint("parameters", parameter_table(space, TASK), upper=parameters)


def search_of(
    settings: SearchSettings | None = None,
    *,
    constraints: tuple[Constraint, ...] = (),
    space: SearchSpace = SPACE,
    device: str = "cpu",
    count: int = 56,
) -> Search:
    """Seven steps an epoch: a window of ten is open at most ends of epochs."""
    return Search(
        space,
        TASK,
        constraints,
        data_of(count, device),
        settings or settings_of(),
    )


def hastened(settings: SearchSettings, **changes: object) -> SearchSettings:
    """The settings with some figures of the method replaced."""
    method = replace(settings.method, **changes)  # type: ignore[arg-type]
    return replace(settings, method=method)


def plain_stripes(count: int, seed: int) -> DeviceSplit:
    """Vertical or horizontal stripes, period 2: no pixel alone tells the class."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    shift = torch.randint(2, (count, 1, 1), generator=draw)
    row = torch.arange(SIDE)[None, :, None]
    column = torch.arange(SIDE)[None, None, :]
    place = torch.where(labels[:, None, None] == 0, row, column)
    pattern = ((place + shift) % 2).float() * 2 - 1
    noise = 20 * torch.randn(count, SIDE, SIDE, generator=draw)
    pixels = (127 + 60 * pattern + noise).clamp(0, 255)
    return DeviceSplit(pixels.to(torch.uint8)[:, None], labels)


@torch.no_grad()
def blindfold(search: Search) -> None:
    """Let one candidate alone see the direction: the convolution of the first edge.

    The stem passes pixels on, reductions average them, and every candidate of a cell
    is an identity but that one, which subtracts the neighbours left and right.
    """
    supernet = search.supernet
    supernet.stem.convolution.weight.zero_()
    supernet.stem.convolution.weight[..., 1, 1] = 1
    for name, part in supernet.named_parameters():
        if "second_norm.weight" in name:
            part.zero_()
        elif "shortcut" in name:
            part.fill_(1)
        elif name.startswith("stages"):
            centre = part.shape[-1] // 2
            part.zero_()
            part[..., centre, centre] = 1
    seer = supernet.get_parameter("stages.0.0.edge_0_1.conv.weight")
    seer[..., 3, 2:5] = torch.tensor([-1.0, 2.0, -1.0])
    supernet.head.classifier.weight.copy_(torch.tensor([[-2.0], [2.0]]))
