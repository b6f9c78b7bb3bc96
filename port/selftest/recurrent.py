"""Mistakes and harmless changes in the port of the recurrent network."""

from functools import partial

from port.selftest.fault import control, fault

_fault, _control = partial(fault, "recurrent"), partial(control, "recurrent")

CELL = "ops.sigmoid(forget) * cell + ops.sigmoid(enter) * ops.sin(candidate)"
CHUNK = "enter, forget, candidate, leave = mixed"
STD = "ops.std(x, 0, 1)"
ACT = "nn.PReLU(16)"
CALL = "self.gates(self.from_input(step) + self.from_hidden(hidden), cell)"
LOSS = 'ops.smooth_l1_loss(output, 2 * inputs[0].mean(0)[:, :4], reduction="mean")'
ADAM = 'optim.AdamW([{"params": fast}, {"params": slow, "lr": 0.00125}], lr=0.01, weight_decay=0.0)'
SCHEDULE = "optim.lr_scheduler.MultiStepLR(adam, [2], 0.5)"
CLIP = "ops.clip_by_global_norm(gradients, 0.1)"
FROZEN = "self.frozen.weight.requires_grad = self.frozen.bias.requires_grad = False"
MOVED = "frozen embed from_input from_hidden act head ."

FAULTS = [
    _fault("gates in another order", CHUNK, "forget, enter, candidate, leave = mixed", "gates", "forward", "permuted_channels", ""),
    _fault("input gate left out", CELL, "ops.sigmoid(forget) * cell + ops.sin(candidate)", "gates", "forward", "missing_term scale", ""),
    _fault("tanh for the sine", "ops.sin(candidate)", "ops.tanh(candidate)", "gates", "forward", "activation", ""),
    _fault("cell's state not carried", CALL + "\n", "(*self.gates(self.from_input(step) + self.from_hidden(hidden), cell)[:1], cell)\n", ".", "forward", "missing_term stale_buffer", ""),
    _fault("hidden state not carried", "self.from_hidden(hidden)", "self.from_hidden(hidden * 0)", ".", "forward", "missing_term", ""),
    _fault("one step late", "for step in x:", "for step in ops.cat([x[-1:], x[:-1]], 0):", ".", "forward", "shift permuted_pixels", "142"),
    _fault("time reversed", "for step in x:", "for step in x[::-1]:", ".", "forward", "shift permuted_pixels", "142"),
    _fault("standard deviation over n", STD, "ops.std(x, 0, 0)", "summary", "forward", "ddof", "59"),
    _fault("variance for deviation", STD, STD + " ** 2", "summary", "forward", "activation", ""),
    _fault("mean left out of the deviation", STD, "((x * x).mean(0)) ** 0.5", "summary", "forward", "ddof missing_term", ""),
    _fault("sum over time for mean", "x.mean(0), ops", "x.sum(0), ops", "summary", "forward", "scale reduction", "91"),
    _fault("halves exchanged", f"[x.mean(0), {STD}]", f"[{STD}, x.mean(0)]", "summary", "forward", "permuted_channels", ""),
    _fault("ReLU for PReLU", ACT, "type('Relu', (nn.PReLU,), {'construct': lambda self, x: ops.relu(x)})(16)", "act", "forward", "slope", "30"),
    _fault("slope of PReLU by its first channel", ACT, "type('One', (nn.PReLU,), {'construct': lambda self, x: ops.select(x < 0, x * self.w[0], x)})(16)", "act", "forward", "slope affine scale", "30"),
    _fault("no reduction but a sum", LOSS, LOSS.replace('"mean"', '"sum"'), ".", "forward", "reduction", "91"),
    _fault("kink of the loss", LOSS, LOSS.replace("reduction", "beta=0.5, reduction"), ".", "forward", "loss", ""),
    _fault("L1 for smooth L1", LOSS, "ops.abs(output - 2 * inputs[0].mean(0)[:, :4]).mean()", ".", "forward", "loss", "91"),
    _fault("target differentiated away", "    return ops.smooth", "    output = ops.stop_gradient(output[:, :2]).sum() * 0 + output\n    output = ops.cat([output[:, :3], ops.stop_gradient(output[:, 3:])], 1)\n    return ops.smooth", ".", "backward", "gradient_cut", "114"),
    _fault("gradient cut through time", CALL + "\n", CALL + "\n            hidden = ops.stop_gradient(hidden)\n", ".", "backward", "gradient_cut", "114"),
    _fault("not frozen", FROZEN, "pass", "frozen .", "backward training", "frozen gradient_not_cut", "115"),
    _fault("groups exchanged", '{"params": fast}, {"params": slow, "lr": 0.00125}', '{"params": fast, "lr": 0.00125}, {"params": slow}', ".", "training", "learning_rate", "112"),
    _fault("one rate for all", ', "lr": 0.00125', "", "head", "training", "learning_rate", "112"),
    _fault("schedule left out", f"adam, {SCHEDULE}", "adam", ".", "training", "learning_rate", "109"),
    _fault("milestone one step late", SCHEDULE, SCHEDULE.replace("[2]", "[3]"), ".", "training", "learning_rate", "107"),
    _fault("factor of the schedule", SCHEDULE, SCHEDULE.replace("0.5", "0.1"), ".", "training", "learning_rate", "107"),
    _fault("each gradient clipped by itself", CLIP, "tuple(ops.clip_by_norm(g, 0.1) for g in gradients)", ".", "training", "clip_norm optimizer", "110"),
    _fault("clipped by another norm", CLIP, CLIP.replace("0.1", "1.0"), ".", "training", "clip_norm optimizer", "110"),
    _fault("not clipped", CLIP, "gradients", ".", "training", "clip_norm optimizer", "110"),
    _fault("MindSpore's own Adam", ADAM, ADAM.replace("AdamW", "Adam"), ".", "training", "optimizer_epsilon", "98"),
    _fault("decay of AdamW by default", ADAM, ADAM.replace(", weight_decay=0.0", ""), f"{MOVED}", "training", "weight_decay", "100"),
    _fault("AMSGrad", ADAM, ADAM.replace("weight_decay=0.0", "weight_decay=0.0, amsgrad=True"), ".", "training", "optimizer", ""),
    _fault("first moment's decay", ADAM, ADAM.replace("lr=0.01, ", "lr=0.01, betas=(0.8, 0.999), "), ".", "training", "optimizer", ""),
    _fault("an optimiser that never moves", ADAM, ADAM.replace("lr=0.01", "lr=0.0").replace("0.00125", "0.0"), ".", "training", "learning_rate not_updated", "104"),
    _fault("head forgotten by the optimiser", '[{"params": fast}, {"params": slow, "lr": 0.00125}]', '[{"params": fast}]', "head", "training", "not_updated", "133"),
]  # fmt: skip

CONTROLS = [
    _control("as it is", "import nn, ops", "import nn, ops", "the port itself"),
    _control("sigmoid by its formula", "ops.sigmoid(leave) *", "1 / (1 + ops.exp(-leave)) *", "the definition"),
    _control("one product for both gates", CALL, "self.gates(ops.add(self.from_hidden(hidden), self.from_input(step)), cell)", "addition commutes"),
    _control("deviation by its formula", STD, "(((x - x.mean(0)) ** 2).sum(0) / (x.shape[0] - 1)).sqrt()", "the definition"),
    _control("mean as a sum", "x.mean(0), ops", "x.sum(0) / 5, ops", "five steps"),
    _control("smooth L1 by its formula", LOSS, "(lambda d: ops.select(d < 1, 0.5 * d * d, d - 0.5).mean())(ops.abs(output - 2 * inputs[0].mean(0)[:, :4]))", "the definition"),
    _control("PReLU by its formula", ACT, "type('Act', (nn.PReLU,), {'construct': lambda self, x: ops.relu(x) - self.w * ops.relu(-x)})(16)", "the definition"),
]  # fmt: skip
