"""The third network of the face detector MTCNN (O-Net, facenet-pytorch's weights) and a port with names of its own."""

import numpy as np


def torch_net():
    from torch import nn

    class ONet(nn.Module):
        """Crops of faces (n, 3, 48, 48) in -1..1 -> box (n, 4), five landmarks (n, 10), probability of a face (n, 2)."""

        def __init__(self):
            super().__init__()
            sizes = ((3, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 2))
            for i, (entering, leaving, side) in enumerate(sizes, 1):
                setattr(self, f"conv{i}", nn.Conv2d(entering, leaving, side))
                setattr(self, f"prelu{i}", nn.PReLU(leaving))
            self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
            self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
            self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
            self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
            self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)
            self.softmax6_1 = nn.Softmax(dim=1)

        def forward(self, x):
            x = self.pool1(self.prelu1(self.conv1(x)))
            x = self.pool2(self.prelu2(self.conv2(x)))
            x = self.pool3(self.prelu3(self.conv3(x)))
            x = self.prelu4(self.conv4(x)).permute(0, 3, 2, 1)  # the published weights expect columns first
            x = self.prelu5(self.dense5(x.flatten(1)))
            return self.dense6_2(x), self.dense6_3(x), self.softmax6_1(self.dense6_1(x))

    return ONet()


def ms_net():
    from mindspore import nn

    class Stage(nn.Cell):
        """Convolution, slope, pooling."""

        def __init__(self, entering, leaving, side, pool):
            super().__init__()
            self.filter = nn.Conv2d(entering, leaving, side, pad_mode="valid", has_bias=True)
            self.slope = nn.PReLU(leaving)
            self.pool = nn.MaxPool2d(pool, 2, pad_mode="pad", ceil_mode=True) if pool else nn.Identity()

        def construct(self, x):
            return self.pool(self.slope(self.filter(x)))

    class FaceNet(nn.Cell):
        def __init__(self):
            super().__init__()
            sizes = ((3, 32, 3, 3), (32, 64, 3, 3), (64, 64, 3, 2), (64, 128, 2, 0))
            self.landmarks, self.box, self.face = nn.Dense(256, 10), nn.Dense(256, 4), nn.Dense(256, 2)
            self.stages = nn.SequentialCell([Stage(*size) for size in sizes])
            self.last = nn.SequentialCell(nn.Dense(1152, 256), nn.PReLU(256))
            self.probability = nn.Softmax(axis=1)

        def construct(self, x):
            x = self.stages(x).permute(0, 3, 2, 1)
            x = self.last(x.reshape(x.shape[0], -1))
            return self.box(x), self.landmarks(x), self.probability(self.face(x))

    return FaceNet()


def inputs():
    return np.random.default_rng(1).uniform(-1, 1, (2, 3, 48, 48)).astype(np.float32)


SITES = {f"stages.{i}.{own}": f"{theirs}{i + 1}" for i in range(4) for own, theirs in (("filter", "conv"), ("slope", "prelu"))}
SITES |= {f"stages.{i}.pool": f"pool{i + 1}" for i in range(3)}
SITES |= {"last.0": "dense5", "last.1": "prelu5", "face": "dense6_1", "box": "dense6_2", "landmarks": "dense6_3"}
SITES |= {"probability": "softmax6_1"}
GROUPS = ("stages", "last", "stages.0", "stages.1", "stages.2", "stages.3", "stages.3.pool")
IGNORE = dict.fromkeys(GROUPS, "the port's own grouping")
COMPILE = False
COMPILE_REASON = "the pair shows weights; compiling is shown elsewhere"
