"""Mistakes and harmless changes in the port of TTVSR itself: flow, warp, trajectories, attention, fusion, training."""

from functools import partial

from port.selftest.fault import control, fault, several

_glue = partial(fault, "ttvsr", file="ttvsr.py")
_common = partial(fault, "ttvsr", file="vsr.py")
_ltam = partial(fault, "ttvsr", file="ltam.py")
_tokens = partial(fault, "ttvsr", file="tokens.py")
_warp = partial(fault, "ttvsr", file="warp.py")
_flow = partial(fault, "ttvsr", file="spynet.py")
_blocks = partial(fault, "ttvsr", file="blocks.py")
_loss = partial(fault, "ttvsr", file="loss.py")
_rule = partial(fault, "ttvsr", file="zoo/video.py")

SKIP = 'F.interpolate(lr, size=x.shape[2:], mode="bilinear", align_corners=False)'
FOLLOW = "flow_warp(prop, flow))"
POOL = "F.adaptive_avg_pool2d(flow, grid) / self.token_stride"
CARRIED = 'self.probe.decide("location", warp_locations(locations, token_flow))'
TOKENS = "self.LTAM.tokenize(feat, prop)"
ATTEND = "self.LTAM(feat, prop, keyframes, locations)"
MERGED = "self.resblocks(F.cat([feat, prop], axis=1))"
UPSAMPLE = "taken = backward.pop(i), feats.pop(i), forward, lrs[:, i]"
FUSED = "F.cat([backward, feat, forward], axis=1)"
UNSHUFFLE = "F.pixel_unshuffle(x[:, :, : rows * stride, : columns * stride], stride)"
AVERAGED = "F.matmul(_averages(h, stride, patch).astype(x.dtype), across)"
# the same by the chain of operations, as a port would write it down first
PATCHES = "F.unfold(x, patch, stride=stride, padding=(patch - stride) // 2)"
RESHAPED = f"{PATCHES}.reshape(*x.shape[:2], h * patch // stride, w * patch // stride)"
FOLDED = f'F.fold({PATCHES}, Tensor((h * patch // stride, w * patch // stride)).astype("int32"), patch, stride=patch)'
LARGER = 'F.interpolate(flow, size=ref.shape[2:], mode="bilinear", align_corners=True) * 2.0'
HALVED = "F.avg_pool2d(levels[-1], 2, stride=2, count_include_pad=False)"
NORMED = "(x - self.mean) / self.std"
SHUFFLE = "F.pixel_shuffle(self.upsample_conv(x), 2)"
BLOCK = "x + self.conv2(F.relu(self.conv1(x)))"
DEPTH = (
    "(lambda y: y.reshape(y.shape[0], 2, 2, y.shape[1] // 4, *y.shape[2:]).permute(0, 3, 4, 1, 5, 2)"
    ".reshape(y.shape[0], y.shape[1] // 4, 2 * y.shape[2], 2 * y.shape[3]))(self.upsample_conv(x))"
)
SPACE = (
    "x.reshape(x.shape[0], x.shape[1], rows, stride, columns, stride).permute(0, 3, 5, 1, 2, 4)"
    ".reshape(x.shape[0], -1, rows, columns)"
)
ADAM = "optim.AdamW(groups, lr=0.002, betas=(0.9, 0.99), weight_decay=0.0)"
SCHEDULE = "optim.lr_scheduler.CosineAnnealingLR(adam, 4, 1e-5)"
BOTH = "feat_extractor.main.2.* resblocks.main.2.*"

