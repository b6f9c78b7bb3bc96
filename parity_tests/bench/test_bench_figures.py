"""Ratios, fits, goals, the order of a plan and operations, from made-up figures and by hand. Nothing here takes a time."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from port.bench import plan
from port.bench.convolutions import Convolution, Record, operations, together
from port.bench.figures import find, fit, growth, ratio, series, spread
from port.bench.goals import GIB, GOALS, STATED, judge
from port.bench.plan import Options, estimate, make_plan
from port.bench.result import floors_differ, summed_up, used
from port.bench.worker import floor
from port.errors import PortError
from port.report.bench_chart import draw_bench
from port.report.bench_report import markdown, write_bench_report
from port.weights.ttvsr import TTVSRConfig

OFFICIAL = TTVSRConfig(64, 60)


def row(name, seconds, frames=10, size=(180, 320), peak=1.0, **more):
    """'torch network main' with a second for every round, and a peak in GiB"""
    framework, subject, place = name.split(" ")
    about = {"framework": framework, "subject": subject, "place": place, "frames": frames}
    about |= {"height": size[0], "width": size[1], "seconds": seconds, "peaks": [int(peak * GIB)] * len(seconds)}
    return {**about, "backend": {"framework": framework, "version": "1", "device": "cpu"}, **more}


def every_row():
    """A run with --full in which every goal is just reached; rounds of which each is slower than the last."""
    return [
        row("torch network main", [1.15, 2.3, 4.6]),
        row("torch plain main", [1.61, 3.22, 6.44]),
        row("torch floor main", [1.0, 2.0, 4.0], operations=8 * 10**9, calls=7, kinds=3),
        row("mindspore network main", [3.75, 7.5, 15.0]),
        row("mindspore floor main", [3.0, 6.0, 12.0], operations=8 * 10**9, calls=7, kinds=3),
        row("torch network small", [1.0, 2.0], size=(144, 176)),
        row("torch plain small", [1.2, 2.4], size=(144, 176)),
        row("torch fast main", [1.15, 2.3, 4.6], ways=["winograd"]),
        row("torch half main", [0.383, 0.766, 1.53], ways=["bfloat16"]),
        row("torch half-floor main", [0.3, 0.6, 1.2], ways=["bfloat16"], operations=8 * 10**9, calls=7, kinds=3),
        row("torch fast small", [1.0, 2.0], size=(144, 176), ways=["winograd"]),
        row("torch network growth", [0.5], frames=2),
        row("torch training training", [1.5], frames=4, size=(64, 64), batch=1),
        row("torch training-floor training", [1.0], frames=4, size=(64, 64), operations=5, calls=1, kinds=1),
        row("mindspore training training", [2.5], frames=4, size=(64, 64), batch=1),
        row("mindspore training-floor training", [2.0], frames=4, size=(64, 64), operations=5, calls=1, kinds=1),
        row("torch network full", [26.4], frames=100, peak=6.0),
        row("mindspore network full", [86.2], frames=100, peak=6.0),
        row("torch plain full", [50.0], frames=100, peak=12.0),
        {"framework": "torch", "subject": "peak", "place": "main", "side": 8, "seconds": [1.0], "peaks": [1], "matmul": 9e9,
         "convolution": 16e9},
        {"framework": "both", "subject": "conversion", "place": "once", "frames": 1, "seconds": [1.0], "peaks": []},
    ]  # fmt: skip


ON_A_CARD = "torch half full"


def on_a_card(rows):
    """The reference's rows as of a graphics card; 100 frames in 16 bits among them."""
    rows = [*rows, row(ON_A_CARD, [1.0], frames=100)]
    for own in rows:
        if own["framework"] == "torch" and "backend" in own:
            own["backend"] = {**own["backend"], "device": "cuda"}
    return rows


def changed(name, **values):
    rows = every_row()
    find(rows, *name.split(" ")).update(values)
    return rows


def missed(rows, official=True):
    return [goal["title"] for goal in judge(rows, official) if goal["reached"] is False]


# ------------------------------------------------------------------------------------------------------------- ratios


def test_a_ratio_is_taken_within_rounds():
    """The machine becomes four times slower here and one round is disturbed; the median of the ratios stands still."""
    rows = changed("torch network main", seconds=[1.15, 2.3, 46.0])
    found = ratio(rows, ["torch network main"], ["torch floor main"])
    assert (found.median, found.lowest, found.highest, found.rounds) == pytest.approx((1.15, 1.15, 11.5, 3))


