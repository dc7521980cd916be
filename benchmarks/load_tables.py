"""The README's section on runtimes: which file loads where, and decides alike?"""

from typing import Any

from zonas_edge.report.words import short_commit

LOADING_COLUMNS = (
    "ONNX Runtime",
    "Python",
    "platform",
    "file",
    "loads",
    "decisions changed",
    "near-ties",
    "largest difference",
    "changed from float",
)


def load_matrix(result: dict[str, Any]) -> str:
    """Runtime, platform and kind of file: a row each, over all files of the kind."""
    files, environment = result["files"], result["environment"]
    sets = {file["run"]: file["dataset"] for file in files}
    heads = [*LOADING_COLUMNS, f"accuracy ({', '.join(sets.values())})"]
    lines = [f"| {' | '.join(heads)} |", "|---|---|---|---|" + "--:|" * 6]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in result["rows"]:
        groups.setdefault((row["kind"], row["device"]), []).append(row)
    for kind, device in sorted(groups, key=lambda key: key[0]):
        lines.append(loading(kind, device, groups[kind, device], list(sets)))
    lines += [
        f"| {device} | | | | not measured: {reason} | | | | | |"
        for device, reason in result["not_measured"].items()
    ]
    told = [
        f"{file['dataset']} {file['kind']} {file['bytes'] / 1024:,.0f} KiB,"
        f" {file['test_images']:,} images, opset {file['opset']}, IR {file['ir']},"
        f" {file['producer']}, sha-256 {file['sha256'][:10]}"
        for file in files
    ]
    packages = environment["packages"].items()
    versions = ", ".join(f"{name} {version}" for name, version in packages)
    return "\n".join([*lines, ""]) + (
        f"\nCompared with {result['reference']}. Files: {'; '.join(told)}."
        f" {environment['machine']['cpu']}, {versions}, {environment['date']},"
        f" commit {short_commit(environment['commit'])}."
    )


def loading(kind: str, device: str, rows: list[dict[str, Any]], runs: list[str]) -> str:
    """The files of one kind on one device, as a row of the table."""
    loaded = [row for row in rows if row["loads"]]
    if not loaded:
        return f"| {device} | | | {kind} | 0 of {len(rows)} | | | | | |"
    first = loaded[0]
    platform = first["machine"] + (", emulated" if first["emulator"] else "")
    images = sum(row["images"] for row in loaded)
    found = {row["run"]: f"{row['accuracy']:.3f}" for row in loaded}
    accuracy = " / ".join(found.get(run, "-") for run in runs)
    changed, ties, from_float = (
        sum(row[key] for row in loaded)
        for key in ("changed", "near_ties", "changed_from_float")
    )
    return (
        f"| {first['onnxruntime']} | {first['python']} | {platform} | {kind}"
        f" | {len(loaded)} of {len(rows)} | {changed:,} of {images:,} | {ties:,}"
        f" | {max(row['max_abs_dp'] for row in loaded):.1e} | {from_float:,}"
        f" | {accuracy} |"
    )
