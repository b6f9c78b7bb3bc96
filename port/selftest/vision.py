"""Mistakes and harmless changes in the port of the small classifier of pictures."""

from functools import partial

from port.selftest.fault import control, fault

_fault, _control = partial(fault, "vision"), partial(control, "vision")

STEM = 'nn.Conv2d(3, 8, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)'
NORM = "nn.BatchNorm2d(8, momentum=0.9)"
GROUP_NORM = "nn.GroupNorm(4, 8)"
AVERAGE = 'nn.AvgPool2d(3, stride=1, pad_mode="pad", padding=1)'
DILATED = 'pad_mode="pad", padding=2, dilation=2'
UP = 'nn.Conv2dTranspose(8, 8, 4, stride=2, pad_mode="pad", padding=1, has_bias=True)'
MIRRORED = 'nn.Conv2d(8, 8, 3, pad_mode="valid", has_bias=True)'
REFLECT = 'ops.pad(x, (1, 1, 1, 1), mode="reflect")'
CLAMP = "ops.clamp(x, -1, 1)"
LARGEST = "nn.MaxPool2d(2, stride=2)"
RESIDUAL = "x + self.group_norm(self.grouped(x))"
FLATTEN = "x.flatten(start_dim=1)"
LOSS = "ops.cross_entropy(output, inputs[1])"
OPTIMIZER = "nn.SGD(network.trainable_params(), learning_rate=0.05, momentum=0.9)"
TURNED = (
    "type('Turned', (nn.Conv2d,), {'construct': lambda self, x: ops.conv2d(x, self.weight.WAY, self.bias, "
    "pad_mode='valid')})(8, 8, 3, pad_mode='valid', has_bias=True)"
)