def test_a_product_of_series_and_a_quantity_alone():
    over, under = ["mindspore network main", "torch floor main"], ["torch plain main", "mindspore floor main"]
    assert ratio(every_row(), over, under).median == pytest.approx(3.75 * 1.0 / (1.61 * 3.0))
    assert ratio(every_row(), ["both conversion once"], []).median == 1.0


def test_a_round_that_was_not_finished_is_left_out():
    """Ctrl-C in the third: its first turn has no second to be divided by, and must not change what the others say."""
    rows = changed("torch floor main", seconds=[1.0, 2.0])
    found = ratio(rows, ["torch network main"], ["torch floor main"])
    assert (found.lowest, found.highest, found.rounds) == pytest.approx((1.15, 1.15, 2))


def test_measured_once_beside_measured_often():
    """26.4 s for 100 frames, once, by 2.3 s for 10, the median of three."""
    found = ratio(every_row(), ["torch network full"], ["torch network main"], "seconds_per_frame")
    assert (found.median, found.rounds) == (pytest.approx(0.264 / 0.23), 1)


def test_what_is_not_known_has_no_ratio():
    rows = every_row()
    assert ratio(rows, ["torch network absent"], ["torch floor main"]) is None
    find(rows, "torch", "network", "full")["peaks"] = [None]
    assert series(rows, "torch network full", "peak_bytes") is None
    assert spread([3.0, 1.0, 2.0]).median == 2.0


# --------------------------------------------------------------------------------------------------------------- fits


def test_a_line_and_a_quadratic():
    frames = [2, 5, 10, 100]
    line = fit(frames, [3 + 2 * t for t in frames])
    assert line["line"]["coefficients"] == pytest.approx([3, 2]) and line["line"]["largest_deviation"] < 1e-9
    assert line["per_frame_longest_by_shortest"] == pytest.approx((203 / 100) / (7 / 2))
    bent = fit(frames, [3 + 2 * t + 0.5 * t * t for t in frames])
    assert bent["quadratic"]["coefficients"] == pytest.approx([3, 2, 0.5]) and bent["line"]["largest_deviation"] > 1
    assert "quadratic" not in fit(frames[:3], [1, 2, 3]) and fit([10, 10], [1, 2]) is None


def test_growth_is_that_of_one_framework_at_one_size():
    found = growth(every_row(), "torch")
    assert found["frames"] == [2, 10, 100] and found["seconds"] == [0.5, 2.3, 26.4]


# -------------------------------------------------------------------------------------------------------------- goals


def test_all_goals_just_reached():
    found = judge(every_row(), official=True)
    reached = [goal for goal in found if goal["reached"] is True]
    assert len(found) == len(GOALS) and len(reached) == len(GOALS) - 1, missed(every_row())
    assert [goal["reached"] for goal in found if "graphics card" in goal["title"]] == [None]


def test_goals_hold_for_their_device_alone():
    """On a card its own goal and those of the port alone, on its CPU; no ratio across the two."""
    found = judge(on_a_card(every_row()), official=True)
    decided = [goal for goal in found if goal["reached"] is not None]
    assert all(goal["reached"] for goal in decided)
    names = {name for goal in decided for name in (*goal["over"], *goal["under"])}
    assert ON_A_CARD in names and {name.split(" ")[0] for name in names - {ON_A_CARD}} == {"mindspore", "both"}
    across = [goal for goal in judge(on_a_card(every_row()), True, STATED) if "ms_model by" in goal["title"]]
    assert across and {goal["value"] is None for goal in across} == {True}
    slow = on_a_card(every_row())
    find(slow, "torch", "half", "full")["seconds"] = [1.01]
    assert missed(slow) == ["torch_ref in bfloat16 on a graphics card, 100 frames of 320x180"]


