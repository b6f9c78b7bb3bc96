"""The chart along the network."""

import io
import math

import numpy as np
from PIL import Image

from port.parity.tolerance import load
from port.report.charts import DARK, LIGHT, Series, Step, column, draw_chart, lowest_line, steps_of, stretches

RED = (0xCF, 0x22, 0x2E)


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def red_pixels(data: bytes) -> int:
    return int((abs(picture(data) - RED).max(axis=2) < 24).sum())


def rows_of(values, ratio=1.0) -> list[dict]:
    """ratio: of the last of them along the network, and of the first alone"""
    rows = [
        {"site": f"bwd.{i // 4:02d}/m{i}:out", "module": "m", "fed": v, "accumulated": v, "fed_ratio": 1.0, "ratio": 1.0}
        for i, v in enumerate(values)
    ]
    rows[-1]["ratio"] = rows[0]["fed_ratio"] = ratio
    return rows


def test_steps_are_runs_of_sites():
    rows = [{"site": site} for site in ("flows/a", "flows/b", "bwd.01/a", "bwd.00/a", "flows/c")]
    assert steps_of(rows) == [Step("flows", 0, 2), Step("bwd.01", 2, 3), Step("bwd.00", 3, 4), Step("flows", 4, 5)]
    assert steps_of(rows)[1].phase == "bwd" and steps_of(rows)[0].middle == 0.5


def test_phases_that_take_turns_are_one_stretch():
    """Frames stream out: each is upsampled before the next is carried forward."""
    names = ("flows", "features", "bwd.01", "bwd.00", "fwd.00", "up.00", "fwd.01", "up.01", "end")
    steps = [Step(name, 2 * i, 2 * i + 2) for i, name in enumerate(names)]
    assert stretches(steps) == [
        (["flows"], 0, 2), (["features"], 2, 4), (["bwd"], 4, 8), (["fwd", "up"], 8, 16), (["end"], 16, 18)
    ]  # fmt: skip
    assert stretches(steps[:1]) == [(["flows"], 0, 2)] and stretches([]) == []


def test_missing_numbers_are_left_out():
    assert np.array_equal(column([{"fed": 1.0}, {"fed": None}, {}], "fed"), [1.0, np.nan, np.nan], equal_nan=True)


def test_zero_is_drawn_below_everything_else():
    series = [Series(np.array(values), "", "", ".") for values in ([0.0, 3e-7, np.nan], [2e-6, np.inf])]
    assert math.isclose(lowest_line(series, 2e-5), 1e-8)
    assert math.isclose(
        lowest_line([Series(np.array([1e-40]), "", "", ".")], 1.0), 1e-7
    )  # one tiny value squeezes nothing
    assert lowest_line([Series(np.zeros(2), "", "", ".")], 2e-5) < 2e-5


def test_light_and_dark_are_pictures_of_their_own():
    rows = rows_of([0.0, 1e-6, 2e-6, None] * 5)
    light, dark = (picture(draw_chart(rows, load(), theme)) for theme in (LIGHT, DARK))
    assert light.shape == dark.shape and light[0, 0].min() > 250 and dark[0, 0].max() < 50


def test_sites_beyond_the_limit_and_the_first_wrong_one_stand_out():
    fine, wrong = rows_of([1e-6] * 20), rows_of([1e-6] * 20, ratio=90.0)
    plain, ringed = (red_pixels(draw_chart(rows, load(), LIGHT)) for rows in (fine, wrong))
    marked = red_pixels(draw_chart(fine, load(), LIGHT, wrong=fine[7]["site"]))
    assert ringed > plain + 20 and marked > plain + 500


def test_any_rows_can_be_drawn():
    names = [{"site": "$x_{", "module": "", "fed": None, "accumulated": None, "ratio": None}]
    for rows in (
        names,
        rows_of([math.nan, math.inf]),
        rows_of([0.0] * 3),
        rows_of([1e30, 1e-30]),
        rows_of([1e-6] * 3000),
    ):
        assert draw_chart(rows, load(), LIGHT)[:4] == b"\x89PNG"
    assert draw_chart([], load(), LIGHT) is None
