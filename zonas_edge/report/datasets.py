"""Known data sets for a reader, the ones that can't be used with their reason."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table

from zonas_edge.data.load import KnownDataset


def dataset_table(known: Iterable[KnownDataset]) -> RenderableType:
    """One line a set."""
    table = Table(box=None, pad_edge=False)
    table.add_column("dataset", no_wrap=True)
    table.add_column("image")
    for heading in ("classes", "train", "val", "test"):
        table.add_column(heading, justify="right")
    table.add_column("sides")
    table.add_column("licence")
    table.add_column("can be used")
    for entry in known:
        table.add_row(
            entry.name,
            "gray" if entry.channels == 1 else "RGB",
            f"{entry.classes}",
            f"{entry.train:,}",
            f"{entry.val:,}",
            f"{entry.test:,}",
            " ".join(map(str, entry.sides)),
            entry.licence,
            "yes" if entry.obstacle is None else f"no: {entry.obstacle}",
        )
    return table