@pytest.mark.parametrize(
    ("name", "seconds", "says"),
    [
        ("torch network main", [1.17, 2.4, 4.8], "torch_ref, network by its own convolutions"),
        ("torch plain main", [1.6, 3.2, 6.4], "320x180"),
        ("torch plain small", [1.19, 2.38], "176x144"),
        ("torch half main", [0.384, 0.767, 1.54], "float32 by bfloat16"),
        ("mindspore network main", [3.76, 7.52, 15.04], "ms_model, network by its own convolutions"),
        ("mindspore network main", [9.0, 18.0, 36.0], "ms_model by plain transcription"),
        ("torch network full", [26.5], "torch_ref, seconds per frame"),
        ("mindspore network full", [86.3], "ms_model, seconds per frame"),
        ("mindspore training training", [2.51], "training iteration"),
        ("both conversion once", [1.01], "conversion"),
    ],
)
def test_a_missed_goal(name, seconds, says):
    found = missed(changed(name, seconds=seconds))
    assert any(says in title for title in found), found


def test_missed_goals_of_memory():
    assert [title[:21] for title in missed(changed("torch network full", peaks=[int(6.1 * GIB)]))] == [
        "torch_ref, peak memor"
    ] * 2
    assert len(missed(changed("torch plain full", peaks=[int(11.9 * GIB)]))) == 2


def test_goals_hold_for_their_clip_and_network_alone():
    rows = changed("torch plain main", seconds=[1.0, 2.0, 4.0])
    assert any("320x180" in title for title in missed(rows))
    for own in rows:
        own.update({"height": 64} if own.get("place") == "main" else {})
    assert not any("320x180" in title for title in missed(rows))
    slow = changed("torch network full", seconds=[99.0])
    find(slow, "torch", "network", "main")["frames"] = 4  # then it is not 100 by 10 frames
    assert not any("torch_ref, seconds per frame" in title for title in missed(slow))
    assert missed(changed("both conversion once", seconds=[9.0]), official=False) == []
    for name in ("torch network main", "mindspore network main", "mindspore training training"):
        rows = changed(name, seconds=[99.0] * 3)
        of_ours = {goal["title"] for goal in judge(rows, True) if name in goal["over"] and goal["reached"] is False}
        find(rows, *name.split(" "))["width"] = 65
        assert of_ours and not of_ours & set(missed(rows))


def test_goals_of_a_cpu_are_set_for_two_cores(monkeypatch):
    slow = changed("torch network main", seconds=[99.0] * 3)
    assert [goal["reached"] for goal in judge(slow, True, GOALS, 16) if goal["reached"] is not None] == []
    fast = [goal["reached"] for goal in judge(on_a_card(every_row()), True, GOALS, 16) if goal["reached"] is not None]
    assert fast == [True]  # the card's own
    assert missed(slow) != []
    monkeypatch.setattr("port.bench.result.cores", lambda: 16)
    found = result(slow)
    assert found["reached"] and "No goal was judged: they are set for" in markdown(found, None)


def test_what_was_not_measured_is_not_reached():
    found = judge([own for own in every_row() if own["subject"] != "plain"], official=True)
    assert {goal["reached"] for goal in found if "plain" in goal["title"]} == {None}


# --------------------------------------------------------------------------------------------------------- operations


def test_operations_by_hand():
    """A 3x3 convolution of 2 to 4 channels on two pictures of 5x6: 2 * 4 * 30 values of 2 * 9 products each."""
    one = Convolution((4, 2, 3, 3), (2, 2, 5, 6), padding=(1, 1))
    assert one.output == (2, 4, 5, 6) and one.multiply_adds == 2 * 4 * 30 * 18 == 4320
    assert operations({one: 3}) == 2 * 3 * 4320 and operations({one: 3}, back=True) == 3 * 2 * 3 * 4320
    frames = replace(one, weight=(4, 3, 3, 3), input=(2, 3, 5, 6))  # no gradient for the frames themselves
    assert operations({frames: 1}, back=True) == 2 * operations({frames: 1})
    strided = Convolution((6, 1, 3, 5), (1, 2, 9, 11), stride=(2, 3), padding=(1, 0))
    assert strided.output == (1, 6, 5, 3) and strided.groups == 2 and strided.multiply_adds == 6 * 15 * 15


def test_a_floor_counts_every_call():
    """Made-up times: each kind is timed a few calls together, and counted as often as it was called."""
    small, chained = Convolution((4, 2, 1, 1), (1, 2, 3, 3)), Convolution((2, 2, 1, 1), (1, 2, 3, 3))
    asked = []

    def timed(one, times):
        asked.append((one, times))
        return times * (0.5 if one is small else 0.25)

    found = floor({small: 3, chained: 120}, timed)
    assert found["seconds"] == 3 * 0.5 + 120 * 0.25 and found["calls"] == 123 and found["kinds"] == 2
    assert set(asked) == {(small, 3), (chained, 8)} and chained.chained and not small.chained
    assert together(Convolution((64, 64, 3, 3), (1, 64, 720, 1280), padding=(1, 1)), 100) == 1  # 236 MB each


