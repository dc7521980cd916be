"""A measurement carried by hand to a device that nothing reaches, and back.

A bundle is a folder or a zip with all that a measurement needs: ``runner.py``, the
models, the images and golden vectors, the manifest, and a README for the person who
carries it. Test labels stay here. What comes back is one file, read as the answer of a
target that measured elsewhere: it must be about the same models, the same images and
the same golden vectors, byte for byte.
"""

import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import numpy as np

from zonas_edge import __version__
from zonas_edge.artifact.files import plain_errors, temporary_beside
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
A measurement for zonas-edge: {title}

The device needs Python 3.6 or later, numpy and onnxruntime, and no network:

    python3 -m pip install numpy "{runtime}"

Where pip refuses that ("externally-managed-environment"):

    python3 -m venv env
    env/bin/python -m pip install numpy "{runtime}"

and env/bin/python takes the place of python3 below.

What to do:

 1. Copy this folder to the device. A zip is unpacked there:
    python3 -m zipfile -e FILE.zip bundle
 2. Let nothing else run there; use its own power supply and cooling.
 3. In this folder:
    {command}
    It takes {takes}, tells how far it is,
    and ends with exit code 0 if it has measured.
 4. Bring back the one file it has written, {report}. It is written after most
    failures too; bring it back all the same.
 5. On the computer where it was made:
    {then} {report}

{content}
"""


@dataclass(frozen=True)
class Errand:
    """What a bundle is for, as far as the person who carries it is told.

    Args:
        title: such as ``run tuesday, profile pi``.
        runtime: what pip installs on the device.
        command: the line that reads the report; its name comes behind it.
        content: what the files are, in a sentence or two.
        facts: further entries of the manifest.
        takes: how long measuring lasts, in words.
    """

    title: str
    runtime: str
    command: str
    content: str
    facts: Mapping[str, str]
    takes: str = "from seconds to some minutes"


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written.

    Args:
        path: the folder or zip.
        files: their names in it.
        models: SHA-256 of its models, in the order of their first jobs.
        then: the line that reads the report.
    """

    path: Path
    files: tuple[str, ...]
    models: tuple[str, ...]
    then: str

    def summary(self) -> dict[str, Any]:
        """What there is to say of it, as plain JSON values."""
        return {
            "schema": SCHEMA,
            "bundle": str(self.path),
            "files": list(self.files),
            "models_sha256": list(self.models),
            "command": COMMAND,
            "report": REPORT,
            "then": self.then,
        }


def write_bundle(path: Path, jobs: Sequence[Job], errand: Errand) -> Bundle:
    """Write what a person carries to the device.

    Args:
        path: a zip if it ends so, else a folder; neither may exist.
        jobs: what is measured there; at least one.
        errand: what it is for.

    Raises:
        UsageError: the place is taken, a file is missing, or the system refuses.
    """
    check_files(jobs)
    check_free(path)
    names = travelling_names(jobs)
    content = manifest(jobs, names)
    told = {"generator": f"zonas-edge {__version__}", "command": COMMAND}
    readme = _README.format(
        title=errand.title,
        runtime=errand.runtime,
        then=errand.command,
        takes=errand.takes,
        content=errand.content,
        command=COMMAND,
        report=REPORT,
    )
    texts = {
        RUNNER.name: RUNNER.read_bytes(),
        MANIFEST: manifest_bytes({**content, **errand.facts, **told}),
        # a path in it may be no UTF-8
        "README.txt": readme.encode("utf-8", "backslashreplace"),
    }
    temporary = temporary_beside(path)
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
    models = dict.fromkeys(job["model_sha256"] for job in content["jobs"])
    return Bundle(path, files, tuple(models), f"{errand.command} {REPORT}")


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
        whose: of what it must be a report, before ``model`` or ``images``.
        remedy: what helps if it is of something else.
    """

    report: Path
    content: Mapping[str, Any]
    whose: str = "the run's"
    remedy: str = "make a new bundle of the run with --target bundle"

    @property
    def name(self) -> str:
        """How the figures came here."""
        return f"bundle, {self.report.name}"

    def check_models(self, models: Sequence[Path]) -> None:
        """See that the report is about these models, a failure's about one of them.

        Args:
            models: of the jobs, in their order.

        Raises:
            UsageError: it is about others.
        """
        hashes = {model: sha256_of_file(model) for model in set(models)}
        wanted = [hashes[model] for model in models]
        results = self.content.get("results", ())
        if not isinstance(results, list) or not results:
            self._check_failure(wanted)
            return
        for result, known in zip_longest(results, wanted):
            told = result.get("model_sha256") if isinstance(result, dict) else None
            self._same("model", told, known)

    def _check_failure(self, wanted: Sequence[str]) -> None:
        """See that a failure which names a model names the one that was its job's."""
        error = self.content.get("error")
        told = error if isinstance(error, dict) else {}
        if (model := told.get("model_sha256")) is not None:
            job = told.get("job")
            known = dict(enumerate(wanted)).get(job) if isinstance(job, int) else None
            self._same("model", model, known)

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
        self.check_models([job.model for job in jobs])
        try:
            found = read_answers(dict(self.content), jobs, self.name)
        except ValueError as error:
            raise UsageError(
                f"{self.report}: damaged, a measurement is not whole",
                hint="bring the file again, or measure again",
            ) from error
        images = {file: sha256_of_images(file) for file in {job.images for job in jobs}}
        golden = {
            file: None if file is None else sha256_of_file(file)
            for file in {job.golden for job in jobs}
        }
        for job, measurement in zip(jobs, found, strict=True):
            answer = measurement.answer
            self._same("images", answer.images_sha256, images[job.images])
            self._same("golden vectors", answer.golden_sha256, golden[job.golden])
            self._check(job, answer)
        return found

    def _check(self, job: Job, answer: Answer) -> None:
        """See that a measurement was made as this job asks for."""
        taken = answer.latency_ms
        least = min(job.repeats.runs, job.repeats.least)
        if taken.runs < least:
            raise UsageError(
                f"{self.report}: {taken.runs} timed runs, at least {least} are needed",
                hint="measure again with a bundle in which nothing was changed",
            )
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
                f"{self.report}: not of {self.whose} {what}, sha-256 is"
                f" {told!s:.12} and not {known!s:.12}",
                hint=self.remedy,
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
