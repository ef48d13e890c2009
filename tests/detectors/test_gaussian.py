import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.detectors.gaussian import CHUNK_FRAMES, GaussianField, PyramidGaussianField
from vadlib.errors import NotFittedError, ParameterError

GRIDS, COMPONENTS = [(8, 12), (4, 6), (2, 3)], [3, 4, 5]


def features(n_frames, seed, grids=GRIDS, components=COMPONENTS):
    generator = torch.Generator().manual_seed(seed)
    return [
        5 + 2 * torch.randn(n_frames, d, *grid, generator=generator) for d, grid in zip(components, grids, strict=True)
    ]


def embed(layers):
    """Nearest-neighbour upsampling to the finest grid and concatenation: float64 (n, P, D)."""
    finest = max(tuple(layer.shape[2:]) for layer in layers)
    up = [F.interpolate(layer.double(), size=finest, mode="nearest") for layer in layers]
    return torch.cat(up, dim=1).flatten(2).transpose(1, 2)


def moments(x, epsilon):
    """Mean (P, D) and covariance (P, D, D) of float64 (n, P, D), position by position, with NumPy."""
    x = x.numpy()
    covariance = np.stack([np.cov(x[:, p], rowvar=False) + epsilon * np.eye(x.shape[2]) for p in range(x.shape[1])])
    return x.mean(axis=0), covariance


def distances(x, mean, covariance):
    gap = x.numpy() - mean
    inverse = np.stack([np.linalg.inv(c) for c in covariance])
    return np.sqrt(np.einsum("npd,pde,npe->np", gap, inverse, gap))


@pytest.mark.parametrize(
    ("grids", "components"),
    [
        (GRIDS, COMPONENTS),
        ([(4, 4)], [6]),
        ([(4, 4), (4, 4), (2, 2)], [2, 3, 2]),  # two layers on one grid
        ([(2, 2), (8, 8)], [3, 2]),  # coarse first, a factor of four
        ([(6, 3), (2, 1)], [2, 2]),  # a factor of three
    ],
)
def test_field_equals_dense_float64_reference(grids, components):
    fit, new = features(200, 0, grids, components), features(7, 1, grids, components)
    field = PyramidGaussianField(grids, components)
    for start in range(0, 200, 33):
        field.update([layer[start : start + 33] for layer in fit])
    field.finalize(0.01)
    mean, covariance = moments(embed(fit), 0.01)
    np.testing.assert_allclose(field.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(field.covariance, covariance, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(field.mahalanobis(new), distances(embed(new), mean, covariance), rtol=2e-5)


def test_dense_field_equals_pyramid_and_reference():
    fit, new = features(150, 2), features(4, 3)
    pyramid, dense = PyramidGaussianField(GRIDS, COMPONENTS), GaussianField(8 * 12, sum(COMPONENTS))
    pyramid.update(fit)
    dense.update(embed(fit).float())
    pyramid.finalize()
    dense.finalize()
    np.testing.assert_allclose(dense.covariance, pyramid.covariance, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(dense.mahalanobis(embed(new).float()), pyramid.mahalanobis(new), rtol=2e-5)


def test_distance_at_the_mean_is_zero():
    x = torch.randn(50, 6, 4)
    field = GaussianField(6, 4)
    field.update(x)
    assert field.finalize().mahalanobis(field.mean[None]).abs().max() < 1e-5


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, CHUNK_FRAMES + 40), min_size=2, max_size=5),
    cut=st.integers(0, 4),
    seed=st.integers(0, 1000),
)
def test_merged_shards_equal_one_pass(sizes, cut, seed):
    shards = [features(n, seed + i) for i, n in enumerate(sizes)]
    whole, left, right = (PyramidGaussianField(GRIDS, COMPONENTS) for _ in range(3))
    for i, shard in enumerate(shards):
        whole.update(shard)
        (left if i < cut else right).update(shard)
    left.merge(right)
    assert left.n_frames == sum(sizes)
    new = features(3, seed + 99)
    np.testing.assert_allclose(
        left.finalize().mahalanobis(new), whole.finalize().mahalanobis(new), rtol=1e-3 if sum(sizes) < 20 else 5e-5
    )


@pytest.mark.parametrize("batch_size", [1, 7, CHUNK_FRAMES, 300])
def test_sums_do_not_depend_on_the_batches(batch_size):
    fit = features(300, 4)
    one, many = PyramidGaussianField(GRIDS, COMPONENTS), PyramidGaussianField(GRIDS, COMPONENTS)
    one.update(fit)
    for start in range(0, 300, batch_size):
        many.update([layer[start : start + batch_size] for layer in fit])
    for name, tensor in one.state().items():
        assert torch.equal(tensor, many.state()[name]), name


def test_far_from_zero_loses_no_digits():
    """Features of mean 1000 and deviation 1: naive sums of squares in float32 would be off by some per cent."""
    x = 1000 + torch.randn(400, 3, 5, generator=torch.Generator().manual_seed(0))
    field = GaussianField(3, 5)
    field.update(x)
    _, covariance = moments(x.double(), 0.0)
    np.testing.assert_allclose(field.covariance, covariance, atol=1e-3)


def test_state_survives_the_disk_and_can_be_fitted_further(tmp_path):
    from safetensors.torch import load_file, save_file

    fit, more, new = features(60, 5), features(30, 6), features(3, 7)
    field = PyramidGaussianField(GRIDS, COMPONENTS)
    field.update(fit)
    save_file(field.state(), tmp_path / "field.safetensors")
    loaded = PyramidGaussianField.from_state(load_file(tmp_path / "field.safetensors"))
    for one in (field, loaded):
        one.update(more)
    assert torch.equal(field.finalize().mahalanobis(new), loaded.finalize().mahalanobis(new))


def test_fewer_frames_than_components_still_gives_finite_distances():
    field = GaussianField(4, 50)
    field.update(torch.randn(3, 4, 50))
    assert torch.isfinite(field.finalize(0.01).mahalanobis(torch.randn(2, 4, 50))).all()


def test_bad_input_says_what_and_why():
    with pytest.raises(ParameterError, match="divide the finer ones, found 3x4 and 8x12"):
        PyramidGaussianField([(8, 12), (3, 4)], [2, 2])
    with pytest.raises(ParameterError, match="one entry a layer in both, found 2 and 1"):
        PyramidGaussianField([(8, 12), (4, 6)], [2])
    field = PyramidGaussianField(GRIDS, COMPONENTS)
    with pytest.raises(NotFittedError, match="call finalize first"):
        field.mahalanobis(features(1, 0))
    with pytest.raises(NotFittedError, match="at least 2 frames, found 0"):
        field.finalize()
    with pytest.raises(NotFittedError, match="call update first"):
        _ = field.mean
    with pytest.raises(ParameterError, match=r"features: expected .*\(3, 8, 12\)"):
        field.update(features(2, 0, [(8, 8), (4, 4), (2, 2)]))
    field.update(features(2, 0))
    with pytest.raises(ParameterError, match="epsilon: expected a number above 0, found 0"):
        field.finalize(0)
    with pytest.raises(ParameterError, match="not positive definite after 2 frames; use a larger epsilon"):
        field.finalize(1e-12)
    with pytest.raises(ParameterError, match="merge: expected a field with grids"):
        field.merge(GaussianField(4, 5))
    field.finalize()
    with pytest.raises(ParameterError, match="finalised; fit a new one"):
        field.update(features(2, 0))
    with pytest.raises(ParameterError, match=r"expected shape \(frames, 4, 5\), found \(2, 5, 4\)"):
        GaussianField(4, 5).update(torch.zeros(2, 5, 4))