def test_a_dilated_convolution_is_refused():
    with pytest.raises(PortError, match="dilation"):
        Record().add((1, 1, 3, 3), (1, 1, 8, 8), (1, 1), (0, 0), (2, 2), "float32")


def test_the_share_of_the_peak():
    found = used(every_row(), "torch")
    assert found["best"] == {"framework": "torch", "kind": "convolution", "per_second": 16e9}
    shares = found["places"]["main"]["shares"]
    assert set(shares) == {"network", "fast", "plain", "floor"}  # not those in 16 bits: the peak is float32's
    assert shares["network"] == pytest.approx(8 / 2.3 / 16) and shares["floor"] == pytest.approx(8 / 2 / 16)
    trained = found["places"]["training"]
    assert trained["operations"] == 5 and trained["shares"]["training"] == pytest.approx(5e-9 / 1.5 / 16)
    assert set(found["places"]) == {"main", "training"}  # the others have no floor here
    assert used(every_row(), "mindspore") is None  # its peak was not measured


def test_the_peak_is_the_machine_s():
    """MindSpore's own best is lower on the same cores; a card's is another device's."""
    slower = {"framework": "mindspore", "subject": "peak", "place": "main", "side": 8, "seconds": [1.0], "peaks": [1],
              "matmul": 7e9, "convolution": 5e9}  # fmt: skip
    rows = [*every_row(), slower]
    found = used(rows, "mindspore")
    assert found["best"]["framework"] == "torch" and found["matmul_per_second"] == 7e9
    assert found["places"]["main"]["shares"]["network"] == pytest.approx(8 / 7.5 / 16)
    find(rows, "torch", "peak", "main")["backend"] = {"device": "cuda"}
    assert used(rows, "mindspore")["best"] == {"framework": "mindspore", "kind": "matmul", "per_second": 7e9}


def test_floors_that_differ_are_told():
    assert floors_differ(every_row()) == ""
    for name in ("mindspore floor main", "mindspore training-floor training"):
        assert "misses some" in floors_differ(changed(name, operations=7))
    assert "can be relied on: the floor" in markdown(result(changed("mindspore floor main", operations=7)), None)
    rows = changed("torch floor main", operations=7)
    for own in rows:
        if own["framework"] == "torch":
            own["backend"] = {"framework": "torch", "device": "cuda"}
    assert floors_differ(rows) == ""  # the card enlarges whole frames, the port on its CPU bands of them


# ---------------------------------------------------------------------------------------------------------------- plan


def test_rounds_alternate_after_everyone_has_warmed_up():
    steps = [step for step in make_plan(Options(rounds=2)) if step.place == "main" and step.subject != "peak"]
    turns = [(step.framework, step.subject) for step in steps]
    exact = [turn for turn in plan.TURNS if turn[1] not in ("fast", "half", "half-floor")]
    assert turns == exact * 3 and [step.counted for step in steps] == [False] * 5 + [True] * 10
    lengths = {step.worker[:2]: step.request["frames"] for step in steps if not step.counted}
    assert lengths[("torch", "network")] == 2 and lengths[("mindspore", "network")] == 10  # its graphs are of one shape


def test_who_makes_something_ready_for_a_clip_warms_up_on_it():
    """Graphs of one length, and a device of its own, which is given other batches of a longer clip."""

    def warm_ups(**options):
        steps = make_plan(Options(**options))
        return {(step.subject, step.place): step.request["frames"] for step in steps if not step.counted}

    usual = warm_ups(frameworks=("torch",), fast={"torch": ("winograd",)}, half=True)
    assert {usual[name, "main"] for name in ("network", "fast", "half", "plain")} == {2}
    compiled = warm_ups(frameworks=("torch",), fast={"torch": ("compile",)})
    assert (compiled["fast", "main"], compiled["network", "main"]) == (10, 2)
    launched = warm_ups(frameworks=("torch",), fast={"torch": ("tf32",)}, half=True, full=True, launched=("torch",))
    assert {launched[name, "main"] for name in ("network", "fast", "half", "plain")} == {10}
    assert {frames for (_, place), frames in launched.items() if place == "full"} == {100}


