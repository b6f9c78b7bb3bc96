"""The rows of the porting catalogue, by number, and what the self-test does about each.

What is planted names its rows itself (`catalogue` of a fault). Here stands, in a few words of our own, what a row is about,
and for rows that no fault stands for why there is none.
"""

from collections.abc import Sequence

from port.selftest.fault import Fault

LOUD = "raises an error of its own, so it cannot be silent"
LOADED = "names and shapes at loading: pairs match weights by name and refuse what has no partner; parity_tests/weights"
OUTSIDE = "outside a pair of networks: data, metrics or files"
GAP = "a gap of this version's kernel, not a mistake of the port; listed as kernel_gap"
EQUAL = "both sides agree: among the harmless changes"
RANDOM = "two frameworks draw different random numbers from one seed, so nothing drawn can be compared"
TORCHVISION = "an operation of torchvision, which is not among the requirements: there is no reference to port"
ENGINE = "a trap for the capture itself: guarded and tested in parity_tests"

ROWS: dict[int, tuple[str, str]] = {
    1: ("a convolution pads where none was asked", ""), 2: ("same padding at stride two", ""), 3: ("bias off by default", ""),
    4: ("padding refused without its mode", LOUD), 5: ("functional convolution pads otherwise", ""), 6: ("weights of 1-d convolutions", LOADED),
    7: ("defaults of the transposed convolution", ""), 8: ("output padding filled with zeros", ""), 9: ("reflecting padding mode", ""),
    10: ("layout of dense weights", ""), 11: ("initial values of layers", "both sides agree, and what a network starts from is overwritten by the weights"), 12: ("keyword for groups", ""),
    13: ("offsets of deformable convolution", TORCHVISION), 14: ("momentum of running statistics", ""), 15: ("names of batch norm's tensors", ""),
    16: ("counter of batches", LOADED), 17: ("mode that a network starts in", ""), 18: ("epsilon of layer norm", ""), 19: ("names of layer norm's tensors", LOADED),
    20: ("instance norm", LOUD), 21: ("group norm", EQUAL + ": vision has one"), 22: ("local response norm", ""), 23: ("epsilon of a unit length", ""),
    24: ("batch statistics forced or forbidden", ""), 25: ("form of GELU", ""), 26: ("slope of leaky ReLU", ""), 27: ("slope at exactly zero", ""),
    28: ("tanh", GAP), 29: ("alpha of ELU", LOUD), 30: ("PReLU's parameter", ""), 31: ("dropout keeps or drops", ""), 32: ("dropout in evaluation", ""),
    33: ("random slopes", ""), 34: ("axis of the softmax", ""), 35: ("stride of pooling", ""), 36: ("padding of pooling", ""), 37: ("what a mean counts at the border", ""),
    38: ("1-d adaptive pooling", LOUD), 39: ("indices of 1-d adaptive maximum", LOUD), 40: ("stand-ins for adaptive pooling", ""), 41: ("softplus", ""),
    42: ("scale factor refused", LOUD), 43: ("scale factors that are not whole", ""), 44: ("bicubic kernel", ""), 45: ("bicubic, corners aligned", GAP),
    46: ("half-pixel rules of resizing", ""), 47: ("sampling at positions", ""), 48: ("halves in nearest sampling", ""), 49: ("convention of a warp's grid", ""),
    50: ("argument forms of unfold", ""), 51: ("fold and its overlaps", ""), 52: ("depth to space", ""), 53: ("space to depth", ""), 54: ("mirror with or without the edge", ""),
    55: ("order of paddings", ""), 56: ("channels last", LOUD), 57: ("aligned regions of interest", ""), 58: ("suppression of boxes", TORCHVISION),
    59: ("divisor of a deviation", ""), 60: ("what max returns", ""), 61: ("what median returns", ""), 62: ("order among equals", ""),
    63: ("places of the extreme", ""), 64: ("gather", ""), 65: ("first axis of flatten", ""), 66: ("indexing of meshgrid", ""), 67: ("repeat or tile", ""),
    68: ("arguments of transpose", ""), 69: ("pieces of a split", ""), 70: ("order of a sum's arguments", EQUAL), 71: ("size as a property", ""),
    72: ("views of scattered memory", EQUAL), 73: ("steps in place", ""), 74: ("broadcast of masks", LOUD), 75: ("shapes of scatter", LOUD),
    76: ("mean of nothing", ""), 77: ("order of svd's results", ""), 78: ("type of a range", ""),
    79: ("probability of Bernoulli", ""), 80: ("drawing with replacement", ""), 81: ("gradient of a norm at zero", ""), 82: ("gradient on a bound", ""),
    83: ("unused parameters", ""), 84: ("errors reported late", LOUD + ", when the result is read; the capture reads at every site"), 85: ("missing operations", LOUD), 86: ("mint on a CPU", LOUD),
    87: ("double precision of the port", "the exact run is the reference's"), 88: ("bfloat16", ""), 89: ("assignment through a mask", EQUAL), 90: ("rounding and division", ""),
    91: ("reduction of a loss", ""), 92: ("cross entropy's arguments", ""), 93: ("logarithms of a target", ""), 94: ("negative variance", "the reference refuses such a variance itself and has no value to compare; all others give the same"),
    95: ("margin of triplets", ""), 96: ("Charbonnier by hand", ""), 97: ("clamped logarithms of a loss", ""), 98: ("place of Adam's epsilon", ""),
    99: ("what decays", ""), 100: ("decoupled decay", ""), 101: ("RMSprop's start", ""), 102: ("Adagrad's start", ""), 103: ("SGD and its kin", ""),
    104: ("optimisers that stand still", ""), 105: ("cosine schedule", ""), 106: ("warm-up", ""), 107: ("milestones", ""), 108: ("cosine with restarts", EQUAL + ": metric has one"),
    109: ("steps of a schedule", ""), 110: ("which norm is clipped", ""), 111: ("loss scale", ""), 112: ("parameter groups", ""), 113: ("accumulated gradients", ""),
    114: ("gradient cut on the way", ""), 115: ("freezing", ""), 116: ("half precision", ""), 117: ("a backward of one's own", ""), 118: ("recomputed activations", "the same is computed again, as a control shows; what is drawn in training cannot be compared"),
    119: ("state of an optimiser in files", ""), 120: ("loading that does not raise", ""), 121: ("types cast at loading", ""), 122: ("buffers left out of files", ""),
    123: ("shared modules", ""), 124: ("names in lists of modules", ""), 125: ("prefixes of wrappers", ""), 126: ("LSTM and GRU", "both sides agree but for their tanh, the gap of row 28, which every site behind them would show"),
    127: ("multi-head attention", ""), 128: ("names of embeddings", LOADED + "; what it starts from is overwritten"), 129: ("seeds", ""), 130: ("hooks in compiled code", ENGINE), 131: ("arrays that share memory", ENGINE),
    132: ("branches in graphs", "pairs are compared eagerly; compiled parts by `verify ttvsr`"), 133: ("modules nobody registered", ""), 134: ("averaged weights in a file", "a pair gives both sides one set of weights; which one a file holds is asked by the converter: parity_tests/weights"),
    135: ("shuffling", OUTSIDE), 136: ("layout and normalisation of pictures", ""), 137: ("colour order and range", ""), 138: ("resizing of data", OUTSIDE),
    139: ("last batch", OUTSIDE), 140: ("shards", OUTSIDE), 141: ("definition of PSNR", OUTSIDE + "; parity_tests/metrics"), 142: ("order of frames", ""),
}  # fmt: skip


def coverage(faults: Sequence[Fault]) -> list[dict[str, object]]:
    """What is done about every row: its number, what it is about, the cases that stand for it, or why there are none."""
    planted: dict[int, list[str]] = {}
    for case in faults:
        for row in case.catalogue.split():
            planted.setdefault(int(row), []).append(f"{case.network}: {case.name}")
    return [
        {"row": row, "about": about, "cases": planted.get(row, []), "otherwise": why}
        for row, (about, why) in ROWS.items()
    ]
