"""What a calibration is doubted for."""

from dataclasses import replace

from tests.calibrations import a_calibration
from zonas_edge.calibrate.model import Calibration
from zonas_edge.report.calibration import doubts


def changed(ratio: float = 1.25, share: float = 1.0) -> Calibration:
    calibration = a_calibration()
    fitted = calibration.fitted
    error = fitted.error.model_copy(update={"within_10_percent": share})
    update = {
        "p50_over_undisturbed": 1.0,
        "p95_over_p50": ratio,
        "error": error,
    }
    return replace(calibration, fitted=fitted.model_copy(update=update))


def test_a_good_calibration_is_not_doubted() -> None:
    assert doubts(changed(ratio=2.0, share=0.9)) == ()


def test_a_busy_device_and_a_bad_fit_are_told() -> None:
    assert doubts(changed(ratio=3.25, share=0.5)) == (
        (
            "p95 is 3.2 times the undisturbed time, as on a busy device; repeat it"
            " while the device does nothing else"
        ),
        (
            "only 50% of the networks that the fit has not seen were within 10 %;"
            " repeat it with more --networks"
        ),
    )