FAULTS = [
    # optical flow
    _flow("flow not doubled from level to level", LARGER, LARGER.replace(" * 2.0", ""), "spynet", "forward", "scale", "49"),
    _flow("align_corners of the pyramid", LARGER, LARGER.replace("True", "False"), "spynet", "forward", "align_corners", "46"),
    _flow("every other pixel for the pyramid's means", HALVED, "levels[-1][:, :, ::2, ::2]", "spynet", "forward", "pooling_replaced interpolation_mode", "36 40"),
    _flow("mean and deviation exchanged", NORMED, "(x - self.std) / self.mean", "spynet", "forward", "affine", "136"),
    _flow("pictures of BGR", NORMED, "(x[:, ::-1] - self.mean) / self.std", "spynet", "forward", "permuted_channels affine", "137"),
    _flow("flow of the level before left out", "flow = flow + self.basic_module[level]", "flow = self.basic_module[level]", "spynet", "forward", "missing_term", ""),
    _flow("ReLU behind the last layer", "activate=i < last", "activate=True", "spynet.basic_module.*", "forward", "activation slope", ""),
    _flow("x and y of the flow exchanged", "F.stack([flow[:, 0] * (w / size[1]), flow[:, 1] * (h / size[0])], axis=1)", "F.stack([flow[:, 1] * (h / size[0]), flow[:, 0] * (w / size[1])], axis=1)", "spynet", "forward", "permuted_channels", "49"),
    _common("flow of the other direction", "self._flow(second, first)", "self._flow(first, second)", ".", "forward", "exchanged shift", "142"),
    # warp
    _warp("zeros around the picture", "padding_mode=padding", 'padding_mode="zeros"', "spynet .", "forward", "border", "47"),
    _warp("align_corners of the warp", "padding, align_corners=True)", "padding, align_corners=False)", "spynet .", "forward", "align_corners affine", "49"),
    _warp("nearest for bilinear", 'mode="bilinear"', 'mode="nearest"', "spynet .", "forward", "interpolation_mode", "48"),
    _warp("grid in the order xy", 'indexing="ij"', 'indexing="xy"', "spynet .", "forward", "permuted_pixels", "66"),
    _warp("width for width minus one", "2.0 * position[:, 0] / max(w - 1, 1)", "2.0 * position[:, 0] / w", "spynet .", "forward", "align_corners affine shift", "49"),
    _glue("axes of the flow swapped", FOLLOW, "flow_warp(prop, flow.flip((1,))))", ".", "forward", "flow", "49"),
    _glue("flow of the wrong sign", FOLLOW, "flow_warp(prop, -flow))", ".", "forward", "flow", "49"),
    _glue("features not moved", FOLLOW, "prop)", ".", "forward", "flow exchanged", "142"),
    _common("flow of the wrong frame", "flows[:, i - 1]", "flows[:, i - 2]", ".", "forward", "flow shift", "142"),
    # trajectories and keyframes
    _glue("flow of the tokens in pixels", POOL, "F.adaptive_avg_pool2d(flow, grid)", ".", "forward", "scale", "49"),
    _glue("resizing for the pooling of the flow", POOL, 'F.interpolate(flow, size=grid, mode="bilinear", align_corners=False) / self.token_stride', ".", "forward", "pooling_replaced", "40"),
    _glue("locations not carried", CARRIED, 'self.probe.decide("location", locations)', ".", "forward", "wrong_choice", "142"),
    _glue("new keyframe's locations first", "F.cat([locations, fresh], axis=1)", "F.cat([fresh, locations], axis=1)", ".", "forward", "wrong_choice permuted_channels", ""),
    _glue("every other frame for a keyframe", "range(0, t, self.keyframe_stride)", "range(0, t, self.keyframe_stride + 1)", ".", "forward", "shape missing", "142"),
    _glue("keyframes one frame late", "range(0, t, self.keyframe_stride)", "range(0, t + 1, self.keyframe_stride)[1:]", ".", "forward", "shape missing", "142"),
    _warp("locations rounded down", "F.round(F.clamp", "F.floor(F.clamp", ".", "forward", "wrong_choice", "48"),
    # attention
    _ltam("scales of the tokens exchanged", '"s2": s2, "s3": s3', '"s2": s3, "s3": s2', "LTAM", "forward", "exchanged", ""),
    _ltam("middle tokens of the largest patch", "enlarged_tokens(prop, s, 3 * s // 2)", "enlarged_tokens(prop, s, 2 * s)", ".", "forward", "exchanged", "", "*/token_s2"),
    _ltam("smallest for largest similarity", "similarity.argmax(axis=1)", "similarity.argmin(axis=1)", "LTAM", "forward", "wrong_choice", "63"),
    _ltam("query not of unit length", "_unit(_as_rows(pixels_to_tokens(query, self.stride)))", "_as_rows(pixels_to_tokens(query, self.stride))", "LTAM", "forward", "scale", "23"),
    _ltam("epsilon beside the length", "tokens / F.sqrt(F.clamp(squares, min=1e-24))", "tokens / (F.sqrt(F.clamp(squares, min=1e-24)) + 1e-2)", "LTAM", "forward", "epsilon scale", "23"),
    _ltam("gain left out", "self.fusion(F.cat(values, axis=1)) * gain", "self.fusion(F.cat(values, axis=1))", "LTAM", "forward", "missing_term scale", ""),
    _ltam("anchor left out", "return anchor + self.fusion", "return self.fusion", "LTAM", "forward", "missing_term", ""),
    _ltam("values in another order", "F.cat(values, axis=1)", "F.cat(values[::-1], axis=1)", "LTAM", "forward", "permuted_channels", ""),
    _ltam("rows and columns of the locations exchanged", "locations[:, 1::2] * columns + locations[:, 0::2]", "locations[:, 0::2] * columns + locations[:, 1::2]", "LTAM", "forward", "permuted_pixels", "49 66"),
    _ltam("similarity with the first keyframe", "F.gather(index, some, 0)", "F.gather(index, some % (n * tokens), 0)", "LTAM", "forward", "wrong_choice permuted_channels exchanged", "64"),
    _tokens("space to depth for pixel unshuffle", UNSHUFFLE, SPACE, ". LTAM", "forward", "permuted_channels", "53"),
    _tokens("folded by a reshape", AVERAGED, f"F.adaptive_avg_pool2d({RESHAPED}, (h, w))", ".", "forward", "permuted_pixels pooling_replaced", "51"),
    _tokens("resizing for adaptive pooling", AVERAGED, f'F.interpolate({FOLDED}, size=(h, w), mode="nearest")', ".", "forward", "pooling_replaced interpolation_mode", "40"),
    # fusion and reconstruction
    _glue("query of the wrong frame", ATTEND, ATTEND.replace("feat", "feats[i - 1]"), ".", "forward", "shift", "142"),
    _glue("features and propagated ones exchanged", MERGED, MERGED.replace("feat, prop", "prop, feat"), ".", "forward", "permuted_channels", ""),
    _glue("propagation that starts at one", "F.zeros_like(first)", "F.ones_like(first)", ".", "forward", "offset", ""),
    _glue("directions exchanged", FUSED, "F.cat([forward, feat, backward], axis=1)", ".", "forward", "permuted_channels", ""),
    _glue("features of the wrong frame", UPSAMPLE, UPSAMPLE.replace("feats.pop(i)", "feats[min(i + 1, t - 1)]"), ".", "forward", "shift", "142"),
    _common("skip left out", f"x + {SKIP}", "x", ".", "forward", "missing_term exchanged", ""),
    _common("skip bicubic", SKIP, SKIP.replace("bilinear", "bicubic"), ".", "forward", "interpolation_mode", "44"),
    _common("align_corners of the skip", SKIP, SKIP.replace("False", "True"), ".", "forward", "align_corners", "46"),
    _common("frames in reverse", "F.stack(list(self._frames(lrs)), axis=1)", "F.stack(list(self._frames(lrs))[::-1], axis=1)", ".", "forward", "permuted_channels permuted_pixels", "142"),
    _glue("half precision in the propagation", MERGED, MERGED.replace("axis=1)", 'axis=1).astype("float16").astype("float32")'), ".", "forward", "half_cast", "116"),
    _blocks("depth to space for pixel shuffle", SHUFFLE, DEPTH, "upsample1 upsample2", "forward", "permuted_pixels permuted_channels", "52"),
    _blocks("slope of the trunk", "nn.LeakyReLU(LRELU_SLOPE)", "nn.LeakyReLU()", "feat_extractor.main.1 resblocks.main.1", "forward", "slope", "26"),
    _blocks("slope of the upsampler", "F.leaky_relu(x, LRELU_SLOPE)", "F.leaky_relu(x, 0.2)", ".", "forward", "slope", "26"),
    _blocks("residual left out", BLOCK, BLOCK.replace("x + ", ""), BOTH, "forward", "missing_term", ""),
    # loss, gradients, training
    _loss("epsilon of Charbonnier", "EPS = 1e-12", "EPS = 1e-6", ".", "forward backward", "epsilon loss", "96"),
    _loss("loss left as a sum", ".mean()", ".sum()", ".", "forward", "reduction", "91 96"),
    _glue("gradient cut at the flow", FOLLOW, "flow_warp(prop, F.stop_gradient(flow)))", ".", "backward", "gradient_cut gradient_scale", "114"),
    _glue("gradient cut through the recurrence", MERGED, MERGED.replace("prop]", "F.stop_gradient(prop)]"), ".", "backward", "gradient_cut", "114"),
    _glue("gradient cut at the keyframes", TOKENS, TOKENS.replace(" prop", " F.stop_gradient(prop)"), ".", "backward", "gradient_cut", "114"),
    _ltam("gradient cut at the similarity", "F.gather_elements(similarity, 1", "F.gather_elements(F.stop_gradient(similarity), 1", "LTAM", "backward", "gradient_cut", "114"),
    _ltam("fetched by asnumpy", "tokens.reshape(tokens.shape[:2] + grid)", "mindspore.Tensor(tokens.asnumpy()).reshape(tokens.shape[:2] + grid)", "LTAM", "backward", "gradient_cut", "114"),
    _rule("flow at the full rate", ', "lr": 0.00025', "", "spynet.*", "training", "learning_rate", "112"),
    _rule("flow frozen", "    slow =", "    for p in network.spynet.get_parameters():\n        p.requires_grad = False\n    slow =", "spynet.*", "training", "not_updated frozen", "115"),
    _rule("cosine of another length", SCHEDULE, SCHEDULE.replace("4,", "8,"), ".", "training", "learning_rate", "105"),
    _rule("MindSpore's own Adam", ADAM, ADAM.replace("AdamW", "Adam"), ".", "training", "optimizer_epsilon", "98"),
]  # fmt: skip


