"""Beginning a run: what is started over, and what never is."""

from dataclasses import replace
from pathlib import Path

import pytest

from zonas_edge.artifact import Run, create_run, write_json
from zonas_edge.errors import UsageError
from zonas_edge.pipeline.begin import begin
from zonas_edge.pipeline.request import Request
from zonas_edge.profile import load_profile
from zonas_edge.report.runs import run_summary, state_of


def a_request() -> Request:
    return Request(
        profile=load_profile("raspberry-pi-4"),
        dataset="digits",
        seed=0,
        epochs=1,
        retrain_epochs=1,
        trial_epochs=0,
        method="zo-darts++",
        device="cpu",
        flip=False,
        data_dir=None,
    )


def a_run(folder: Path) -> Run:
    run = create_run(folder, "one")
    run.update(request=a_request().to_dict(), test_openings=3)
    write_json(run.architecture, {"found": "in hours"})
    return run


@pytest.mark.parametrize("stages", [{"search": "finished"}, {"baseline": "finished"}])
@pytest.mark.parametrize("last", ["search", "retrain", "validate"])
def test_a_finished_search_is_never_started_over(
    tmp_path: Path, stages: dict[str, str], last: str
) -> None:
    run = a_run(tmp_path)
    run.update(stages=stages | {"retrain": "started"})
    before = run.read()
    with pytest.raises(UsageError) as caught:
        begin(tmp_path, "one", a_request(), dataset="digits", last=last, resume=False)
    assert str(caught.value).startswith(f"{run.path}: this run exists")
    assert "--resume" in str(caught.value.hint)
    assert run.read() == before
    assert run.architecture.is_file()
    begun = begin(
        tmp_path, "one", a_request(), dataset="digits", last=last, resume=True
    )
    assert begun.run.read() == before


@pytest.mark.parametrize("retrained", [False, True])
def test_what_goes_on_with_a_run_of_other_figures_is_told(
    tmp_path: Path, retrained: bool
) -> None:
    run = a_run(tmp_path)
    run.update(stages={"search": "finished"})
    if retrained:
        run.update(retrain_environment={})
    asked = replace(a_request(), retrain_epochs=7)
    with pytest.raises(UsageError) as caught:
        begin(tmp_path, "one", asked, dataset="digits", last="validate", resume=True)
    assert "retrain-epochs is 7, the run's is " in str(caught.value)
    assert caught.value.hint == (
        f"zonas-edge export one --out {tmp_path}, or choose another --name"
        if retrained
        else "repeat the run's own command with --resume, or choose another --name"
    )


def test_a_half_done_search_is_never_started_over(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.update(stages={"search": "started"})
    run.search_checkpoint.write_bytes(b"hours")
    other = replace(a_request(), seed=9)
    for asked in (a_request(), other):
        with pytest.raises(UsageError) as caught:
            begin(tmp_path, "one", asked, dataset="digits", last="search", resume=False)
        assert str(caught.value) == f"{run.path}: this run exists, its search half done"
        assert "--resume" in str(caught.value.hint)
    assert run.search_checkpoint.read_bytes() == b"hours"


def test_of_several_unfinished_runs_the_one_of_the_same_request_goes_on(
    tmp_path: Path,
) -> None:
    short, long = a_request(), replace(a_request(), epochs=9)
    names = []
    for asked in (long, short):
        begun = begin(
            tmp_path, None, asked, dataset="digits", last="search", resume=False
        )
        names.append(begun.run.name)
    assert len(set(names)) == 2
    for asked, name in zip((long, short), names, strict=True):
        again = begin(
            tmp_path, None, asked, dataset="digits", last="search", resume=True
        )
        assert again.run.name == name


def test_a_run_that_another_command_has_just_begun_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(a_request(), seed=9)

    def slow(out: Path, name: str) -> Run:
        """Between the folder and the request another command does both."""
        run = create_run(out, name)
        run.update(request=other.to_dict(), test_openings=1)
        return run

    monkeypatch.setattr("zonas_edge.pipeline.begin.create_run", slow)
    with pytest.raises(UsageError, match="another command has just begun this run"):
        begin(tmp_path, "a", a_request(), dataset="digits", last="search", resume=False)
    assert Run(tmp_path / "a").read()["request"]["seed"] == 9


def test_an_unfinished_search_without_a_checkpoint_is_started_over(
    tmp_path: Path,
) -> None:
    run = a_run(tmp_path)
    run.update(stages={"search": "started"})
    begin(tmp_path, "one", a_request(), dataset="digits", last="search", resume=False)
    assert run.read()["test_openings"] == 0
    assert not run.architecture.is_file()


def test_a_verdict_by_another_profile_is_not_the_run_s_own(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.architecture.unlink()
    run.update(stages={"validate": "finished"})
    budget = {
        name: value
        for name, value in run.read()["request"]["profile"]["budget"].items()
        if value is not None
    }
    larger = budget | {"parameters": budget["parameters"] + 1}
    gate = {"name": "min_auc", "required": 0.9}
    for profile, limits, gates, said in (
        ("raspberry-pi-4", budget, [], "pass"),
        ("x86-64", budget, [], "pass by x86-64"),
        # another file of the same name
        ("raspberry-pi-4", larger, [], "pass by other limits than the run's own"),
        ("raspberry-pi-4", budget, [gate], "pass by other gates than the run's own"),
    ):
        report = {
            "profile": profile,
            "verdict": "pass",
            "limits": [
                {"name": name, "allowed": value} for name, value in limits.items()
            ],
            "acceptance": gates,
        }
        write_json(run.report, report)
        assert state_of(run_summary(run)) == f"validated: {said}"
    run.update(refused={"message": "no", "target": "ssh://pi", "time": "today"})
    assert state_of(run_summary(run)).endswith(", refused since")
