"""What a report keeps of its root causes, so that each can be reproduced later: causes/N.json and causes/N.safetensors.

causes/N.json           the root cause as in report.json, how it can be called alone, and what was too large to be kept
causes/N.safetensors    arrays of the module's call:
                          argument/KEY, output_gradient/PATH   what it was given, from both sides
                          weight/NAME, port_weight/NAME        parameters of the reference, and of the port where they differ
                          value/reference, value/port, value/truth   the site that is wrong, and what float64 gives there
causes/network.safetensors   weight/NAME, input/I              the whole network's weights and inputs
causes/code/            the pair as it was verified, as pair.py, files beside it that it imports, and its map of weights
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from port.errors import PortError
from port.files import make_folder, whole_file, write_json
from port.parity.call import arguments_of
from port.parity.causes import Cause
from port.parity.pair import load_pair
from port.parity.pair_verify import Compared
from port.parity.recorder import GRADIENT
from port.parity.trace import Trace
from port.processes import ROOT
from port.shrink.siblings import copy_map, copy_with_siblings
from port.weights import tensors_file

FOLDER, CODE = "causes", "code"
LARGEST, LARGEST_CAUSE, LARGEST_NETWORK = (
    64 << 20,
    256 << 20,
    512 << 20,
)  # bytes of an array, of a cause, of the network
CALL = re.compile(r"(?P<label>[^/]+)/(?P<module>[^:]*):(?P<place>in|out)(?P<path>[^#@]*)(?:#(?P<nth>\d+))?(@grad)?")


def keep_causes(report: Path, compared: Compared, reference: Path, port: Path) -> None:
    """Write the evidence of every root cause into report/causes; what an earlier run left there is removed."""
    shutil.rmtree(report / FOLDER, ignore_errors=True)
    if not compared.causes:
        return
    folder = make_folder(report / FOLDER)
    first, forced = Trace(reference / "reference"), Trace(port / "forced")
    weights = tuple(
        tensors_file.load(path / "weights.safetensors").tensors for path in (reference / "reference", port / "forced")
    )
    shared = keep_network(folder, str(forced.about["pair"]), weights[0])
    for number, cause in enumerate(compared.causes, 1):
        others = [other.module for other in compared.causes if other is not cause]
        about, arrays = evidence_of(cause, first, forced, weights, others)
        about["too_large"] = drop_large(arrays, LARGEST, LARGEST_CAUSE)
        write_arrays(folder / f"{number}.safetensors", arrays)
        write_json(folder / f"{number}.json", {**cause.as_dict(), **shared, **about})


def keep_network(folder: Path, spec: str, weights: Mapping[str, np.ndarray]) -> dict[str, object]:
    """The pair's file, its inputs and the reference's weights. -> what is said of them in every cause"""
    path = Path(spec).resolve()
    about = {"pair": str(path), "paths": list(dict.fromkeys([str(Path.cwd()), str(ROOT)])), "network_too_large": []}
    try:
        pair = load_pair(spec)
        about["imports"] = copy_with_siblings(path, make_folder(folder / CODE))
        copy_map(pair.map_file, folder / CODE)
    except PortError:  # traces compared on another machine: the pair is not here
        return {**about, "pair": None, "imports": {}}
    if about["imports"]["referenced"]:
        about["paths"].append(str(path.parent))
    arrays = {f"weight/{name}": array for name, array in weights.items()}
    arrays |= {f"input/{i}": array for i, array in enumerate(pair.inputs)}
    about["network_bytes"] = sum(array.nbytes for array in arrays.values())
    about["network_too_large"] = drop_large(arrays, LARGEST_NETWORK, LARGEST_NETWORK)
    write_arrays(folder / "network.safetensors", arrays)
    return about


def evidence_of(cause: Cause, first: Trace, forced: Trace, weights: tuple, others: list[str]):
    """-> (about, arrays) of one root cause. about["call"] is None where its module cannot be called alone.

    others  modules of the other causes: a module around one of them would show both
    """
    row = cause.telling
    about = {"telling_site": row.site, "all_sites": [row.site for row in cause.rows][:200], "kind": None, "call": None}
    held = cause.evidence
    arrays = {
        f"value/{name}": array
        for name, array in (("reference", held.reference), ("port", held.port), ("truth", held.truth))
        if array is not None
    }
    inside = [name for name in weights[0] if name.startswith(f"{cause.module}.")]
    arrays |= {f"weight/{name}": weights[0][name] for name in inside}
    arrays |= {f"port_weight/{name}": weights[1][name] for name in inside
               if name in weights[1] and weights[1][name].tobytes() != weights[0][name].tobytes()}  # fmt: skip
    names = forced.about.get("names", {})
    about["names"] = {name: other for name, other in names.items() if other in inside}
    back = {module: name for name, module in forced.about.get("sites_table", {}).items()}
    about["port_module"] = back.get(cause.module, cause.module)
    if not cause.module or any(name.startswith(f"{cause.module}.") or name == cause.module for name in others):
        return about, arrays
    if cause.stage == "weights":
        return {**about, "kind": "weight"}, arrays
    kind, site = call_site(row.site, cause, first)
    if kind and (found := arguments_of(site, first)):
        tree, given = found
        return {**about, "kind": kind, "call": tree, "path": path_of(row.site)}, arrays | given
    return about, arrays


def call_site(site: str, cause: Cause, first: Trace) -> tuple[str | None, str]:
    """("forward" or "backward", a site of the call) where the wrong value is one that the module's call alone makes."""
    if site.startswith("parameters/"):
        calls = [name for name in first.sites if (m := CALL.fullmatch(name)) and m["module"] == cause.module
                 and m["place"] == "out" and not name.endswith(GRADIENT)]  # fmt: skip
        several = any("#" in name or name.partition("/")[0] != calls[0].partition("/")[0] for name in calls)
        return ("backward", calls[0]) if calls and not several else (None, site)
    match = CALL.fullmatch(site)
    if match is None or match["module"] != cause.module:
        return None, site
    wanted = {"forward": ("out", False), "backward": ("in", True)}.get(cause.stage)
    return (cause.stage if wanted == (match["place"], site.endswith(GRADIENT)) else None), site


def path_of(site: str) -> str:
    """The part of a site's name that says which value of the call it is: ".0" of an output, "in0", a parameter's name."""
    if site.startswith("parameters/"):
        return "parameter " + site.removeprefix("parameters/").removesuffix(GRADIENT)
    match = CALL.fullmatch(site)
    return match["path"] if match["place"] == "out" else f"in{match['path']}"


def drop_large(arrays: dict[str, np.ndarray], each: int, total: int) -> list[str]:
    """Take out what is too large, the largest first. -> what was taken out, in words"""
    dropped = []
    for name in sorted(arrays, key=lambda name: -arrays[name].nbytes):
        size = arrays[name].nbytes
        if size > each or sum(array.nbytes for array in arrays.values()) > total:
            dropped.append(f"{name} {list(arrays[name].shape)}: {size / 1e6:.0f} MB")
            del arrays[name]
    return dropped


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Whole or not at all."""
    with whole_file(path) as draft:
        save_file({name: np.array(array, order="C") for name, array in arrays.items()}, str(draft))
