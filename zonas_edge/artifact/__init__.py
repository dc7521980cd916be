"""What a run leaves on the disk: a directory that no interruption can corrupt."""

from zonas_edge.artifact.delivered import Delivered
from zonas_edge.artifact.files import (
    SCHEMA,
    append_line,
    cut_lines,
    lock_folder,
    read_json,
    read_lines,
    write_bytes,
    write_json,
    write_text,
)
from zonas_edge.artifact.run import (
    CHOOSING,
    Run,
    State,
    create_run,
    find_run,
    list_runs,
    network_chosen,
    open_run,
)

__all__ = [
    "CHOOSING",
    "SCHEMA",
    "Delivered",
    "Run",
    "State",
    "append_line",
    "create_run",
    "cut_lines",
    "find_run",
    "list_runs",
    "lock_folder",
    "network_chosen",
    "open_run",
    "read_json",
    "read_lines",
    "write_bytes",
    "write_json",
    "write_text",
]
