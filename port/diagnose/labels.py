"""The diagnoses that can be given; faults of the self-test name the one they expect."""

LABELS = {
    # numbers that say what kind of value came out
    "nan": "NaN or infinite values",
    "shape": "another shape (kernel, stride, padding, axis or an operation of the same name)",
    "dtype": "another element type",
    "half_cast": "computed in half precision (float16 or bfloat16)",
    "kernel_gap": "a known gap of this version's kernel, not of the port",
    # affine changes
    "scale": "a constant factor (also per channel)",
    "offset": "a constant offset (also per channel)",
    "missing_bias": "the bias is left out",
    "affine": "factor and offset per channel: normalisation statistics or affine parameters",
    # places
    "shift": "shifted by whole pixels",
    "border": "wrong at the border only: padding",
    "permuted_channels": "channels in another order",
    "permuted_pixels": "pixels in another order: transposed, flipped, reshaped",
    "align_corners": "resampled with the other align_corners or half-pixel rule",
    "pooling_replaced": "pooling replaced by resizing or another window",
    "interpolation_mode": "another interpolation (nearest, bilinear, bicubic, their coefficient)",
    # weights
    "transposed_weight": "the weight is transposed",
    "flipped_weight": "the kernel is mirrored",
    "wrong_weight": "the parameters differ from the reference's",
    # pointwise functions and statistics
    "slope": "negative slope of the (leaky) ReLU",
    "gelu": "tanh form of GELU for the exact one, or the other way round",
    "activation": "another pointwise function",
    "epsilon": "epsilon of a normalisation or a root",
    "local_response": "alpha or number of neighbours of a local response norm",
    "ddof": "variance divided by n for n - 1, or the other way round",
    "training_mode": "training mode for evaluation mode: batch statistics, dropout",
    "softmax_axis": "normalised along another axis",
    "missing_term": "a summand is left out (residual connection, mask, position)",
    "exchanged": "another value of the network in its place",
    "flow": "moved along another flow: axes, sign, factor, frame",
    "missing": "a call or a step that the port leaves out",
    # choices
    "tie": "ties broken the other way",
    "wrong_choice": "discrete choices that differ beyond their margin",
    # losses, gradients
    "loss": "another loss of the same output, or one of its arguments",
    "reduction": "mean, sum or none: the factor is a number of elements",
    "gradient_cut": "no gradient comes through: detached, asnumpy, stop_gradient",
    "gradient_not_cut": "a gradient where the reference has none: a detach is missing",
    "subgradient": "differs only where the function has a kink: exact zeros, bounds",
    "gradient_scale": "gradient times a constant",
    # training
    "not_updated": "the update is zero under a gradient that is not",
    "frozen": "updated though frozen in the reference",
    "momentum": "momentum convention of running statistics (m for 1 - m)",
    "stale_buffer": "a buffer that was not loaded or does not move",
    "learning_rate": "learning rate or its schedule",
    "weight_decay": "weight decay: missing, filtered, coupled or not",
    "optimizer_epsilon": "place or size of the optimiser's epsilon",
    "optimizer": "another update rule or initial state",
    "clip_norm": "gradients clipped by another norm",
    # none of these
    "unknown": "no known signature",
}