FAULTS = [
    _fault("pad_mode left at same", STEM, "nn.Conv2d(3, 8, 3, stride=2, has_bias=True)", "stem", "forward", "shift border", "2"),
    _fault("no padding", MIRRORED, 'nn.Conv2d(8, 8, 3, has_bias=True)', "mirrored", "forward", "shape border", "1"),
    _fault("bias of the convolution lost", STEM, STEM.replace(", has_bias=True", ""), "stem", "weights", "wrong_weight missing_bias", "3"),
    _fault("kernel mirrored", MIRRORED, TURNED.replace("WAY", "flip((2, 3))"), "mirrored", "forward", "flipped_weight", ""),
    _fault("kernel's axes swapped", MIRRORED, TURNED.replace("WAY", "transpose(0, 1, 3, 2)"), "mirrored", "forward", "transposed_weight", ""),
    _fault("kernel's channels swapped", MIRRORED, TURNED.replace("WAY", "transpose(1, 0, 2, 3)"), "mirrored", "forward", "transposed_weight", "10"),
    _fault("dilation forgotten", DILATED, 'pad_mode="pad", padding=1', "dilated", "forward", "shape", ""),
    _fault("transposed convolution on the other grid", UP, UP.replace("padding=1", "padding=(2, 0, 2, 0)"), "up", "forward", "shift shape border", "7"),
    _fault("slope of leaky ReLU", "nn.LeakyReLU(0.1)", "nn.LeakyReLU()", "act", "forward", "slope", "26"),
    _fault("ReLU for leaky ReLU", "nn.LeakyReLU(0.1)", "nn.ReLU()", "act", "forward", "slope", "26"),
    _fault("batch norm's epsilon", NORM, NORM.replace("momentum", "eps=1e-3, momentum"), "norm", "forward", "epsilon", "18"),
    _fault("batch norm in training mode", NORM, NORM.replace("momentum", "use_batch_statistics=True, momentum"), "norm", "forward", "training_mode", "17 24"),
    _fault("batch norm never in training mode", NORM, NORM.replace("momentum", "use_batch_statistics=False, momentum"), "norm .", "training", "training_mode stale_buffer momentum", "24"),
    _fault("batch norm's momentum", NORM, "nn.BatchNorm2d(8, momentum=0.1)", "norm", "training", "momentum", "14"),
    _fault("other number of groups", GROUP_NORM, "nn.GroupNorm(2, 8)", "group_norm", "forward", "affine", ""),
    _fault("group norm's epsilon", GROUP_NORM, "nn.GroupNorm(4, 8, eps=1e-3)", "group_norm", "forward", "epsilon", "18"),
    _fault("average pooling with pad_mode same", AVERAGE, 'nn.AvgPool2d(3, stride=1, pad_mode="same")', "average", "forward", "border", "36"),
    _fault("padding not counted in the average", AVERAGE, AVERAGE.replace("padding=1", "padding=1, count_include_pad=False"), "average", "forward", "border", "37"),
    _fault("maximum for average", AVERAGE, AVERAGE.replace("Avg", "Max"), "average", "forward", "pooling_replaced", ""),
    _fault("edge repeated for mirrored", REFLECT, REFLECT.replace("reflect", "replicate"), "reflect", "forward", "border", "9 54"),
    _fault("zeros for mirrored", REFLECT, REFLECT.replace("reflect", "constant"), "reflect", "forward", "border", "9"),
    _fault("padded on one side", REFLECT, REFLECT.replace("(1, 1, 1, 1)", "(2, 0, 2, 0)"), "reflect", "forward", "shift border", "55"),
    _fault("clip_by_value's gradient on the bound", CLAMP, "ops.clip_by_value(x, -1, 1)", "clamp", "backward", "subgradient", "82"),
    _fault("upper bound", CLAMP, "ops.clamp(x, -1, 0.9)", "clamp", "forward", "activation", ""),
    _fault("pooling's stride", LARGEST, "nn.MaxPool2d(2)", "largest", "forward", "shape", "35"),
    _fault("pooling of a larger window", LARGEST, 'nn.MaxPool2d(3, stride=2, pad_mode="same")', "largest", "forward", "pooling_replaced", "35"),
    _fault("average for maximum", LARGEST, "nn.AvgPool2d(2, stride=2)", "largest", "forward", "pooling_replaced", ""),
    _fault("dropout active", "nn.Dropout(p=0.0)", "nn.Dropout(p=0.5)", "dropout .", "training", "training_mode", "31"),
    _fault("residual left out", RESIDUAL, "self.group_norm(self.grouped(x))", ".", "forward", "missing_term", ""),
    _fault("residual halved", RESIDUAL, f"0.5 * {RESIDUAL}", ".", "forward", "scale missing_term", ""),
    _fault("activation left out", "self.act(self.norm(self.stem(x)))", "self.norm(self.stem(x))", "act .", "forward", "missing_term activation", ""),
    _fault("flattened channels last", FLATTEN, "x.permute(0, 2, 3, 1).flatten(start_dim=1)", ".", "forward", "permuted_pixels permuted_channels", "68"),
    _fault("half precision between modules", "x = self.dilated(self.average(x))", 'x = self.dilated(self.average(x)).astype("float16").astype("float32")', ".", "forward", "half_cast", "116"),
    _fault("a module in half precision", MIRRORED, f'{MIRRORED}.to_float(__import__("mindspore").float16)', "mirrored", "forward", "half_cast dtype", "116"),
    _fault("NaN", "return self.head(", 'return float("nan") * self.head(', ".", "forward", "nan", ""),
    _fault("sum for mean in the loss", LOSS, LOSS.replace("])", '], reduction="sum")'), ".", "forward", "reduction", "91"),
    _fault("functional convolution without padding", STEM, "type('Bare', (nn.Conv2d,), {'construct': lambda self, x: ops.conv2d(x, self.weight, self.bias, stride=2)})(3, 8, 3, stride=2, has_bias=True)", "stem", "forward", "shape", "5"),
    _fault("last row and column filled with zeros", UP, f"type('Filled', (nn.Conv2dTranspose,), {{'construct': lambda self, x: ops.pad(super(type(self), self).construct(x)[:, :, :-1, :-1], (0, 1, 0, 1))}})({UP[len('nn.Conv2dTranspose('):]}", "up", "forward", "border", "8"),
    _fault("groups lost", ", group=4", "", "grouped", "weights", "wrong_weight shape", "12"),
    _fault("functional dropout", "nn.Dropout(p=0.0)", "type('Always', (nn.Cell,), {'construct': lambda self, x: ops.dropout(x, p=0.5)})()", "dropout", "forward", "training_mode", "32"),
    _fault("gradient cut", "x = self.dilated(self.average(x))", "x = self.dilated(ops.stop_gradient(self.average(x)))", ".", "backward", "gradient_cut", "114"),
    _fault("gradient cut by asnumpy", "x = self.dilated(self.average(x))", 'x = self.dilated(__import__("mindspore").Tensor(self.average(x).asnumpy()))', ".", "backward", "gradient_cut", "114"),
    _fault("learning rate", OPTIMIZER, OPTIMIZER.replace("0.05", "0.06"), ".", "training", "learning_rate", ""),
    _fault("momentum of the optimiser", OPTIMIZER, OPTIMIZER.replace("0.9", "0.8"), ".", "training", "optimizer", ""),
    _fault("no momentum", OPTIMIZER, OPTIMIZER.replace(", momentum=0.9", ""), ".", "training", "optimizer", ""),
    _fault("Nesterov's momentum", OPTIMIZER, OPTIMIZER.replace("0.9", "0.9, nesterov=True"), ".", "training", "optimizer", ""),
    _fault("dampening", OPTIMIZER, OPTIMIZER.replace("0.9", "0.9, dampening=0.1"), ".", "training", "optimizer", ""),
    _fault("weight decay", OPTIMIZER, OPTIMIZER.replace("0.9", "0.9, weight_decay=0.1"), "stem grouped dilated up mirrored head .", "training", "weight_decay", "99"),
    _fault("loss scale forgotten", OPTIMIZER, OPTIMIZER.replace("0.9", "0.9, loss_scale=1024.0"), ".", "training", "optimizer gradient_scale scale learning_rate", "111"),
    _fault("a layer frozen", "    return nn.SGD", "    network.head.weight.requires_grad = False\n    return nn.SGD", "head", "training", "not_updated", "115"),
    _fault("statistics never loaded", "self.norm = nn.BatchNorm2d(8, momentum=0.9)", "self.norm = type('Fresh', (nn.BatchNorm2d,), {'construct': lambda self, x: super(type(self), self).construct(x) if self.training else x / (1 + 1e-5) ** 0.5 * self.gamma.reshape(1, -1, 1, 1) + self.beta.reshape(1, -1, 1, 1)})(8, momentum=0.9)", "norm", "forward", "stale_buffer", "15 120"),
    _fault("weights cast to half at loading", "self.head = nn.Dense(512, 5)", "self.head = type('Half', (nn.Dense,), {'construct': lambda self, x: x @ self.weight.astype('float32').T + self.bias})(512, 5)\n        self.head.weight.set_dtype(__import__('mindspore').float16)", "head", "weights forward training", "half_cast dtype", "121"),
    _fault("head inside a plain list", "self.head = nn.Dense(512, 5)", "self._heads = [nn.Dense(512, 5)]\n        self.head = lambda x: self._heads[0](x)", "head", "weights", "wrong_weight", "124"),
    _fault("a wrapper that takes one input of two", "    return Net()", "    return nn.SequentialCell(Net())", "*", "forward", "missing", "125"),
]  # fmt: skip

