"""What a port's modules are called among the sites, from the map of weights alone."""

from port.weights.mapping import Entry, WeightMap
from port.weights.site_names import site_names


def weight_map(**port_names):
    """A map of tensors of one element. port_names: the reference's names with `__` for dots -> the port's"""
    names = {torch.replace("__", "."): port for torch, port in port_names.items()}
    return WeightMap([Entry((torch,), (port,), ((1,),), ((1,),)) for torch, port in names.items()])


def test_modules_go_by_the_parameters_they_hold():
    found = site_names(
        ["head", "head.0", "act"], weight_map(head__weight="head.0.weight", head__bias="head.0.bias"), {}
    )
    assert found == {"head.0": "head", "act": "act"}, "the list itself is nobody's partner"


def test_what_wraps_the_whole_network_is_taken_off_modules_without_parameters_too():
    weights = weight_map(stem__weight="net.stem.weight", norm__running_mean="net.norm.moving_mean")
    found = site_names(["net", "net.stem", "net.norm", "net.act"], weights, {})
    assert found == {"net.stem": "stem", "net.norm": "norm", "net.act": "act"}


def test_names_that_agree_stay():
    modules = ["stem", "stem.conv", "act"]
    weights = weight_map(stem__conv__weight="stem.conv.weight")
    assert site_names(modules, weights, {}) == dict(zip(modules, modules, strict=True))


def test_the_pairs_own_table_comes_first():
    found = site_names(["a", "b"], weight_map(x__weight="a.weight"), {"a": "y", "b": "z"})
    assert found == {"a": "y", "b": "z"}


def test_a_module_inside_another_keeps_its_name_where_the_reference_holds_the_tensor_itself():
    weights = weight_map(
        attention__in_proj_weight="attention.in_proj.weight", attention__out__weight="attention.out.weight"
    )
    modules = ["attention", "attention.in_proj", "attention.out"]
    assert site_names(modules, weights, {}) == dict(zip(modules, modules, strict=True))


def test_two_modules_of_the_port_never_share_one_name():
    weights = weight_map(body__weight="first.weight", body__bias="second.bias")
    assert site_names(["first", "second"], weights, {}) == {"first": "first", "second": "second"}
