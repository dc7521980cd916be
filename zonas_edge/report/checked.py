"""A file held against a profile, for a reader: what was looked at, and what to do."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zonas_edge.deploy.check import FileCheck
from zonas_edge.figures import digits
from zonas_edge.profile import DeviceProfile
from zonas_edge.report.words import plain


def checked_renderable(
    model: str, profile: DeviceProfile, checked: FileCheck
) -> RenderableType:
    """The verdict, every fact beside what is allowed, and each fix.

    Args:
        model: the file as the user named it.
        profile: what it was held against.
        checked: what was found.
    """
    runtime, facts = profile.runtime, checked.facts
    verdict = "REFUSED" if checked.findings else "no reason to refuse it found"
    if not checked.findings and not checked.fits:
        verdict = "TOO LARGE"
    heading = (
        f"{model} on {profile.name} (onnxruntime {runtime.onnxruntime}): {verdict}"
    )
    grid = Table.grid(padding=(0, 2, 0, 0))
    allowed = "no limit"
    if checked.allowed_kb is not None:
        allowed = f"at most {checked.allowed_kb:,.10g}"
    size = digits(checked.model_kb, checked.allowed_kb or 0.0, least=1)
    for name, value in (
        ("opset", f"{facts.opset} (at most {runtime.max_opset})"),
        ("IR version", f"{facts.ir} (at most {runtime.max_ir})"),
        ("domains", ", ".join(domain or "ai.onnx" for domain in facts.domains)),
        ("operators", ", ".join(facts.operators)),
        ("size", f"{size} KiB ({allowed})"),
    ):
        grid.add_row(name, Text(plain(value)))
    for finding in checked.findings:
        grid.add_row("refused", Text(plain(finding.cause)))
        grid.add_row("  fix", Text(plain(finding.fix)))
    if not checked.fits:
        grid.add_row("too large", Text("for the profile's budget.model_kb"))
        grid.add_row("  fix", Text("search again with a smaller budget.parameters"))
    return Group(Text(plain(heading)), grid)
