"""Data sets, loaded once while cells of the same set come one after another."""

from typing import Any

from zonas_edge.data.dataset import Dataset
from zonas_edge.data.load import load_dataset
from zonas_edge.pipeline.request import Request


class Shelf:
    """The data set that was used last; the cells of one set come together."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] | None = None
        self._dataset: Dataset | None = None

    def dataset(self, request: Request) -> Dataset:
        """The data of a request, loaded once while nothing else is asked for.

        Raises:
            DatasetError: they are gone, or damaged.
        """
        key = (request.dataset, request.data_dir, request.flip, request.classes)
        if self._dataset is None or key != self._key:
            self._dataset = load_dataset(
                request.dataset,
                data_dir=request.data_dir,
                offline=True,  # they were fetched before
                flip=request.flip,
                classes=request.classes,
                progress=False,
            )
            self._key = key
        return self._dataset
