"""Mistakes and harmless changes in the port of the transformer block."""

from functools import partial

from port.selftest.fault import control, fault

_fault, _control = partial(fault, "attention"), partial(control, "attention")

NORM = "self.norm = nn.LayerNorm((16,), epsilon=1e-5)"
QUERY = "self.query = nn.Dense(16, 16)"
TURNED = "type('Turned', (nn.Dense,), {'construct': lambda self, x: BODY})(16, 16)"
SCALE = "/ (c // 2) ** 0.5"
SOFTMAX = "ops.softmax(scores + hidden, -1)"
ORDER = "self.query(y), self.key(y), self.value(y)"
UNIT = "x / ops.maximum((x * x).sum(-1, keepdims=True).sqrt(), Tensor(1e-12))"
LOSS = "ops.cross_entropy(output.reshape(-1, 5), inputs[0].reshape(-1) % 5)"
OPTIMIZER = "optim.AdamW(groups, lr=0.01)"
MERGE = "(weights @ value).permute(0, 2, 1, 3)"
GROUPED = '{"params": others, "weight_decay": 0.0}'

FAULTS = [
    _fault("layer norm's epsilon", NORM, "self.norm = nn.LayerNorm((16,))", "norm", "forward", "epsilon", "18"),
    _fault("layer norm's epsilon, larger", NORM, NORM.replace("1e-5", "1e-3"), "norm", "forward", "epsilon", "18"),
    _fault("tanh form of GELU", "nn.GELU(approximate=False)", "nn.GELU()", "gelu", "forward", "gelu", "25"),
    _fault("ReLU for GELU", "nn.GELU(approximate=False)", "nn.ReLU()", "gelu", "forward", "activation", ""),
    _fault("square weight transposed", QUERY, "self.query = " + TURNED.replace("BODY", "x @ self.weight + self.bias"), "query", "forward", "transposed_weight", "10"),
    _fault("bias not added", QUERY, "self.query = " + TURNED.replace("BODY", "x @ self.weight.T"), "query", "forward", "missing_bias offset missing_term", "3"),
    _fault("query and key exchanged", ORDER, "self.key(y), self.query(y), self.value(y)", ".", "forward", "missing_term exchanged", ""),
    _fault("scale left out", SCALE, "", "attend", "forward", "scale softmax_axis activation", ""),
    _fault("scale by the whole width", SCALE, "/ c ** 0.5", "attend", "forward", "scale softmax_axis activation", ""),
    _fault("softmax along another axis", SOFTMAX, SOFTMAX.replace("-1", "-2"), "attend", "forward", "softmax_axis", "34"),
    _fault("mask left out", "scores + hidden", "scores", "attend", "forward", "missing_term softmax_axis", ""),
    _fault("mask of the other half", "np.triu(np.full((t, t), -1e9, np.float32), 1)", "np.tril(np.full((t, t), -1e9, np.float32), -1)", "attend", "forward", "missing_term softmax_axis permuted_pixels", "127"),
    _fault("mask hides the word itself", "np.float32), 1)", "np.float32), 0)", "attend", "forward", "missing_term softmax_axis", ""),
    _fault("heads merged without moving the axis", MERGE, "(weights @ value)", "attend", "forward", "permuted_pixels", "68"),
    _fault("position left out", "self.embedding(words) + self.position", "self.embedding(words)", ".", "forward", "missing_term", ""),
    _fault("position added twice", "self.embedding(words) + self.position", "self.embedding(words) + 2 * self.position", ".", "forward", "missing_term", ""),
    _fault("attention's residual left out", "x = x + self.project", "x = self.project", ".", "forward", "missing_term", ""),
    _fault("residual of the normed value", "x = x + self.project", "x = y + self.project", ".", "forward", "missing_term", ""),
    _fault("epsilon of the unit length", "1e-12", "1e-4", "unit", "forward", "epsilon", "23"),
    _fault("unit length squared", "(x * x).sum(-1, keepdims=True).sqrt()", "(x * x).sum(-1, keepdims=True)", "unit", "forward", "scale activation epsilon affine", ""),
    _fault("constant factor", "x * 1e-5", "x * 2e-5", ".", "forward", "scale", ""),
    _fault("norm in half precision", NORM, NORM + '.to_float(__import__("mindspore").float16)', "norm", "forward", "half_cast dtype", "116"),
    _fault("attention in half precision", "return (weights @ value)", 'weights, value = weights.astype("float16").astype("float32"), value.astype("float16").astype("float32")\n        return (weights @ value)', "attend", "forward", "half_cast", "116"),
    _fault("gradient cut through the keys", "self.key(y)", "ops.stop_gradient(self.key(y))", ".", "backward", "gradient_cut", "114"),
    _fault("unit length not differentiated", "return x / ops.maximum(", "return x / ops.stop_gradient(1.0 * ops.maximum(", "unit", "backward", "gradient_cut gradient_scale missing_term", "114"),
    _fault("loss left as a sum", LOSS, LOSS.replace("% 5)", '% 5, reduction="sum")'), ".", "forward", "reduction", "91"),
    _fault("label smoothing", LOSS, LOSS.replace("% 5)", "% 5, label_smoothing=0.1)"), ".", "forward", "loss", "92"),
    _fault("one weight decay for all", GROUPED, '{"params": others, "weight_decay": 0.05}', "norm second_norm query key value project wide narrow head .", "training", "weight_decay", "112"),
    _fault("AdamW's weight decay at its default", '"weight_decay": 0.05', '"weight_decay": 0.01', "embedding query key value project wide narrow head .", "training", "weight_decay", "100"),
    _fault("Adam for AdamW", OPTIMIZER, "optim.Adam(groups, lr=0.01)", ".", "training", "weight_decay optimizer optimizer_epsilon", "100"),
    _fault("AdamWeightDecay for AdamW", OPTIMIZER, "nn.AdamWeightDecay(groups, learning_rate=0.01)", ".", "training", "optimizer weight_decay", "100"),
    _fault("second moment's decay", OPTIMIZER, OPTIMIZER.replace("0.01", "0.01, betas=(0.9, 0.99)"), ".", "training", "optimizer", ""),
    _fault("epsilon of the optimiser", OPTIMIZER, OPTIMIZER.replace("0.01", "0.01, eps=1e-6"), ".", "training", "optimizer_epsilon", "98"),
    _fault("learning rate", OPTIMIZER, OPTIMIZER.replace("0.01", "0.011"), ".", "training", "learning_rate", ""),
]  # fmt: skip
_broken = next(f for f in FAULTS if f.name == "unit length not differentiated")
FAULTS[FAULTS.index(_broken)] = _fault(
    _broken.name, UNIT, UNIT.replace("ops.maximum(", "ops.stop_gradient(ops.maximum(") + ")", "unit", "backward", "gradient_cut gradient_scale missing_term", "114",
)  # fmt: skip

