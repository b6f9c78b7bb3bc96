"""Mistakes and harmless changes in the port of the network of metric learning."""

from functools import partial

from port.selftest.fault import control, fault

_fault, _control = partial(fault, "metric"), partial(control, "metric")

LEAK = "ops.select(x > 0, x, 0.1 * x)"
SLOPES = "ops.leaky_relu(x, 11 / 48)"
RAMP = "ops.linspace(0.0, 1.0, x.shape[3])"
STRETCH = "ops.matmul(ops.matmul(Tensor(shares), x), Tensor(shares.T))"
REGION = 'ops.grid_sample(x, grid.broadcast_to((len(x), 2, 2, 2)), padding_mode="border", align_corners=True)'
ROI = "ops.ROIAlign(2, 2, 1.0, 1)(x, Tensor([[i, 1.0, 1.0, 5.0, 4.0] for i in range(8)]))"
MEDIAN = "ops.median(ops.stop_gradient(x).reshape(-1))[0]"
NONE = "ops.select(ops.isinf(mean), ops.zeros_like(mean), mean)"
SURPRISE = "-hit * log - (1 - hit) * rest"
CROSS = 'ops.binary_cross_entropy(p, hit.broadcast_to(p.shape), ops.ones_like(p), "none")'
SCORES = "self.head(x), 1)"
NOISE = 'self.register_buffer("noise", Tensor(np.zeros((8, 8), np.float32)))'
EMBEDDED = "x = x + self.turn(x) + self.rare(x)\n"
TAUGHT = '(ops.exp(target) * (target - output["scores"])).sum() / target.shape[0]'
TRIPLETS = "- distance(anchor, negative) + 0.3"
SIZE = "x.shape[0]"
SUM = "gradients = tuple(a + b for a, b in zip(self.kept, gradients, strict=True))"
GROUPS = '[{"params": used}, spare]'
RESTARTS = "optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, 2)"

