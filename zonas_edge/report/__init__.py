"""Values to text: the only layer beside the command line that knows the terminal."""

from zonas_edge.report.validation import report_json, report_renderable, report_text

__all__ = ["report_json", "report_renderable", "report_text"]
