"""A table as a value: the same cells for the terminal, for Markdown and for CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from zonas_edge.report.words import plain


@dataclass(frozen=True)
class Table:
    """Words in rows.

    Args:
        title: one line.
        headings: of the columns.
        rows: as many words each as there are headings.
        left: columns of words; the others hold figures.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1

    def renderable(self) -> RenderableType:
        """For the terminal."""
        table = RichTable(box=None, pad_edge=False)
        for place, heading in enumerate(self.headings):
            right = place >= self.left
            table.add_column(
                heading, justify="right" if right else "left", overflow="fold"
            )
        for row in self.rows:
            table.add_row(*(Text(plain(word)) for word in row))
        return Group(Text(plain(self.title), style="bold"), table)

    def markdown(self) -> str:
        """For a document; a user's word can't break a row."""
        rules = ["---"] * self.left + ["--:"] * (len(self.headings) - self.left)
        lines = [
            f"| {' | '.join(self.headings)} |",
            f"|{'|'.join(rules)}|",
            *(f"| {' | '.join(_cell(word) for word in row)} |" for row in self.rows),
        ]
        return "\n".join([f"**{plain(self.title)}**", "", *lines])


def _cell(word: str) -> str:
    return plain(word).replace("\\", "\\\\").replace("|", "\\|")


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for programs; None is an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return buffer.getvalue()
