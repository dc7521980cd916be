"""The options that several commands share, each with its one help text."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zonas_edge.artifact.run import DEFAULT_OUT
from zonas_edge.search.method import MethodName

LARGEST_SEED = 2**31 - 1
LONGEST_S = 604_800.0
"""A week: what waits longer waits for nothing."""


class Device(StrEnum):
    """What computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


RunName = Annotated[
    str | None, typer.Argument(metavar="RUN", help="Name of the run; the newest.")
]
Profile = Annotated[
    str,
    typer.Option(metavar="NAME|FILE", help="Device profile: a shipped one or TOML."),
]
ProfileOrLevel = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME|FILE",
        help="Device profile: a shipped one or TOML; or small, medium, large.",
    ),
]
Dataset = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        help="digits, a MedMNIST set, or a path to an .npz or an image folder.",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where MedMNIST files lie; else $ZONAS_EDGE_DATA, else ~/.medmnist.",
    ),
]
LatencyModel = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Latency as calibrate has fitted it; else the profile's own model.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Of everything random."),
]
Epochs = Annotated[int, typer.Option(metavar="N", min=1, help="Epochs of the search.")]
RetrainEpochs = Annotated[
    int, typer.Option(metavar="N", min=1, help="Epochs of retraining.")
]
TrialEpochs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Epochs of all short trainings of candidates together; else as many as"
        " of retraining.",
    ),
]
SearchImages = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=2,
        help="Images of train that the search learns from, about so many, each class"
        " by its share; else all. Trials and retraining take all.",
    ),
]
DeviceName = Annotated[Device, typer.Option(help="What computes.")]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, max=1024, help="CPU threads of torch; else its own choice."
    ),
]
Method = Annotated[
    MethodName,
    typer.Option(
        metavar="NAME",
        # not all of them: help text is broken at their hyphens
        help="How to search, such as darts, milenas or random; a wrong name lists all.",
    ),
]
Flip = Annotated[
    bool,
    typer.Option("--flip", help="Own data: a mirrored image keeps its class."),
]
Classes = Annotated[
    str | None,
    typer.Option(metavar="A,B,C", help="Own data: class names in order of the labels."),
]
Out = Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of runs.")]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Name of this run; else data, profile and seed."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never fetch anything.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where the same command was stopped.")
]
Gates = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="TOML with min_accuracy, min_auc, min_sensitivity; else the profile's.",
    ),
]
Target = Annotated[
    str,
    typer.Option(
        metavar="TARGET",
        help="What measures: local, ssh://[user@]host[:port], or bundle.",
    ),
]
Python = Annotated[
    str | None,
    typer.Option(
        metavar="WORDS", help="Interpreter on the target, such as python3.11."
    ),
]
SshConfig = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Configuration of ssh; else your own."),
]
Timeout = Annotated[
    float,
    typer.Option(
        metavar="S",
        min=1,
        max=LONGEST_S,
        help="Seconds a measurement over ssh may take.",
    ),
]
BundleOut = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Where a bundle goes, a folder or .zip; else the run's folder.",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option("--import", metavar="REPORT", help="Read what a bundle brought back."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of text.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="No progress on stderr, only warnings.")
]

EXPORTS = DEFAULT_OUT
EPOCHS, RETRAIN_EPOCHS = 30, 100
"""Of a search, and of the training of its network, where nothing else is asked for."""
LOCAL = "local"
MEASURING_S = 1800.0
"""As in ``zonas_edge.device.ssh``, which is not loaded for help."""


def trials(trial_epochs: int | None, retrain_epochs: int) -> int:
    """Epochs of trials: those asked for, else as many as of retraining."""
    return retrain_epochs if trial_epochs is None else trial_epochs


def class_names(words: str | None) -> tuple[str, ...] | None:
    """``a,b,c`` as three names."""
    return None if words is None else tuple(word.strip() for word in words.split(","))