def _named(name: str):
    return next(case for case in FAULTS if case.name == name)


FAULTS += [
    several("two at once: pyramid, attention", _named("flow not doubled from level to level"), _named("gain left out")),
    several("two at once: trunk, upsampler", _named("slope of the trunk"), _named("depth to space for pixel shuffle")),
    several("two at once: blocks, trajectories", _named("residual left out"), _named("flow of the tokens in pixels")),
    several("two at once: attention, fusion", _named("values in another order"), _named("directions exchanged")),
    several("two at once: flow, training", _named("x and y of the flow exchanged"), _named("cosine of another length")),
    several("two at once: similarity, trunk", _named("smallest for largest similarity"), _named("slope of the trunk")),
    several(
        "three at once: flow, attention, upsampler",
        _named("mean and deviation exchanged"), _named("anchor left out"), _named("depth to space for pixel shuffle"),
    ),
]  # fmt: skip

CONTROLS = [
    control("ttvsr", "as it is", "import optim", "import optim", "the port itself"),
    control("ttvsr", "pad_mode same at stride one", 'pad_mode="pad", padding=3', 'pad_mode="same"', "an odd kernel is padded alike on both sides", "spynet.py"),
    control("ttvsr", "pyramid by bilinear resizing", HALVED, 'F.interpolate(levels[-1], scale_factor=0.5, recompute_scale_factor=True, mode="bilinear", align_corners=False)', "halfway between two pixels their mean is taken", "spynet.py"),
    control("ttvsr", "pixel shuffle by reshape", SHUFFLE, DEPTH.replace("2, 2, y.shape[1] // 4,", "y.shape[1] // 4, 2, 2,").replace("(0, 3, 4, 1, 5, 2)", "(0, 1, 4, 2, 5, 3)"), "the definition", "blocks.py"),
    control("ttvsr", "unit length by multiplication", "tokens / F.sqrt(F.clamp(squares, min=1e-24))", "tokens * (1 / F.sqrt(F.clamp(squares, min=1e-24)))", "the same but for rounding", "ltam.py"),
    control("ttvsr", "residual the other way round", BLOCK, "self.conv2(F.relu(self.conv1(x))) + x", "addition commutes", "blocks.py"),
    control("ttvsr", "tokens' flow by multiplication", POOL, "F.avg_pool2d(flow, self.token_stride, self.token_stride) * (1 / self.token_stride)", "windows that do not overlap; a power of two", "ttvsr.py"),
    control("ttvsr", "Charbonnier by multiplication", "(output - target) ** 2", "(output - target) * (output - target)", "the same formula", "loss.py"),
]  # fmt: skip
