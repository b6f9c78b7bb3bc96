"""Seven small pairs that cover the rules of layer_rules.toml; the ports have names, orders and layouts of their own.

NETS: name -> (torch_net, ms_net, inputs); `pair_file` makes a pair's file of one.
"""

import numpy as np


def pair_file(name, path):
    """A file for load_pair. -> path"""
    source = "from parity_tests.convert.layer_nets import NETS\n"
    path.write_text(f"{source}torch_net, ms_net, inputs = NETS[{name!r}]\n", encoding="utf-8")
    return path


def array(*shape):
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def torch_convolutions():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.up1 = nn.Conv1d(4, 6, 3, padding=1), nn.ConvTranspose1d(6, 4, 3, padding=1)
            self.grouped, self.depth = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=4)
            self.halves, self.up2 = nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.ConvTranspose2d(8, 3, 3, padding=1)
            self.three = nn.Conv3d(1, 2, 3, padding=1)

        def forward(self, x):
            x = self.up1(self.one(x)).unsqueeze(1)
            x = self.up2(self.halves(self.depth(self.grouped(x))))
            return self.three(x.unsqueeze(1))

    return Net()


def ms_convolutions():
    from mindspore import nn

    pad = {"pad_mode": "pad", "padding": 1, "has_bias": True}

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.last = nn.Conv3d(1, 2, 3, **pad)
            self.first, self.back = nn.Conv1d(4, 6, 3, **pad), nn.Conv1dTranspose(6, 4, 3, **pad)
            self.a, self.b = nn.Conv2d(1, 4, 3, **pad), nn.Conv2d(4, 4, 3, group=4, **pad)
            self.c, self.d = nn.Conv2d(4, 8, 3, group=2, **pad), nn.Conv2dTranspose(8, 3, 3, **pad)

        def construct(self, x):
            x = self.back(self.first(x)).expand_dims(1)
            return self.last(self.d(self.c(self.b(self.a(x)))).expand_dims(1))

    return Net()


def torch_norms():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.batch, self.volume = nn.BatchNorm2d(6), nn.BatchNorm3d(3)
            self.instance = nn.InstanceNorm2d(6, affine=True, track_running_stats=True)
            self.group, self.layer, self.flat = nn.GroupNorm(3, 6), nn.LayerNorm(5), nn.BatchNorm1d(5)

        def forward(self, x):
            x = self.group(self.instance(self.batch(self.layer(x))))
            x = self.volume(x.reshape(2, 3, 2, 4, 5))
            return self.flat(x.reshape(-1, 5))

    return Net()


def ms_norms():
    from mindspore import nn

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.flat, self.layer, self.group = nn.BatchNorm1d(5), nn.LayerNorm((5,), epsilon=1e-5), nn.GroupNorm(3, 6)
            self.second, self.first, self.volume = nn.BatchNorm2d(6), nn.BatchNorm2d(6), nn.BatchNorm3d(3)

        def construct(self, x):  # InstanceNorm has no kernel on a CPU; with running statistics it is a BatchNorm
            x = self.group(self.second(self.first(self.layer(x))))
            return self.flat(self.volume(x.reshape(2, 3, 2, 4, 5)).reshape(-1, 5))

    return Net()


def torch_recurrent():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True)
            self.gru = nn.GRU(6, 5, batch_first=True, bidirectional=True)

        def forward(self, x):
            return self.gru(self.lstm(x)[0])[0]

    return Net()


def ms_recurrent():
    from mindspore import nn

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.second = nn.GRU(6, 5, batch_first=True, bidirectional=True)
            self.first = nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True)

        def construct(self, x):
            return self.second(self.first(x)[0])[0]

    return Net()


def torch_gates():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.step, self.head = nn.LSTMCell(3, 4), nn.Linear(4, 4)

        def forward(self, x, h, c):
            return self.head(self.step(x, (h, c))[0])

    return Net()


def ms_gates():
    """A cell of somebody's own: gates in the order in, cell, forget, out; a square matrix the other way round."""
    from mindspore import Parameter, Tensor, nn, ops

    def zeros(*shape):
        return Parameter(Tensor(np.zeros(shape, np.float32)))

    class Step(nn.Cell):
        def __init__(self):
            super().__init__()
            self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = zeros(16, 3), zeros(16, 4), zeros(16), zeros(16)

        def construct(self, x, h, c):
            gates = ops.matmul(x, self.weight_ih.T) + self.bias_ih + ops.matmul(h, self.weight_hh.T) + self.bias_hh
            i, g, f, o = ops.split(gates, 4, 1)
            return ops.sigmoid(o) * ops.tanh(ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g))

    class Times(nn.Cell):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = zeros(4, 4), zeros(4)

        def construct(self, x):
            return ops.matmul(x, self.weight) + self.bias

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.head, self.step = Times(), Step()

        def construct(self, x, h, c):
            return self.head(self.step(x, h, c))

    return Net()