CONTROLS = [
    _control("as it is", "import optim", "import optim", "the port itself"),
    _control("exact GELU by its formula", "nn.GELU(approximate=False)", "type('Gelu', (nn.Cell,), {'construct': lambda self, x: 0.5 * x * (1 + ops.erf(x / 2**0.5))})()", "the definition"),
    _control("layer norm by its formula", NORM, "self.norm = type('Norm', (nn.LayerNorm,), {'construct': lambda self, x: (x - x.mean(-1, keep_dims=True)) / (((x - x.mean(-1, keep_dims=True)) ** 2).mean(-1, keep_dims=True) + 1e-5).sqrt() * self.gamma + self.beta})((16,))", "the definition, with population variance"),
    _control("softmax by its formula", SOFTMAX, "ops.exp(scores + hidden - ops.stop_gradient((scores + hidden).max(-1, keepdims=True))) / ops.exp(scores + hidden - ops.stop_gradient((scores + hidden).max(-1, keepdims=True))).sum(-1, keepdims=True)", "the maximum cancels"),
    _control("matmul for Dense", QUERY, "self.query = " + TURNED.replace("BODY", "ops.matmul(x, self.weight.T) + self.bias"), "the same sums"),
    _control("bias inside the product", QUERY, "self.query = " + TURNED.replace("BODY", "ops.matmul(ops.cat([x, ops.ones_like(x[..., :1])], -1), ops.cat([self.weight.T, self.bias.expand_dims(0)], 0))"), "a column of ones carries the bias"),
    _control("scaled before the product", "query @ key.permute(0, 1, 3, 2) / (c // 2) ** 0.5", "(query / (c // 2) ** 0.5) @ key.permute(0, 1, 3, 2)", "multiplication is associative but for rounding"),
    _control("sum in another order", "x = x + self.narrow(self.gelu(self.wide(self.second_norm(x))))", "x = self.narrow(self.gelu(self.wide(self.second_norm(x)))) + x", "addition commutes"),
    _control("no decay by a group of zero", GROUPED, '{"params": others, "weight_decay": 0}', "the same number"),
]  # fmt: skip
