"""The README's section on latency: is it predicted well, and does a limit hold?"""

from typing import Any

from zonas_edge.report.words import short_commit


def latency_error(result: dict[str, Any]) -> str:
    """One machine: networks that the fit has not seen."""
    environment, pieces = result["environment"], result["in_one_piece_of_1000_runs"]
    return (
        f"**Prediction** ({environment['machine']['cpu']}, onnxruntime"
        f" {environment['packages']['onnxruntime']}, one thread, {environment['date']},"
        f" commit {short_commit(environment['commit'])}): `calibrate` took"
        f" {result['calibrate_seconds']:.0f} s; of {result['networks']} random networks"
        f" that it had not seen, {result['undisturbed_ms']['smallest']:.2f} to"
        f" {result['undisturbed_ms']['largest']:.2f} ms,"
        f" {result['within_10_percent']:.0%} were predicted within 10 %, the median"
        f" error was {result['median_error']:.1%}, the largest"
        f" {result['largest_error']:.1%}, the rank correlation"
        f" {result['rank_correlation']:.4f}. These are times while nothing came"
        f" between; p50 moves with the machine: in one piece of a thousand runs"
        f" {pieces['networks']} of them had a p50 of"
        f" {pieces['p50_measured_over_predicted']:.2f} times what was predicted for"
        f" that, in the median, and for {pieces['p95_no_higher_than_predicted']:.0%}"
        " p95 was no higher than predicted."
    )


def binding_latency(result: dict[str, Any]) -> str:
    """One data set: each seed's network without a limit, and at half of its p95."""
    environment = result["environment"]
    title = (
        f"**A limit that binds** ({result['dataset']}, {environment['cpu_model']}, one"
        f" thread, {environment['date']}, commit {short_commit(environment['commit'])};"
        f" {result['epochs']} search epochs, {result['retrain_epochs']} retraining"
        " epochs): the limit is half of the p95 that the same seed's network, searched"
        " without one, takes."
    )
    head = (
        "| seed | free: p50 / p95, ms | accuracy (95 %) | limit, ms |"
        " bound: p50 / p95, ms | within | accuracy (95 %) | parameters |"
    )
    lines = [title, "", head, "|--:|--:|---|--:|--:|---|---|--:|"]
    for row in result["rows"]:
        cells = []
        for kind in ("free", "bound"):
            found = row[kind]
            low, high = found["accuracy_ci95"]
            latency = found["latency_ms"]
            cells.append(f"{latency['p50']:.3f} / {latency['p95']:.3f}")
            cells.append(f"{found['accuracy']:.3f} ({low:.3f}-{high:.3f})")
        lines.append(
            f"| {row['seed']} | {cells[0]} | {cells[1]}"
            f" | {row['bound']['limit_ms']:.3f} | {cells[2]}"
            f" | {'yes' if row['within'] else 'no'} | {cells[3]}"
            f" | {row['free']['parameters']:,} -> {row['bound']['parameters']:,} |"
        )
    lines += ["", result["note"]] if result["note"] else []
    return "\n".join(lines)
