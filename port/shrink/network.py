"""A root cause that lies between modules, in the loss or the optimiser: the whole network, fed with the reference's values.

The folder's scripts run the passes of the toolkit that the stage is judged by, and look at the sites of this cause only.
"""

from collections.abc import Callable
from pathlib import Path

from port.errors import PARITY_FAILED, PortError
from port.parity.selection import STAGES
from port.shrink.alone import Recipe
from port.shrink.folder import copy_pair, size, start, write_about, write_scripts
from port.shrink.keep import write_arrays

SCRIPTS = {"shrunk.py": "shrunk", "run_torch.py": "network_torch", "run_mindspore.py": "network_mindspore",
           "check.py": "network_check"}  # fmt: skip
ADDED = """

# ---- added by `port shrink`: the stored inputs in place of the pair's own
{steps}

def inputs():
    from pathlib import Path

    from safetensors.numpy import load_file

    stored = load_file(Path(__file__).with_name("inputs.safetensors"))
    return tuple(stored[str(i)] for i in range(len(stored)))
"""


def make_with_network(folder: Path, kept, say: Callable[[str], None]) -> Recipe:
    """Fill the folder. Raises PortError where the error does not come again."""
    network = kept.network
    if kept.about["network_too_large"] or not network:
        raise PortError(
            f"root cause {kept.number} can only be shown by the whole network, and that was too large to be kept: "
            f"{'; '.join(kept.about['network_too_large']) or 'nothing was kept'}. Verify with smaller inputs."
        )
    steps, sites = of_few_steps(kept.about)
    copy_pair(folder, kept, ADDED.format(steps=f"STEPS = {steps}\n" if steps else ""))
    write_scripts(folder, SCRIPTS)
    weights = {name.removeprefix("weight/"): array for name, array in network.items() if name.startswith("weight/")}
    inputs = {name.removeprefix("input/"): array for name, array in network.items() if name.startswith("input/")}
    write_arrays(folder / "weights.safetensors", weights)
    stage = kept.about["stage"]
    write_about(
        folder, module=kept.about["module"], port_module=kept.about["port_module"], stage=stage, sites=sites,
        passes={"torch": STAGES[stage][1], "ms": STAGES[stage][2]}, paths=kept.about["paths"],
    )  # fmt: skip
    expected = {name.removeprefix("value/"): a for name, a in kept.arrays.items() if name.startswith("value/")}
    if expected:
        write_arrays(folder / "expected.safetensors", expected)
    for cut in filter(None, (first_of_the_batch(inputs), inputs)):
        say(f"running the whole network on {size(cut)} bytes of inputs")
        write_arrays(folder / "inputs.safetensors", cut)
        process = start(folder, "check.py")
        said, complaint = process.communicate()
        if process.returncode == PARITY_FAILED and "FAULT" in said:
            changes = [f"input {i} {list(inputs[i].shape)} to {list(a.shape)}" for i, a in cut.items()
                       if a.shape != inputs[i].shape]  # fmt: skip
            return Recipe(False, size(cut) + size(weights), size(network), changes)
    raise PortError(
        f"root cause {kept.number} ({kept.about['telling_site']}) does not come again in a run of its own: "
        f"{(said or complaint).strip().splitlines()[-1] if said or complaint else 'no output'}."
    )


def of_few_steps(about) -> tuple[int, list[str]]:
    """(optimiser steps up to the first wrong one, the cause's sites up to there); 0 steps where there is no training."""
    sites = list(dict.fromkeys([about["telling_site"], about["site"], *about["all_sites"]]))
    steps = [int(site.partition("/")[0].removeprefix("step.")) for site in sites if site.startswith("step.")]
    if about["stage"] != "training" or not steps:
        return 0, sites
    last = min(steps)
    return last + 1, [site for site, step in zip(sites, steps, strict=True) if step <= last]


def first_of_the_batch(inputs):
    """The first element where all inputs share a first axis longer than one, else None."""
    lengths = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
    if len(lengths) != 1 or lengths <= {0, 1}:
        return None
    return {name: array[:1] for name, array in inputs.items()}
