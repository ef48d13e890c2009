"""A GPU that is not there: torch's fake CUDA tensors say where everything is, the CPU says what it holds.

`torch._subclasses.FakeTensorMode` makes CUDA tensors without a driver and raises where devices mix, but its tensors hold
nothing. Here each of them carries the CPU tensor with its values, so that whole detectors run: K-Means, checks for NaN,
files, and scores that must be the CPU's own. What it cannot show: another arithmetic, speed, memory. `make bench-gpu` does.
"""

from contextlib import contextmanager

import pytest
import torch
import torchvision.models  # noqa: F401  (not first under fake tensors, when a network is built)
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

import vadlib.detectors.detector
import vadlib.networks
from vadlib.detectors import heatmaps, ssim

N_GPUS = 2


class PretendedGpu(FakeTensorMode):
    """A fake mode whose tensors have values.

    Attributes
    ----------
    moves : list of (str, str, int)
        Each copy between devices: from, to, bytes.
    """

    avoid_device_init = True  # however many GPUs `torch.cuda` is said to see

    def __init__(self):
        super().__init__(allow_non_fake_inputs=True)
        self.cache_enabled = True
        self.moves: list[tuple[str, str, int]] = []
        self._inside = False

    def dispatch(self, func, types, args=(), kwargs=None):
        """Let the fakes decide on devices, compute the values on the CPU, and join the two."""
        if self._inside:
            return super().dispatch(func, types, args, kwargs)
        self._inside = True
        try:
            args, kwargs = tree_map(self._as_fake, (args, kwargs or {}))
            found = super().dispatch(func, types, args, kwargs)
        except (DataDependentOutputException, DynamicOutputShapeException):
            found = None  # it depends on the values, which are there
        finally:
            self._inside = False
        with _disable_current_modes():
            values = func(*tree_map(_value, args), **{k: _value(v) for k, v in kwargs.items() if k != "pin_memory"})
        origin = next((a.device for a in tree_leaves((args, kwargs)) if isinstance(a, FakeTensor)), None)
        if found is None:
            return tree_map(lambda value: self._new(value, origin), values)
        for fake, value in zip(tree_leaves(found), tree_leaves(values), strict=True):
            if isinstance(fake, FakeTensor):
                fake.held, fake.constant = value, None
                if origin not in (None, fake.device):
                    self.moves.append((str(origin), str(fake.device), value.nbytes))
        return found

    def _as_fake(self, x):
        """A plain CPU tensor, such as a frame or a weight that was there before, as a fake that holds it."""
        if type(x) not in (torch.Tensor, torch.nn.Parameter):
            return x
        fake = self.fake_tensor_converter.from_real_tensor(self, x)
        fake.held = x
        return fake

    def _new(self, value, device):
        if not isinstance(value, torch.Tensor):
            return value
        with _disable_current_modes():
            fake = FakeTensor(self, value.to("meta"), device)
        fake.held = value
        return fake


def held(x: torch.Tensor) -> torch.Tensor:
    """The values of a tensor, as a plain CPU tensor."""
    return _value(x)


@contextmanager
def pretended_gpu():
    """Run a block on a machine that seems to have two GPUs; gives the `PretendedGpu`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, answer in (("is_available", True), ("device_count", N_GPUS), ("is_bf16_supported", True)):
            patch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
        patch.setattr(FakeTensor, "numpy", _numpy)
        patch.setattr(torch.nn.Module, "_apply", _apply)
        patch.setattr(torch.autograd, "grad", _grad)
        for name in ("resnet18", "efficientnet_lite0", "clip_vision"):
            patch.setattr(vadlib.networks, name, outside(getattr(vadlib.networks, name)))
        patch.setattr(vadlib.detectors.detector, "save_file", _plain(vadlib.detectors.detector.save_file))
        patch.setattr(vadlib.detectors.detector, "load_file", _plain(vadlib.detectors.detector.load_file))
        try:
            with PretendedGpu() as mode:
                yield mode
        finally:
            for cached in (heatmaps._resize_and_blur_matrix, ssim._blur_matrix):
                cached.cache_clear()  # their tensors belong to the mode


def outside(make):
    """A function that makes a network, with its tensors plain ones of the CPU, as before anything is moved."""

    def call(*args, **options):
        with _disable_current_modes():
            return make(*args, **options)

    return call


def _value(x):
    if isinstance(x, FakeTensor):
        return x.held
    return torch.device("cpu") if isinstance(x, torch.device) else x


def _numpy(self, *_, **__):
    if self.device.type != "cpu":
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() first")
    with _disable_current_modes():
        return self.held.detach().numpy()


def _plain(function):
    """A function of files, given plain tensors and run without the mode."""

    def call(*args):
        for tensor in tree_leaves(args):
            assert not isinstance(tensor, torch.Tensor) or tensor.device.type == "cpu"
        with _disable_current_modes():
            return function(*tree_map(_value, args))

    return call


def _apply(self, change, recurse=True):
    """`Module._apply`, which `Module.to` is made of: torch's own swaps fakes in place, and that fails."""
    for module in self.modules() if recurse else [self]:
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = torch.nn.Parameter(change(parameter), parameter.requires_grad)
        module._buffers.update({name: change(buffer) for name, buffer in module._buffers.items() if buffer is not None})
    return self


def _grad(output, inputs):
    """`torch.autograd.grad`: the engine's threads for a GPU need a driver, walking the graph does not."""
    wanted = [_edge(x) for x in inputs]
    arrived = {output.grad_fn: [torch.ones_like(output)]}
    found = {}
    for node in _in_order(output.grad_fn):
        gradients = arrived.pop(node)
        found |= {(node, number): gradient for number, gradient in enumerate(gradients)}
        if node.name() == "torch::autograd::AccumulateGrad":
            continue
        sent = node(*gradients)
        for (child, number), gradient in zip(
            node.next_functions, sent if isinstance(sent, tuple) else (sent,), strict=True
        ):
            if child is None or gradient is None:
                continue
            slots = arrived.setdefault(child, [])
            slots += [None] * (number + 1 - len(slots))
            slots[number] = gradient if slots[number] is None else slots[number] + gradient
    return tuple(found[edge] for edge in wanted)


def _edge(x):
    if x.grad_fn is not None:
        return x.grad_fn, x.output_nr
    return x.view_as(x).grad_fn.next_functions[0][0], 0


def _in_order(root):
    """Nodes of a graph, each after all those that send it a gradient."""
    seen, order, waiting = set(), [], [(root, False)]
    while waiting:
        node, done = waiting.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(child, False) for child, _ in node.next_functions if child is not None]
    return order[::-1]