FAULTS = [
    _fault("alpha not divided by the size", "alpha=0.5 / 3", "alpha=0.5", "respond", "forward", "local_response", "22"),
    _fault("alpha divided twice", "alpha=0.5 / 3", "alpha=0.5 / 9", "respond", "forward", "local_response", "22"),
    _fault("size for the radius", "depth_radius=1", "depth_radius=3", "respond", "forward", "local_response", "22"),
    _fault("gradient of the leaky ReLU at zero", LEAK, "nn.LeakyReLU(0.1)(x)", "leak", "backward", "subgradient", "27"),
    _fault("slopes drawn in evaluation", SLOPES, "ops.rrelu(x, 1 / 8, 1 / 3)", "slopes", "forward", "training_mode", "33"),
    _fault("whole numbers for the ramp", RAMP, RAMP + '.astype("int32")', "ramp", "forward", "scale border missing_term", "78"),
    _fault("scale recomputed from the sizes", STRETCH, 'ops.interpolate(x, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True)', "stretch", "forward", "align_corners", "43"),
    _fault("region not aligned", REGION, ROI, "region", "forward", "align_corners shift", "57"),
    _fault("channels drawn with replacement", "x.shape[1], False)", "x.shape[1])", "draw", "forward", "wrong_choice", "80"),
    _fault("kept by halves", "ops.bernoulli(x, 1.0)", "ops.bernoulli(ops.ones_like(x))", "survive", "forward", "training_mode", "79"),
    _fault("median of every row", MEDIAN, "ops.median(ops.stop_gradient(x))[0]", "centre", "forward", "offset affine", "61"),
    _fault("results of svd in PyTorch's order", "_, u, v = ops", "u, _, v = ops", "turn", "forward", "shape", "77"),
    _fault("mean of nothing", NONE, NONE.replace("isinf", "isnan"), "rare", "forward", "nan", "76"),
    _fault("logarithms cut off at MindSpore's bound", SURPRISE, CROSS, "surprise", "forward", "activation loss", "97"),
    _fault("last of the largest", "x.argmax(1)", "7 - x.flip((1,)).argmax(1)", "best", "forward", "tie", "62"),
    _fault("topk's choice among the largest", "x.argmax(1)", "ops.topk(x, 1)[1][:, 0]", "best", "forward", "tie", "62"),
    _fault("number of pieces for their size", "ops.split(x, 2, 1)", "ops.Split(1, 2)(x)", "pieces", "forward", "shape", "69"),
    _fault("first axis left out of flatten", "ops.flatten(x, start_dim=0)", "ops.flatten(x)", "joined", "forward", "shape", "65"),
    _fault("noise of the same seed", "+ self.noise", "+ ops.standard_normal((8, 8), seed=0)", ".", "forward", "missing_term exchanged offset", "129"),
    _fault("buffer as a plain tensor", NOISE, "self.noise = Tensor(np.zeros((8, 8), np.float32))", ".", "weights", "wrong_weight", "122"),
    _fault("bfloat16 between modules", EMBEDDED, EMBEDDED.replace("\n", '.astype(mindspore.bfloat16).astype(mindspore.float32)\n').replace("x + ", "(x + ", 1).replace("(x).a", "(x)).a"), ".", "forward", "half_cast", "88"),
    _fault("target's logarithms taken for shares", TAUGHT, 'ops.kl_div(output["scores"], target, "batchmean")', ".", "forward", "loss", "93"),
    _fault("Kullback-Leibler by the mean", TAUGHT, 'ops.kl_div(output["scores"], ops.exp(target), "mean")', ".", "forward", "loss reduction", "93"),
    _fault("margin left at its default", TRIPLETS, TRIPLETS.replace("0.3", "1.0"), ".", "forward", "loss", "95"),
    _fault("epsilon and swap exchanged", "triplets = ops.relu(distance(anchor, positive) - distance(anchor, negative)", "triplets = ops.relu(distance(anchor, positive) - ops.minimum(distance(anchor, negative), distance(positive, negative))", ".", "forward", "loss", "95"),
    _fault("number of elements for the batch", SIZE, "x.size", ".", "forward", "loss reduction", "71"),
    _fault("gradients not accumulated", SUM, "", ".", "training", "optimizer", "113"),
    _fault("mean of the accumulated gradients", SUM, SUM.replace("a + b", "(a + b) / 2"), ".", "training", "optimizer gradient_scale", "113"),
    _fault("one step for each gradient", "if self.kept is None:", "self.kept = tuple(0 * g for g in gradients)\n        if self.kept is None:", ".", "training", "optimizer", "113"),
    _fault("momentum of the earlier run lost", "kept.reshape(momentum.shape)", "ops.zeros_like(momentum)", ".", "training", "optimizer", "119"),
    _fault("optimiser's first step again", "ops.zeros_like(first)", "ops.ones_like(first)", ".", "training", "optimizer", "119"),
    _fault("unused parameter decays", GROUPS, '[{"params": [*used, network.spare]}]', ".", "training", "weight_decay frozen optimizer", "83"),
    _fault("restarts after another period", RESTARTS, RESTARTS.replace("2", "3"), ".", "training", "learning_rate", "105"),
]  # fmt: skip

CONTROLS = [
    _control("as it is", "import optim", "import optim", "the port itself"),
    _control("whole ends of the ramp", RAMP, "ops.linspace(0, 1, x.shape[3])", "this version gives floats, whatever the ends are"),
    _control("sum's arguments in MindSpore's order", "** 2).sum(1).sqrt()", "** 2).sum(1, None, False).sqrt()", "the same arguments"),
    _control("sum's arguments in PyTorch's order", "** 2).sum(1).sqrt()", "** 2).sum(1, True)[:, 0].sqrt()", "this version takes both orders"),
    _control("assigned through a mask", "self.leak(ops.relu(self.stem(x)))", "self.leak(type('Put', (nn.Cell,), {'construct': lambda self, y: (y.__setitem__(y < 0, 0.0), y)[1]})()(self.stem(x) * 1.0))", "what is overwritten has no gradient"),
    _control("view of a transposed tensor", "ops.flatten(x, start_dim=0)", "x.T.view(64).reshape(8, 8).T.view(64)", "what PyTorch refuses is copied"),
]  # fmt: skip