CONTROLS = [
    _control("as it is", "import nn, ops", "import nn, ops", "the port itself"),
    _control("pad_mode same where it centres", UP, 'nn.Conv2dTranspose(8, 8, 4, stride=2, pad_mode="same", has_bias=True)', "an even kernel at stride 2 is padded by one on both sides"),
    _control("functional convolution", MIRRORED, TURNED.replace(".WAY", ""), "the same operation"),
    _control("ReLU of both signs", "self.act = nn.LeakyReLU(0.1)", "self.act = type('Leaky', (nn.Cell,), {'construct': lambda self, x: ops.relu(x) - 0.1 * ops.relu(-x)})()", "the same function for x other than 0"),
    _control("minimum and maximum", CLAMP, "ops.select(x > 1, ops.ones_like(x), ops.select(x < -1, -ops.ones_like(x), x))", "the same function; the gradient on the bound is one"),
    _control("windows of pooling written out", LARGEST, 'nn.MaxPool2d((2, 2), stride=(2, 2), pad_mode="valid")', "the defaults, and sizes that divide"),
    _control("reshape for flatten", FLATTEN, "x.reshape(x.shape[0], -1)", "the same order"),
    _control("residual the other way round", RESIDUAL, "self.group_norm(self.grouped(x)) + x", "addition commutes"),
    _control("activations computed again on the way back", "self.head = nn.Dense(512, 5)", "self.head = nn.Dense(512, 5)\n        self.grouped.recompute()\n        self.head.recompute()", "the same computed again"),
    _control("head inside a list", "self.head = nn.Dense(512, 5)", "self.head = nn.SequentialCell(nn.Dense(512, 5))", "weights tell which module is which, whatever it is called"),
    _control("prefix of a wrapper", "    return Net()", "    return type('Wrapper', (nn.Cell,), {'__init__': lambda self: (nn.Cell.__init__(self), setattr(self, 'net', Net()))[0], 'construct': lambda self, *inputs: self.net(*inputs)})()", "the same"),
    _control("cross entropy by hand", LOSS, "-ops.log_softmax(output, 1)[ops.arange(4), inputs[1]].mean()", "the same formula"),
    _control("Momentum for SGD", OPTIMIZER, "nn.Momentum(network.trainable_params(), learning_rate=0.05, momentum=0.9)", "the same rule without decay"),
    _control("average pooling as convolution", "self.dilated(self.average(x))", "self.dilated(self.average(x) * 1.0)", "a factor of one"),
]  # fmt: skip
