"""Mistakes and harmless changes in the port that moves and resizes pictures."""

from functools import partial

from port.selftest.fault import control, fault

_fault, _control = partial(fault, "resample"), partial(control, "resample")

GRID = "ops.meshgrid(ops.arange(h), ops.arange(w), indexing=\"ij\")"
STACK = "ops.stack((x, y), -1)"
WARP = 'ops.grid_sample(x, positions, mode="bilinear", padding_mode="border", align_corners=True)'
POOL = "ops.adaptive_avg_pool2d(x, 4)"
ENLARGE = 'ops.interpolate(x, size=(12, 12), mode="bilinear", align_corners=False)'
REPEAT = 'ops.interpolate(x, size=(12, 12), mode="nearest")'
FOLD = "ops.fold(pieces, size, 6, 1, 1, 4)"
AVERAGE = "ops.avg_pool2d(x, 2, 2)"
FEATURES = 'self.features = nn.Conv2d(3, 8, 3, pad_mode="pad", padding=1, has_bias=True)'
DOWN, UP = "nn.PixelUnshuffle(2)", "nn.PixelShuffle(4)"
SKIP = 'nn.Upsample(size=(24, 24), mode="bilinear", align_corners=False)'
SHUFFLE = "type('Shuffle', (nn.Cell,), {'construct': lambda self, x: x.reshape(2, 4, 4, 3, 6, 6).permute(0, 3, 4, 1, 5, 2).reshape(2, 3, 24, 24)})()"
UNSHUFFLE = "type('Unshuffle', (nn.Cell,), {'construct': lambda self, x: x.reshape(2, 8, 6, 2, 6, 2).permute(0, 3, 5, 1, 2, 4).reshape(2, 32, 6, 6)})()"
LOSS = "((output - inputs[0].mean()) ** 2 + 1e-12).sqrt().mean()"
ADAM = "optim.AdamW(groups, lr=0.002, betas=(0.9, 0.99), weight_decay=0.0)"
SCHEDULE = "optim.lr_scheduler.CosineAnnealingLR(adam, 4, 1e-5)"

