"""What is handed to a diagnosis, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Evidence:
    """One site that is wrong although everything it was computed from is right.

    stage            "forward", "backward" or "training"
    kind             "output", "input", "value", "decision", "gradient" (of a value), "parameter_gradient", "buffer",
                     "loss", "lr", "grad_norm", "update" (parameter after an optimiser step minus before)
    module           name of the module to blame; "" for the network itself or what lies between modules
    module_type      class name in the reference, for example "Conv2d"; "" if there is none
    description      the reference module's repr, one line: Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    inputs           what the module was given in that call, in the reference: the port was given the very same values
    parameters       tensors of the module in the reference by their last name: weight, bias, running_mean, ...
    port_parameters  the same as the port holds them (renamed to the reference's names); missing ones left out
    reference, port  the two values; shapes and types may differ; None where one side has no such site
    truth            the value in float64 from the same inputs, None where it was not computed
    context          more where it is known:
                     gradient, parameter_gradient: "output_gradient" (array handed to the module from behind)
                     update: "gradient", "parameter" (before the step), "step" (int from 0), "lr" (float),
                             "optimizer" (repr of the reference's), "history": list of (gradient, reference update,
                             port update) from step 0 on, "moves" (bool, whether the reference's changes at any step)
    """

    stage: str
    kind: str
    site: str
    module: str = ""
    module_type: str = ""
    description: str = ""
    inputs: Sequence[np.ndarray] = ()
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    port_parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    reference: np.ndarray | None = None
    port: np.ndarray | None = None
    truth: np.ndarray | None = None
    context: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One explanation.

    label       one of `labels.LABELS`
    says        a sentence with the figures: what it looks like
    suggestion  the line that would mend it, in terms of MindSpore's API
    explained   share of the difference (its rms) that the explanation accounts for, 0 to 1
    rows        entries of the porting catalogue it belongs to
    """

    label: str
    says: str
    suggestion: str
    explained: float
    rows: tuple[int, ...] = ()
