"""The voice encoder of Resemblyzer (its weights) and a port: three layers of LSTM and a dense one."""

import numpy as np


def torch_net():
    from torch import nn

    class VoiceEncoder(nn.Module):
        """Mel spectrograms (n, t, 40), t frames of 10 ms -> embeddings (n, 256), at least zero and of length one."""

        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
            self.linear = nn.Linear(256, 256)
            self.relu = nn.ReLU()

        def forward(self, mels):
            _, (hidden, _) = self.lstm(mels)
            raw = self.relu(self.linear(hidden[-1]))
            return raw / (raw**2).sum(1, keepdim=True).sqrt()

    return VoiceEncoder()


def ms_net():
    from mindspore import nn

    class Encoder(nn.Cell):
        def __init__(self):
            super().__init__()
            self.memory = nn.LSTM(40, 256, 3, batch_first=True)
            self.embed = nn.Dense(256, 256)
            self.relu = nn.ReLU()

        def construct(self, mels):
            _, (hidden, _) = self.memory(mels)
            raw = self.relu(self.embed(hidden[-1]))
            return raw / (raw**2).sum(1, keepdims=True).sqrt()

    class Wrapped(nn.Cell):
        def __init__(self):
            super().__init__()
            self.encoder = Encoder()

        def construct(self, mels):
            return self.encoder(mels)

    return Wrapped()


def inputs():
    return np.abs(np.random.default_rng(2).standard_normal((2, 8, 40))).astype(np.float32) * 0.05


SITES = {"encoder.memory": "lstm", "encoder.embed": "linear", "encoder.relu": "relu"}
LEFT_OUT = dict.fromkeys(("similarity_weight", "similarity_bias"), "scale of the training loss")
IGNORE = {"encoder": "the port's own wrapper"}
IGNORE |= dict.fromkeys(("encoder.memory.rnn", "encoder.memory.dropout_op"), "inside MindSpore's LSTM")
COMPILE = False
COMPILE_REASON = "the pair shows weights; compiling is shown elsewhere"
