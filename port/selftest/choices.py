"""Mistakes and harmless changes in the port of the network of tensor functions."""

from functools import partial

from port.selftest.fault import control, fault

_fault, _control = partial(fault, "choices"), partial(control, "choices")

SPREAD = "ops.std(x, -1, 1, True) + 1e-5"
PICK = "ops.gather_elements(x, 1, place.expand_dims(1))"
STEPS = "x + ops.stop_gradient(ops.round(x * 2) / 2 - x)"
SHARES = "ops.softmax(x / 0.5, -1)"
DISTANCE = "((x**2).sum(-1, keepdims=True) + 1e-6).sqrt()"
DOUBLED = "ops.tile(x, (1, 2))"
SOFT = "ops.softplus(x)"
BOUNDED = "ops.clamp(x, 0, 1)"
RUNNING = "ops.cumsum(x, 1)"
OPTIMIZER = "nn.SGD(network.trainable_params(), learning_rate=0.05, momentum=0.9, nesterov=True)"

FAULTS = [
    _fault("standard deviation over n", SPREAD, SPREAD.replace("-1, 1,", "-1, 0,"), "spread", "forward", "ddof scale", "59"),
    _fault("statistics along the other axis", "x.mean(-1, keep_dims=True)", "x.mean(0, keep_dims=True)", "spread", "forward", "affine softmax_axis offset", ""),
    _fault("not centred", "(x - x.mean(-1, keep_dims=True)) / (", "x / (", "spread", "forward", "offset affine missing_term", ""),
    _fault("smallest for largest", "x.argmax(-1)", "x.argmin(-1)", "best", "forward", "wrong_choice", "63"),
    _fault("largest of the other axis", "x.argmax(-1)", "x.argmax(0)", "best", "forward", "wrong_choice softmax_axis", "60"),
    _fault("largest by magnitude", "x.argmax(-1)", "x.abs().argmax(-1)", "best", "forward", "wrong_choice", ""),
    _fault("choices counted from one", "x.argmax(-1)", "x.argmax(-1) + 1", "best", "forward", "wrong_choice offset", ""),
    _fault("index_select for gather", PICK, "ops.gather(x, place, 1)[:, :1]", "pick", "forward", "wrong_choice permuted_pixels shape", "64"),
    _fault("place of the neighbour", PICK, PICK.replace("place", "((place + 1) % 8)"), "pick", "forward", "wrong_choice permuted_pixels shift", ""),
    _fault("softplus of a slope", SOFT, "ops.softplus(x, 2)", "soft", "forward", "activation", "41"),
    _fault("ReLU for softplus", SOFT, "ops.relu(x)", "soft", "forward", "activation", ""),
    _fault("rounded down", "ops.round(x * 2)", "ops.floor(x * 2)", "steps", "forward", "activation", "90"),
    _fault("rounded to whole numbers", "ops.round(x * 2) / 2", "ops.round(x)", "steps", "forward", "activation", "90"),
    _fault("gradient through the rounding cut", STEPS, "ops.round(x * 2) / 2", "steps", "backward", "gradient_cut", "114"),
    _fault("running sum from the right", RUNNING, "ops.cumsum(x.flip((1,)), 1).flip((1,))", "running", "forward", "permuted_pixels", ""),
    _fault("running sum along the other axis", RUNNING, "ops.cumsum(x, 0)", "running", "forward", "softmax_axis", ""),
    _fault("running sum without the first", RUNNING, "ops.cumsum(x, 1) - x", "running", "forward", "missing_term shift", ""),
    _fault("elements repeated for tiled", DOUBLED, "x.repeat_interleave(2, 1)", "doubled", "forward", "permuted_pixels permuted_channels", "67"),
    _fault("bounds left open", BOUNDED, "ops.clamp(x, 0, 2)", "bounded", "forward", "activation", ""),
    _fault("lower bound", BOUNDED, "ops.clamp(x, -1, 1)", "bounded", "forward", "activation", ""),
    _fault("temperature left out", "x / 0.5", "x", "shares", "forward", "activation scale softmax_axis", ""),
    _fault("shares along the other axis", SHARES, SHARES.replace("-1", "0"), "shares", "forward", "softmax_axis", "34"),
    _fault("logarithm of the shares", SHARES, "ops.log_softmax(x / 0.5, -1)", "shares", "forward", "activation", "34"),
    _fault("epsilon left out of the root", DISTANCE, DISTANCE.replace("1e-6", "1e-3"), "distance", "forward", "epsilon", "96"),
    _fault("root left out", DISTANCE, "(x**2).sum(-1, keepdims=True)", "distance", "forward", "activation", "81"),
    _fault("gradient of zero", DISTANCE, DISTANCE.replace("(x**2)", "(ops.stop_gradient(x) * x)"), "distance", "backward", "gradient_scale scale gradient_cut", "117"),
    _fault("result of a step in place lost", "y = self.last(y)", "y = self.last(y) + 0 * y\n        y = ops.relu(y)", ".", "forward", "activation slope", "73"),
    _fault("weights of the first layer used twice", "y = self.last(y)", "y = self.first(y)", "last first .", "forward backward", "wrong_weight shape", "123"),
    _fault("momentum without Nesterov", OPTIMIZER, OPTIMIZER.replace(", nesterov=True", ""), ".", "training", "optimizer", "103"),
    _fault("RMSprop for SGD", OPTIMIZER, "nn.RMSProp(network.trainable_params(), learning_rate=0.05)", ".", "training", "optimizer", "101"),
    _fault("Adagrad for SGD", OPTIMIZER, "nn.Adagrad(network.trainable_params(), learning_rate=0.05)", ".", "training", "optimizer", "102"),
    _fault("learning rate of the schedule stretched", "learning_rate=0.05", "learning_rate=[0.05, 0.05, 0.025, 0.025]", ".", "training", "learning_rate", "109"),
    _fault("warm-up from zero", "learning_rate=0.05", "learning_rate=nn.WarmUpLR(0.05, 4)", ".", "training", "learning_rate", "106"),
]  # fmt: skip

CONTROLS = [
    _control("as it is", "import nn, ops", "import nn, ops", "the port itself"),
    _control("deviation by its formula", SPREAD, "(((x - x.mean(-1, keep_dims=True)) ** 2).sum(-1, keepdims=True) / 7).sqrt() + 1e-5", "the definition"),
    _control("argmax by sorting", "x.argmax(-1)", "ops.topk(x, 1)[1][:, 0]", "no two values are equal"),
    _control("gather by a mask", PICK, "(x * (ops.arange(8) == place.expand_dims(1)).astype(x.dtype)).sum(1, keepdims=True)", "all others are zero"),
    _control("softplus by its formula", SOFT, "ops.log(1 + ops.exp(-ops.abs(x))) + ops.relu(x)", "the stable form"),
    _control("running sum as a product", RUNNING, "ops.matmul(x, ops.triu(ops.ones((8, 8), x.dtype)))", "a triangle of ones"),
    _control("tiled by concatenation", DOUBLED, "ops.cat([x, x], 1)", "the same order"),
    _control("constant schedule", "learning_rate=0.05", "learning_rate=[0.05, 0.05, 0.05, 0.05]", "the same rates"),
]  # fmt: skip
