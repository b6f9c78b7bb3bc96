"""The two columns behind one face, so that a test is written once and run on each. No framework is imported before use."""

import importlib

import numpy as np

from port.parity.probe import Probe
from port.weights.ttvsr import expected_shapes

# Two float32 kernels that add 576 products (3x3, 64 channels) or 1568 (7x7, 32) in different orders differ by a few 1e-7 of
# the rms in the mean and by about 1e-5 in the worst of a million elements: max|a - b| over rms(a) of well-scaled inputs.
AGREEMENT = 2e-5
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, RGB


class TorchSide:
    """PyTorch: arrays in, arrays out."""

    package, name = "torch_ref", "torch"

    def __init__(self):
        import torch

        self.torch = torch

    def module(self, name):
        return importlib.import_module(f"{self.package}.{name}")

    def tensor(self, array):
        return self.torch.from_numpy(np.array(array))

    def array(self, tensor):
        return tensor.detach().cpu().numpy().copy()

    def parameters(self, net):
        """name -> what an optimiser changes."""
        return dict(net.named_parameters())

    def weights(self, net):
        """name -> array, buffers included."""
        return {name: self.array(value) for name, value in net.state_dict().items()}

    def fill(self, net, weights):
        net.load_state_dict({name: self.tensor(array) for name, array in weights.items()}, strict=True)
        return net

    def gradients(self, function, arrays, net=None):
        """Of the number function(*tensors). -> (value, [by input], {by parameter of net})"""
        tensors = [self.tensor(array).requires_grad_() for array in arrays]
        parameters = self.parameters(net) if net is not None else {}
        value = function(*tensors)
        found = self.torch.autograd.grad(value, [*tensors, *parameters.values()])
        found = [self.array(gradient) for gradient in found]
        return float(value.detach()), found[: len(tensors)], dict(zip(parameters, found[len(tensors) :], strict=True))


class MindSporeSide:
    """MindSpore, the same verbs."""

    package, name = "ms_model", "mindspore"

    def __init__(self):
        import mindspore

        self.mindspore = mindspore

    def module(self, name):
        return importlib.import_module(f"{self.package}.{name}")

    def tensor(self, array):
        return self.mindspore.Tensor(np.array(array))

    def array(self, tensor):
        return tensor.asnumpy().copy()

    def parameters(self, net):
        """name -> what an optimiser changes."""
        return {parameter.name: parameter for parameter in net.trainable_params()}

    def weights(self, net):
        """name -> array, what a .ckpt would hold."""
        return {name: self.array(value) for name, value in net.parameters_dict().items()}

    def fill(self, net, weights):
        parameters = net.parameters_dict()
        assert parameters.keys() == weights.keys()
        for name, array in weights.items():
            parameters[name].set_data(self.tensor(array))
        return net

    def gradients(self, function, arrays, net=None):
        """Of the number function(*tensors). -> (value, [by input], {by parameter of net})"""
        parameters = self.parameters(net) if net is not None else {}
        positions = tuple(range(len(arrays))) or None
        differentiate = self.mindspore.value_and_grad(function, positions, list(parameters.values()) or None)
        value, found = differentiate(*[self.tensor(array) for array in arrays])
        if not parameters:
            inputs, by_weight = found, ()
        else:
            inputs, by_weight = found if arrays else ((), found)
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        by_name = {name: self.array(gradient) for name, gradient in zip(parameters, by_weight, strict=True)}
        return float(value), [self.array(gradient) for gradient in inputs], by_name


COLUMNS = {"torch_ref": TorchSide, "ms_model": MindSporeSide}


class Recorded(Probe):
    """A probe that keeps a copy of everything: `values` and `decisions`, by "step/name", and the `steps` in order."""

    def __init__(self, side):
        self.side, self.label = side, "start"
        self.steps, self.values, self.decisions = [], {}, {}

    def step(self, label):
        self.label = label
        self.steps.append(label)

    def __call__(self, name, value):
        self.values[f"{self.label}/{name}"] = self.side.array(value)
        return value

    def decide(self, name, value):
        self.decisions[f"{self.label}/{name}"] = self.side.array(value)
        return value


def rms(a):
    return float(np.sqrt(np.mean(np.square(np.asarray(a, np.float64)))))


def worst(reference, found):
    """max|a - b| over rms(a); infinite where shapes differ or either holds NaN."""
    reference, found = np.asarray(reference, np.float64), np.asarray(found, np.float64)
    if reference.shape != found.shape or not (np.isfinite(reference).all() and np.isfinite(found).all()):
        return float("inf")
    return float(np.abs(reference - found).max() / max(rms(reference), 1e-30))


def relative_l2(reference, found):
    """|a - b| / |a| over all elements; infinite where shapes differ or either holds NaN."""
    reference, found = np.asarray(reference, np.float64), np.asarray(found, np.float64)
    if reference.shape != found.shape or not (np.isfinite(reference).all() and np.isfinite(found).all()):
        return float("inf")
    return float(np.linalg.norm(reference - found) / max(np.linalg.norm(reference), 1e-30))


def random_like(rng, shapes, gain=1.0):
    """name -> float32 weights: kernels of standard deviation gain / sqrt(fan-in), biases within 0.1."""
    drawn = {}
    for name, shape in shapes.items():
        kernel = len(shape) == 4
        array = rng.normal(0, gain / np.sqrt(np.prod(shape[1:])), shape) if kernel else rng.uniform(-0.1, 0.1, shape)
        drawn[name] = array.astype(np.float32)
    return drawn


def make_weights(config, seed=0):
    """Seeded TTVSR weights in a lively regime: flows of one to three pixels, features of size one throughout."""
    rng = np.random.default_rng(seed)
    weights = random_like(rng, expected_shapes(config))
    for name in weights:
        if name.startswith("spynet."):
            weights[name] = _flow_weight(rng, name, weights[name].shape)
    return weights


def _flow_weight(rng, name, shape):
    """SPyNet: hidden layers keep their scale (gain sqrt 2 before a ReLU), the last one of a level changes the flow a bit."""
    if name in ("spynet.mean", "spynet.std"):
        return np.array(MEAN if name.endswith("mean") else STD, np.float32).reshape(shape)
    last = ".4.conv." in name
    if name.endswith("bias"):
        return rng.uniform(-0.1, 0.1, shape).astype(np.float32)
    return rng.normal(0, (0.2 if last else 1.4) / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
