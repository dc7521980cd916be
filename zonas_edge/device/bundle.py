"""A measurement carried by hand to a device that nothing reaches, and back.

A bundle is a folder or a zip with all that a measurement needs: ``runner.py``, the
model, the test images and golden vectors, the manifest, and a README for the person
who carries it. Test labels stay here. What comes back is one file, read as the answer
of a target that measured elsewhere: it must be about the same model, the same images
and the same golden vectors, byte for byte.
"""

import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from zonas_edge import __version__
from zonas_edge.artifact.files import plain_errors
from zonas_edge.device.answer import parsed, read_answers
from zonas_edge.device.job import (
    MANIFEST,
    RUNNER,
    SCHEMA,
    Job,
    check_files,
    manifest,
    manifest_bytes,
    sha256_of_file,
    travelling_names,
)
from zonas_edge.device.measurement import Answer, Measurement
from zonas_edge.device.process import Progress
from zonas_edge.errors import UsageError

REPORT: Final = "measurement.json"
"""What ``runner.py`` leaves beside itself."""

COMMAND: Final = "python3 runner.py"

_README: Final = """\
A measurement for zonas-edge: run {run}, profile {profile}

The device needs Python 3.6 or later, numpy and onnxruntime, and no network:

    python3 -m pip install numpy "{runtime}"

What to do:

 1. Copy this folder to the device. A zip is unpacked there:
    python3 -m zipfile -e FILE.zip bundle
 2. Let nothing else run there; use its own power supply and cooling.
 3. In this folder:
    {command}
    It takes from seconds to some minutes, tells how far it is, and ends with exit
    code 0 if it has measured.
 4. Bring back the one file it has written, {report}. It is written after most
    failures too; bring it back all the same.
 5. On the computer with the run:
    zonas-edge validate {run}{options} --import {report}

The images are those of the data set {dataset} that the network is tested with. Their
labels are not here.
"""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written.

    Args:
        path: the folder or zip.
        files: their names in it.
        model_sha256: of its model.
    """

    path: Path
    files: tuple[str, ...]
    model_sha256: str

    def summary(self) -> dict[str, Any]:
        """What there is to say of it, as plain JSON values."""
        return {
            "schema": SCHEMA,
            "bundle": str(self.path),
            "files": list(self.files),
            "model_sha256": self.model_sha256,
            "command": COMMAND,
            "report": REPORT,
        }


def write_bundle(path: Path, job: Job, about: Mapping[str, str]) -> Bundle:
    """Write what a person carries to the device.

    Args:
        path: a zip if it ends so, else a folder; neither may exist.
        job: what is measured there.
        about: ``run``, ``profile``, ``dataset`` and ``runtime``, for the reader, and
            the ``options`` of the command that reads the report, each after a space.

    Raises:
        UsageError: the place is taken, a file is missing, or the system refuses.
    """
    check_files([job])
    check_free(path)
    names = travelling_names([job])
    content = manifest([job], names)
    about = {"options": "", **about}
    told = {**about, "generator": f"zonas-edge {__version__}", "command": COMMAND}
    readme = _README.format(report=REPORT, command=COMMAND, **about)
    texts = {
        RUNNER.name: RUNNER.read_bytes(),
        MANIFEST: manifest_bytes({**content, **told}),
        "README.txt": readme.encode(),
    }
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    with plain_errors(path):
        try:
            temporary.mkdir(parents=True)
            for name, data in texts.items():
                (temporary / name).write_bytes(data)
            for file, name in names.items():
                shutil.copyfile(file, temporary / name)
            _put(temporary, path)
        finally:  # nothing half-written is left, also after an interrupt
            shutil.rmtree(temporary, ignore_errors=True)
    files = tuple(sorted([*texts, *names.values()]))
    return Bundle(path, files, content["jobs"][0]["model_sha256"])


def check_free(path: Path) -> None:
    """See that nothing is where a bundle shall go.

    Raises:
        UsageError: there is something, of which somebody may need a report.
    """
    if os.path.lexists(path):
        raise UsageError(
            f"{path}: exists already, and may hold a measurement",
            hint="delete it, or choose another place with --bundle-out",
        )


def _put(folder: Path, path: Path) -> None:
    """Bring a finished folder to its place, as it is or as a zip."""
    if path.suffix != ".zip":
        folder.rename(path)
        return
    packed = folder / path.name
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            if file != packed:
                archive.write(file, file.name)
    packed.rename(path)


@dataclass(frozen=True)
class CarriedTarget:
    """A report that was brought back, as a target that has measured already.

    Args:
        report: the file that ``runner.py`` wrote on the device.
        content: the JSON object in it.
    """

    report: Path
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        """How the figures came here."""
        return f"bundle, {self.report.name}"

    def check_model(self, model: Path) -> None:
        """See that the report is about this model, if it got as far as measuring it.

        Raises:
            UsageError: it is about another one.
        """
        for result in self.content.get("results", ()):
            told = result.get("model_sha256") if isinstance(result, dict) else None
            self._same("model", told, sha256_of_file(model))

    def measure(
        self, jobs: Sequence[Job], progress: Progress | None = None
    ) -> tuple[Measurement, ...]:
        """The measurements in the report, if it is about just these jobs.

        Args:
            jobs: what a live target would be given.
            progress: is told that a report is read.

        Raises:
            UsageError: the report is about something else.
            AcceptanceError, IncompatibleError, TargetError: what the runner told of
                a failure there.
        """
        if progress is not None:
            progress(f"reading {self.report}")
        for job in jobs:
            self.check_model(job.model)
        try:
            found = read_answers(dict(self.content), jobs, self.name)
        except ValueError as error:
            raise UsageError(
                f"{self.report}: damaged, a measurement is not whole",
                hint="bring the file again, or measure again",
            ) from error
        for job, measurement in zip(jobs, found, strict=True):
            self._check(job, measurement.answer)
        return found

    def _check(self, job: Job, answer: Answer) -> None:
        """See that a measurement was made as this job asks for."""
        golden = None if job.golden is None else sha256_of_file(job.golden)
        self._same("images", answer.images_sha256, sha256_of_images(job.images))
        self._same("golden vectors", answer.golden_sha256, golden)
        taken = answer.latency_ms
        for what, told, wanted in (
            ("threads", taken.threads, job.threads),
            ("provider", taken.provider, job.provider),
        ):
            if told != wanted:
                raise UsageError(
                    f"{self.report}: measured with {what} {told}, not {wanted}",
                    hint="judge by the profile that the bundle was made for",
                )

    def _same(self, what: str, told: object, known: str | None) -> None:
        if told != known:
            raise UsageError(
                f"{self.report}: not of the run's {what}, sha-256 is {told!s:.12} and"
                f" not {known!s:.12}",
                hint="make a new bundle of the run with --target bundle",
            )


def read_report(path: Path) -> CarriedTarget:
    """The report that was brought back.

    Raises:
        UsageError: it can't be read, or is none.
    """
    with plain_errors(path):
        text = path.read_bytes().decode("utf-8", "replace")
    content = parsed(text)
    if content is None or not {"results", "error"} & set(content):
        raise UsageError(
            f"{path}: not a report of runner.py",
            hint=f"bring back {REPORT} from the folder of the bundle",
        )
    if (schema := content.get("schema")) != SCHEMA:
        raise UsageError(
            f"{path}: schema is {schema!r:.20}, not {SCHEMA}",
            hint="make the bundle and read its report with the same zonas-edge",
        )
    return CarriedTarget(path, content)


def sha256_of_images(path: Path) -> str:
    """Hash of the pixels of an .npy in order, as ``runner.py`` makes it."""
    images = np.load(path, mmap_mode="r", allow_pickle=False)
    return sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
