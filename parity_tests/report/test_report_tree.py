"""The call tree's data, and the chart of ratios: every site is there, once for each stage, in its place."""

import json
import math

import pytest

from parity_tests.report.made_pair import WRONG, made_stages
from port.parity.compare import Stage
from port.parity.measure import Row
from port.report.charts import LIGHT
from port.report.ratio_chart import draw_ratios, places_of, section
from port.report.tree import FAIL, LEFT_OUT, NOTED, PASSED, as_json, explained, named, parted, tree_data


def sites(data):
    """(stage, site, state) of every row, put together again from the lists."""
    for stage, step, name, state, *_ in data["rows"]:
        label, site = data["steps"][step][0], data["names"][name][0]
        yield data["stages"][stage], site if label == "weights" else f"{label}/{site}", state


def test_every_row_and_every_site_left_out_is_there():
    stages = made_stages(note="a note")
    expected = [(name, row.site, FAIL if row.reason else NOTED if row.note else PASSED)
                for name, stage in stages.items() for row in stage.rows]  # fmt: skip
    expected += [(name, site, LEFT_OUT) for name, stage in stages.items() for site, _ in stage.skipped]
    found = list(sites(json.loads(as_json(tree_data(stages)))))
    assert sorted(found) == sorted(expected) and {state for *_, state in found} == {FAIL, NOTED, PASSED, LEFT_OUT}


def test_names_are_listed_once():
    data = tree_data(made_stages())
    assert len(data["texts"]) <= 3 and len({tuple(name) for name in data["names"]}) == len(data["names"])


@pytest.mark.parametrize(
    ("site", "module", "call", "label"),
    [
        ("forward/body.0.conv:in0#3", "body.0.conv", 3, "input 0"),
        ("forward/body.conv:out.1@grad", "body.conv", 0, "gradient of output .1"),
        ("forward/body.conv:in1#2@grad", "body.conv", 2, "gradient of input 1"),
        ("parameters/body.conv.weight@grad", "body.conv", 0, "gradient of weight"),
        ("step.03/body.conv.bias@update", "body.conv", 0, "update of bias"),
        ("step.03/loss", "", 0, "loss"),
        ("step.00/conv.bias@lr", "conv", 0, "learning rate of bias"),
        ("end/output.sum", "", 0, "output.sum"),
        ("body.norm.weight", "body.norm", 0, "weight"),
        ("bwd.05/resblocks.main.2:out", "resblocks.main.2", 0, "output"),
        ("flows/flows_forward", "", 0, "flows_forward"),
        ("step.00/a.b@buffer", "a", 0, "b (buffer)"),
        ("forward/:out", "", 0, "output"),
    ],
)
def test_sites_in_words(site, module, call, label):
    step, name = parted(site)
    flat = step.startswith("step.") or step in ("parameters", "weights")
    assert named(name, flat) == (module, call, label)


def test_steps_in_words():
    assert explained("step.02") == "optimiser step 2, counted from 0"
    assert "frame 5" in explained("bwd.05") and explained("made.up") == ""


def test_numbers_that_json_has_none_for():
    stage = Stage("forward", "", rows=[Row(0, "forward/a:out", "output", "a", math.nan, None, math.inf)])
    assert json.loads(as_json(tree_data({"forward": stage})))["rows"][0][4:6] == ["NaN", "Infinity"]


def test_data_cannot_end_its_element():
    text = as_json({"a": "</script><!--&"})
    assert not set("<>&") & set(text) and json.loads(text) == {"a": "</script><!--&"}


def test_places_follow_the_run():
    places = places_of(made_stages())
    kinds = [section(site) for site in places]
    order = list(dict.fromkeys(kinds))
    assert order == ["forward", "backward", "step.00", "step.01", "step.02"] and len(places) == len(
        set(places.values())
    )
    assert sorted(kinds, key=order.index) == kinds
    assert list(places)[:2] == ["forward/conv:in0", "forward/conv:out"]


def test_chart_of_any_stages():
    healthy, wrong = (draw_ratios(made_stages(name), 8, LIGHT, None) for name in (None, WRONG))
    assert healthy[:4] == wrong[:4] == b"\x89PNG" and healthy != wrong
    blind = Stage("forward", "", rows=[Row(0, "forward/a:out", "output", "a", reason="missing in the port")])
    endless = Stage("accumulated", "", rows=[Row(0, "forward/a:out", "output", "a", 1.0, 1.0, math.inf, reason="errs")])
    assert draw_ratios({"forward": blind}, 8, LIGHT) is None is draw_ratios({}, 8, LIGHT)
    assert draw_ratios({"forward": blind, "accumulated": endless}, 8, LIGHT)[:4] == b"\x89PNG"