def torch_attention():
    from torch import nn
    from torch.nn import functional as F

    class Split(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fused, self.apart = nn.MultiheadAttention(8, 1, batch_first=True), Split()
            self.same = nn.MultiheadAttention(8, 1, batch_first=True)

        def forward(self, x):
            x = x + self.same(x, x, x, need_weights=False)[0]
            x = x + self.fused(x, x, x, need_weights=False)[0]
            return x + self.apart(x)

    return Net()


def ms_attention():
    from mindspore import nn, ops

    def attend(q, k, v):
        return ops.matmul(ops.softmax(ops.matmul(q, k.swapaxes(1, 2)) / 8**0.5, -1), v)

    class Split(nn.Cell):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.out_proj = nn.Dense(8, 8), nn.Dense(8, 8), nn.Dense(8, 8), nn.Dense(8, 8)

        def construct(self, x):
            return self.out_proj(attend(self.q(x), self.k(x), self.v(x)))

    class Fused(nn.Cell):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Dense(8, 24)

        def construct(self, x):
            return attend(*ops.split(self.qkv(x), 8, -1))

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.fused, self.apart = Split(), Fused()
            self.same = nn.MultiheadAttention(8, 1, batch_first=True)

        def construct(self, x):
            x = x + self.same(x, x, x, need_weights=False)[0]
            x = x + self.fused(x)
            return x + self.apart(x)

    return Net()


def torch_tokens():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.act = nn.Embedding(9, 4), nn.PReLU(5)
            self.register_buffer("scale", nn.Parameter(self.table.weight.new_full((4,), 0.5), False).data)
            self.head = nn.Linear(4, 9, bias=False)
            self.head.weight = self.table.weight

        def forward(self, ids):
            return self.head(self.act(self.table(ids) * self.scale))

    return Net()


def ms_tokens():
    from mindspore import Tensor, nn, ops

    class Act(nn.Cell):
        def __init__(self):
            super().__init__()
            self.act = nn.PReLU(5)

        def construct(self, x):
            return self.act(x)

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.tokens, self.slope = nn.Embedding(9, 4), Act()
            self.register_buffer("scale", Tensor(np.zeros(4, np.float32)))

        def construct(self, ids):
            x = self.slope(self.tokens(ids) * self.scale)
            return ops.matmul(x, self.tokens.embedding_table.T)

    return Net()


def torch_blocks():
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.body = nn.LayerNorm(6), nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))

        def forward(self, x):
            return x + self.body(self.norm(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([Block() for _ in range(3)])

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.ModuleDict({"net": Net()})

        def forward(self, x):
            return self.inner["net"](x)

    return Wrapper()


def ms_blocks():
    """The same blocks, their parts in lists of their own, the last block first."""
    from mindspore import nn, ops

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.up = nn.CellList([nn.Dense(6, 6) for _ in range(3)])
            self.down = nn.CellList([nn.Dense(6, 6) for _ in range(3)])
            self.norms = nn.CellList([nn.LayerNorm((6,), epsilon=1e-5) for _ in range(3)])

        def construct(self, x):
            for i in (2, 1, 0):
                x = x + self.down[i](ops.relu(self.up[i](self.norms[i](x))))
            return x

    return Net()


NETS = {
    "convolutions": (torch_convolutions, ms_convolutions, lambda: array(2, 4, 8)),
    "norms": (torch_norms, ms_norms, lambda: array(2, 6, 4, 5)),
    "recurrent": (torch_recurrent, ms_recurrent, lambda: array(2, 4, 4)),
    "gates": (torch_gates, ms_gates, lambda: (array(3, 3), array(3, 4), array(3, 4))),
    "attention": (torch_attention, ms_attention, lambda: array(2, 5, 8)),
    "tokens": (torch_tokens, ms_tokens, lambda: np.random.default_rng(7).integers(0, 9, (3, 5)).astype(np.int32)),
    "blocks": (torch_blocks, ms_blocks, lambda: array(4, 6)),
}