def test_fast_ways_take_turns_beside_the_exact_ones():
    ways = {"torch": ("channels_last",), "mindspore": ()}
    chosen = make_plan(Options(rounds=1, fast=ways, half=True))
    steps = [step for step in chosen if step.place == "main" and step.subject != "peak"]
    turns = [(step.framework, step.subject) for step in steps if step.counted]
    assert turns == [turn for turn in plan.TURNS if turn != ("mindspore", "fast")]
    small = {step.worker[:2] for step in make_plan(Options(fast=ways)) if step.place == "small"}
    assert small == {("torch", "network"), ("torch", "fast"), ("torch", "plain"), ("torch", "floor")}


def test_16_bits_are_measured_on_the_main_clip_where_there_are_units_for_them():
    for half in (False, True):
        for subject in ("half", "half-floor"):
            places = {step.place for step in make_plan(Options(half=half)) if step.subject == subject}
            assert places == ({"main"} if half else set())
    assert {step.subject for step in make_plan(Options(half=True, only=("half",)))} == {"half", "half-floor"}


def test_what_is_left_out():
    chosen = make_plan(Options(only=("network",), frameworks=("torch",), small=False))
    assert {step.worker[:2] for step in chosen} == {("torch", "network")}
    assert {step.subject for step in make_plan(Options(only=("training",)))} == {"training", "training-floor"}
    assert estimate(chosen, 1.0) < estimate(make_plan(Options()), 1.0) < estimate(make_plan(Options(full=True)), 1.0)


def test_a_full_clip_is_measured_in_new_processes():
    full = [step for step in make_plan(Options(full=True)) if step.place == "full"]
    others = {step.worker for step in make_plan(Options())}
    assert [step.request["frames"] for step in full if step.counted] == [100] * 4
    assert {step.worker[:2] for step in full if step.subject == "floor"} == {("torch", "floor")}
    assert not {step.worker for step in full} & others  # the peak is that of these frames


def test_100_frames_are_measured_in_rounds_where_they_take_seconds():
    """The card's in all ways; the port's on the CPU once, as ever."""
    options = Options(full=True, half=True, launched=("torch",), fast={"torch": ("tf32",)}, rounds=3)
    full = [step for step in make_plan(options) if step.place == "full" and step.counted]
    assert Counter((step.framework, step.subject) for step in full) == {
        **dict.fromkeys([("torch", name) for name in ("network", "fast", "half", "plain", "floor", "half-floor")], 3),
        ("mindspore", "network"): 1,
    }  # fmt: skip
    assert [step.subject for step in full[-6:]] == [step.subject for step in full[-12:-6]]  # they take turns


# -------------------------------------------------------------------------------------------------------------- report


def result(rows):
    more = {"weights": "a|b.pth", "stopped": "", "seconds": 1.0, "created": "now", "command": "python -m port bench"}
    return {**summed_up(rows, OFFICIAL, {"seconds": 60.0, "command": "pytest", "passed": True}), **more}


def test_the_page(tmp_path):
    write_bench_report(tmp_path / "bench.md", result(every_row()))
    page = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert (
        f"{len(GOALS) - 1} of {len(GOALS) - 1} goals" in page
        and "![Seconds per frame](bench.png)" in page
        and "a\\|b.pth" in page
    )
    assert "| torch_ref, network by its own convolutions | 1.15 | at most 1.15 | reached |" in page
    assert "2.3 (1.15 .. 4.6)" in page and "took 60 s and passed" in page
    assert "22% of 16 G/s" in page and "shares refer to PyTorch's large convolution" in page
    assert "| whole network, --fast winograd |" in page and "| its convolutions alone, --fast bfloat16 |" in page
    assert "Winograd's algorithm" in page and "| 4 of 64x64 | training iteration |" in page
    assert (tmp_path / "bench.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["reached"] is True
    worse = markdown(result(changed("torch network main", seconds=[9.0, 9.0, 9.0])), None)
    assert "missed" in worse and "Seconds per frame](" not in worse


def test_no_chart_without_a_network():
    networks = ("network", "fast", "half", "plain")
    assert draw_bench(result([own for own in every_row() if own["subject"] not in networks])) is None
