"""A healthy pair passes every stage; every mistake turns the verdict, is named where it was made, and explained."""

import pytest

FIRST = "self.first(x.flatten(start_dim=1))"
ACT, POOL = "nn.LeakyReLU(0.1)\n            self.pool = nn.AvgPool2d(2, stride=2)", "nn.AvgPool2d(2, stride=2)"
RESULT = 'return {"sum": x + self.second(x), "parts": (x * 2, 3)}\n\n    return Net()'
CUT = "(__import__('mindspore').ops.stop_gradient(x) * 2, 3)"
NORM = "momentum=0.9)\n            self.act"
OPTIMIZER = "return nn.SGD(net.trainable_params()"

# name -> (text of the port, what is put in its place, module, stage, diagnosis)
MISTAKES = {
    "slope": (ACT, ACT.replace("0.1", ""), "act", "forward", "slope"),
    "epsilon": ("epsilon=1e-5", "epsilon=1e-3", "layer_norm", "forward", "epsilon"),
    "gelu": ("nn.GELU(approximate=False)", "nn.GELU()", "gelu", "forward", "gelu"),
    "pool": (POOL, "nn.AvgPool2d(2)", "pool", "forward", "shape"),
    "residual": (RESULT, RESULT.replace("x + self", "self"), "", "forward", None),
    "glue": (FIRST, "self.first((x * 1.5).flatten(start_dim=1))", "", "forward", "scale"),
    "half": (FIRST, f'{FIRST}.astype("float16").astype("float32")', "", "forward", "half_cast"),
    "momentum": (NORM, NORM.replace("0.9", "0.1"), "norm", "training", "momentum"),
    "rate": ("learning_rate=0.05", "learning_rate=0.06", "", "training", "learning_rate"),
    "frozen": (
        OPTIMIZER,
        f"net.second.weight.requires_grad = False\n    {OPTIMIZER}",
        "second",
        "training",
        "not_updated",
    ),
    "detached": (RESULT, RESULT.replace("(x * 2, 3)", CUT), "", "backward", None),
    "cut": (
        FIRST,
        f"self.first(__import__('mindspore').ops.stop_gradient({FIRST[11:-1]}))",
        "",
        "backward",
        "gradient_cut",
    ),
    "cut by asnumpy": (
        FIRST,
        f"self.first(__import__('mindspore').Tensor(({FIRST[11:-1]}).asnumpy()))",
        "",
        "backward",
        "gradient_cut",
    ),
}


def test_healthy_pair_passes_every_stage(verified):
    report = verified()
    assert report["verdict"] == "pass"
    assert report["root_causes"] == []
    assert list(report["stages"]) == [
        "weights",
        "forward",
        "backward",
        "accumulated",
        "training",
        "accumulated training",
    ]
    for name, stage in report["stages"].items():
        assert stage["verdict"] == "pass", name
        covered = report["coverage"]["stages"][name]
        assert covered["sites_compared"] == covered["sites_total"] - skipped(report, name)
    assert 0 < report["stages"]["forward"]["worst"]["error_ratio"] < 8  # two implementations, not one


def skipped(report, name):
    return sum(entry["count"] for entry in report["coverage"]["stages"][name]["skipped"])


def test_how_much_is_compared(verified):
    """8 modules in and out, outputs (three of them), loss; as many gradients; 12 parameters; four steps of training."""
    covered = verified()["coverage"]["stages"]
    assert covered["weights"]["sites_compared"] == 12
    assert covered["forward"]["sites_compared"] == 2 * 8 + 3 + 1
    assert covered["backward"]["sites_compared"] == 2 * 8 + 2 + 1 + 10
    assert covered["training"]["sites_compared"] >= 4 * (1 + 10 + 10 + 12)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_named_and_explained(name, verified):
    old, new, module, stage, diagnosis = MISTAKES[name]
    report = verified((old, new))
    assert report["verdict"] == "fail"
    assert [(cause["module"], cause["stage"]) for cause in report["root_causes"]] == [(module, stage)]
    if diagnosis:
        assert report["root_causes"][0]["diagnosis"] == diagnosis


def test_decay_spares_the_norms_and_names_the_rest(verified):
    """MindSpore leaves gamma and beta out of weight decay (catalogue 99): three modules move otherwise, two do not."""
    report = verified(("learning_rate=0.05, ", "learning_rate=0.05, weight_decay=0.1, "))
    found = [(cause["module"], cause["stage"], cause["diagnosis"]) for cause in report["root_causes"]]
    assert found == [(module, "training", "weight_decay") for module in ("conv", "first", "second")]


def test_two_mistakes_at_once_are_both_named(verified):
    report = verified(("epsilon=1e-5", "epsilon=1e-3"), ("learning_rate=0.05", "learning_rate=0.06"))
    found = {(cause["module"], cause["stage"], cause["diagnosis"]) for cause in report["root_causes"]}
    assert found == {("layer_norm", "forward", "epsilon"), ("", "training", "learning_rate")}


def test_what_a_pair_ignores_is_listed_and_not_compared(verified):
    act = "nn.LeakyReLU(0.1)\n            self.pool = nn.AvgPool2d(2, stride=2)"
    report = verified((act, act.replace("0.1", "")), ("\nimport numpy", '\nIGNORE = {"act": "known"}\nimport numpy'))
    assert report["verdict"] == "fail"  # what it computes still reaches the loss of a training step
    assert [(cause["module"], cause["stage"]) for cause in report["root_causes"]] == [("", "training")]
    assert report["stages"]["forward"]["verdict"] == report["stages"]["backward"]["verdict"] == "pass"
    (entry,) = report["coverage"]["stages"]["forward"]["skipped"]
    assert entry == {"reason": "known", "count": 2, "sites": ["forward/act:in0", "forward/act:out"]}


def test_activations_computed_again_on_the_way_back_are_no_mistake(verified):
    """A cell marked by `recompute()` holds another cell, and runs once more on the way back: neither is a site."""
    marked = "self.second = nn.Dense(32, 32)\n            self.conv.recompute()\n            self.first.recompute()\n"
    report = verified(("self.second = nn.Dense(32, 32)\n", marked))
    assert report["verdict"] == "pass" and report["stages"]["backward"]["compared"] == 29