FAULTS = [
    _fault("grid in the order xy", GRID, GRID.replace("ij", "xy"), "positions", "forward", "permuted_pixels permuted_channels", "66"),
    _fault("y before x", STACK, "ops.stack((y, x), -1)", "positions", "forward", "permuted_pixels permuted_channels", "49"),
    _fault("divided by the width", "/ (w - 1)", "/ w", "positions", "forward", "affine scale", "49"),
    _fault("flow of the wrong sign", "columns + flow", "columns - flow", "positions", "forward", "affine scale missing_term", "49"),
    _fault("flow half a pixel off", "columns + flow[:, 0]", "columns + flow[:, 0] + 0.5", "positions", "forward", "offset affine", "49"),
    _fault("align_corners of the warp", WARP, WARP.replace("True", "False"), "warp", "forward", "align_corners", "49"),
    _fault("zeros around the picture", WARP, WARP.replace('"border"', '"zeros"'), "warp", "forward", "border", "47"),
    _fault("mirrored around the picture", WARP, WARP.replace('"border"', '"reflection"'), "warp", "forward", "border", "47"),
    _fault("nearest for bilinear in the warp", WARP, WARP.replace("bilinear", "nearest"), "warp", "forward", "interpolation_mode", "47"),
    _fault("nearest for bilinear", ENLARGE, REPEAT, "enlarge", "forward", "interpolation_mode", "46"),
    _fault("align_corners of the resizing", ENLARGE, ENLARGE.replace("False", "True"), "enlarge", "forward", "align_corners", "46"),
    _fault("bicubic for bilinear", ENLARGE, ENLARGE.replace("bilinear", "bicubic"), "enlarge", "forward", "interpolation_mode", "44"),
    _fault("bilinear for nearest", REPEAT, ENLARGE, "repeat", "forward", "interpolation_mode", "46"),
    _fault("align_corners of the skip", SKIP, SKIP.replace("False", "True"), "skip", "forward", "align_corners", "46"),
    _fault("nearest in the skip", SKIP, 'nn.Upsample(size=(24, 24), mode="nearest")', "skip", "forward", "interpolation_mode", "46"),
    _fault("bilinear resizing for pooling", POOL, ENLARGE.replace("12, 12", "4, 4"), "pool", "forward", "pooling_replaced", "40"),
    _fault("maximum for the adaptive mean", POOL, "ops.adaptive_max_pool2d(x, 4)", "pool", "forward", "pooling_replaced", "40"),
    _fault("every other pixel for pooling", AVERAGE, "x[:, :, ::2, ::2]", "average", "forward", "pooling_replaced interpolation_mode", "40"),
    _fault("window of pooling moved", AVERAGE, "ops.avg_pool2d(ops.cat([x[:, :, :, -1:], x[:, :, :, :-1]], 3), 2, 2)", "average", "forward", "shift pooling_replaced border", "36"),
    _fault("overlaps not counted", f"{FOLD} / ops.fold(ones, size, 6, 1, 1, 4)", FOLD, "overlap", "forward", "scale border", "51"),
    _fault("overlaps counted as constant", "/ ops.fold(ones, size, 6, 1, 1, 4)", "/ 2.25", "overlap", "forward", "scale border", "51"),
    _fault("pieces from another place", "ops.unfold(y, 6, padding=1, stride=4)", "ops.unfold(ops.cat([y[:, :, -1:], y[:, :, :-1]], 2), 6, padding=1, stride=4)", "overlap", "forward", "shift", "50"),
    _fault("depth to space for pixel shuffle", UP, SHUFFLE, "up", "forward", "permuted_pixels permuted_channels", "52"),
    _fault("space to depth for pixel unshuffle", DOWN, UNSHUFFLE, "down", "forward", "permuted_channels", "53"),
    _fault("skip left out", "return self.up(y) + self.skip(x)", "return self.up(y)", "skip .", "forward", "missing_term", ""),
    _fault("skip of BGR", "self.skip(x)\n", "self.skip(x[:, ::-1])\n", ".", "forward", "permuted_channels permuted_pixels", "137"),
    _fault("transposed picture", "y = self.features(x)", "y = self.features(x.swapaxes(2, 3))", ".", "forward", "permuted_pixels", "68"),
    _fault("flipped picture", "y = self.features(x)", "y = self.features(x[:, :, :, ::-1])", ".", "forward", "permuted_pixels", ""),
    _fault("shifted by a pixel", "y = self.features(x)", "y = self.features(ops.cat([x[:, :, -1:], x[:, :, :-1]], 2))", ".", "forward", "shift", ""),
    _fault("range of 255", "y = self.features(x)", "y = self.features(x * 255)", ".", "forward", "scale", "137"),
    _fault("mean subtracted", "y = self.features(x)", "y = self.features(x - 0.5)", ".", "forward", "offset", "136"),
    _fault("features with pad_mode valid and zeros", FEATURES, "self.features = type('Conv', (nn.Conv2d,), {'construct': lambda self, x: ops.pad(super(type(self), self).construct(x), (1, 1, 1, 1))})(3, 8, 3, pad_mode='valid', has_bias=True)", "features", "forward", "border", "1"),
    _fault("features of one wrong tap", FEATURES, "self.features = type('Conv', (nn.Conv2d,), {'construct': lambda self, x: ops.conv2d(x, self.weight.flip((3,)), self.bias, pad_mode='pad', padding=1)})(3, 8, 3, pad_mode='pad', padding=1, has_bias=True)", "features", "forward", "flipped_weight", ""),
    _fault("warp's gradient cut", "self.warp(y, self.positions(self.flow(y)))", "self.warp(y, ops.stop_gradient(self.positions(self.flow(y))))", ".", "backward", "gradient_cut", "114"),
    _fault("epsilon of Charbonnier", LOSS, LOSS.replace("1e-12", "1e-6"), ".", "forward backward", "epsilon loss", "96"),
    _fault("epsilon outside the root", LOSS, "(((output - inputs[0].mean()) ** 2).sqrt() + 1e-6).mean()", ".", "forward backward training", "epsilon offset", "96"),
    _fault("L2 for Charbonnier", LOSS, "((output - inputs[0].mean()) ** 2).mean()", ".", "forward", "loss", ""),
    _fault("loss summed over the picture", LOSS, "((output - inputs[0].mean()) ** 2 + 1e-12).sqrt().sum((1, 2, 3)).mean()", ".", "forward", "reduction", "96"),
    _fault("one rate for the flow, too", ', "lr": 0.00025', "", "flow", "training", "learning_rate", "112"),
    _fault("cosine to zero", SCHEDULE, SCHEDULE.replace(", 1e-5", ""), ".", "training", "learning_rate", "105"),
    _fault("cosine of another length", SCHEDULE, SCHEDULE.replace("4,", "8,"), ".", "training", "learning_rate", "105"),
    _fault("betas at their defaults", ADAM, ADAM.replace("betas=(0.9, 0.99), ", ""), ".", "training", "optimizer", ""),
    _fault("MindSpore's own Adam", ADAM, ADAM.replace("AdamW", "Adam"), ".", "training", "optimizer_epsilon", "98"),
]  # fmt: skip

CONTROLS = [
    _control("as it is", "import optim", "import optim", "the port itself"),
    _control("pooling by reshape", AVERAGE, "x.reshape(2, 8, 6, 2, 6, 2).mean((3, 5))", "windows that do not overlap"),
    _control("adaptive pooling where sizes divide", POOL, "ops.avg_pool2d(x, 3, 3)", "12 is 3 times 4"),
    _control("nearest by repetition", REPEAT, "x.repeat_interleave(2, 2).repeat_interleave(2, 3)", "a whole factor"),
    _control("pixel shuffle by reshape", UP, SHUFFLE.replace("(2, 4, 4, 3, 6, 6)", "(2, 3, 4, 4, 6, 6)").replace("(0, 3, 4, 1, 5, 2)", "(0, 1, 4, 2, 5, 3)"), "the definition"),
    _control("pixel unshuffle by reshape", DOWN, UNSHUFFLE.replace("(0, 3, 5, 1, 2, 4)", "(0, 1, 3, 5, 2, 4)"), "the definition"),
    _control("Charbonnier by multiplication", LOSS, "ops.sqrt((output - inputs[0].mean()) * (output - inputs[0].mean()) + 1e-12).mean()", "the same formula"),
    _control("division as multiplication", "2 * (columns + flow[:, 0]) / (w - 1) - 1", "(columns + flow[:, 0]) * (2 / (w - 1)) - 1", "the same formula but for rounding"),
]  # fmt: skip
