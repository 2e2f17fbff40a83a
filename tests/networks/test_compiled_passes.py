"""The compiled passes against the plain torch reference in float64: values and every derivative."""

from __future__ import annotations

import pytest
import torch

TOLERANCE = 2e-5
"""Of an array's norm. Float32 leaves up to 5e-6; one point or one tile left out is beyond 1e-4."""
SHAPES = ["usual", "odd", "color", "three outputs", "plane", "all low"]
ONE_OUTPUT = ["usual", "odd", "plane", "all low"]
SIZES = [1, 127, 128, 129, 2100]
"""About one tile; and more tiles than parts, the last part not full."""


def cotangent(values):
    """Fixed weights of the same shape, different everywhere."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(values.shape, generator=generator).to(values)


def of_values(model, points):
    """Values, and the gradients of a weighted sum of them by the points and every parameter."""
    points = points.detach().clone().requires_grad_()
    values = model(points)
    named = {"points": points, **dict(model.named_parameters())}
    gradients = torch.autograd.grad((values * cotangent(values)).sum(), list(named.values()))
    return {"values": values, **dict(zip(named, gradients, strict=True))}


def of_gradients(model, points):
    """Value and gradient, and a loss on both by every parameter."""
    values, slopes = model.value_and_gradient(points)
    eikonal = (slopes.norm(dim=1) - 1).square().sum()
    direction = (slopes * cotangent(slopes)).sum()
    loss = eikonal + direction + (values * cotangent(values)).sum()
    named = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()))
    return {"values": values, "slopes": slopes, **dict(zip(named, gradients, strict=True))}


def assert_same(found, expected, tolerance=TOLERANCE):
    assert found.keys() == expected.keys()
    for name, reference in expected.items():
        value, scale = found[name].detach(), reference.detach().norm()
        assert value.shape == reference.shape, name
        assert value.dtype == torch.float32 and reference.dtype == torch.float64
        assert scale > 0, name
        error = ((value.double() - reference.detach()).norm() / scale).item()
        assert error < tolerance, f"{name}: off by {error:.1e} of its norm"


@pytest.fixture
def compare(network, reference_of, smooth_points, threads):
    def run(derivatives, name, count):
        model = network(name)
        points = smooth_points(model, count)
        found, before = derivatives(model, points), torch.get_num_threads()
        threads(1)  # the reference's matrices are small: on a busy machine its threads only wait
        expected = derivatives(reference_of(model), points.double())
        threads(before)
        assert_same(found, expected)

    return run


@pytest.mark.parametrize("name", SHAPES)
def test_values_and_their_gradients(compare, name):
    compare(of_values, name, 700)


@pytest.mark.parametrize("name", ONE_OUTPUT)
def test_gradients_and_a_loss_on_them(compare, name):
    compare(of_gradients, name, 700)


@pytest.mark.parametrize("count", SIZES)
def test_batches_of_any_size(compare, count):
    compare(of_values, "usual", count)
    compare(of_gradients, "usual", count)


def test_no_points(network):
    model = network("usual")
    points = torch.empty(0, 3)
    assert model(points).shape == (0, 1)
    with torch.no_grad():
        values, slopes = model.value_and_gradient(points)
    assert values.shape == (0,) and slopes.shape == (0, 3)


@pytest.mark.parametrize("count", [129, 2100])
def test_same_bits_for_any_number_of_threads(network, threads, count):
    model, points = network("usual"), torch.rand(count, 3) * 2 - 1
    threads(1)
    alone = [of_values(model, points), of_gradients(model, points)]
    for several in (2, 3):
        threads(several)
        for one, other in zip(alone, [of_values(model, points), of_gradients(model, points)], strict=True):
            for name in one:
                assert torch.equal(one[name], other[name]), name


def test_without_gradients_the_values_are_the_same(network):
    model, points = network("usual"), torch.rand(300, 3) * 2 - 1
    with torch.no_grad():
        values = model(points)
        with torch.no_grad():
            asked_values, asked_slopes = model.value_and_gradient(points)
    assert not (values.requires_grad or asked_values.requires_grad or asked_slopes.requires_grad)
    training = of_gradients(model, points)
    assert torch.equal(values, model(points))
    assert torch.equal(asked_values, training["values"]) and torch.equal(asked_values, values[:, 0])
    assert torch.equal(asked_slopes, training["slopes"])


def test_layout_of_the_points_does_not_matter(network):
    model, points = network("usual"), torch.rand(3, 200).t() * 2 - 1
    assert not points.is_contiguous()
    strided, packed = of_gradients(model, points), of_gradients(model, points.contiguous())
    for name in packed:
        assert torch.equal(strided[name], packed[name]), name


def test_two_batches_at_once(network):
    """Each keeps what it needs, also where a later batch goes backward first."""
    model = network("usual")
    one, other = torch.rand(2, 200, 3) * 2 - 1

    def weights_of(values):
        return torch.autograd.grad(values.sum(), model.weights)[0]

    alone = [weights_of(model(one)), weights_of(model(other))]
    first, second = model(one), model(other)
    later, earlier = weights_of(second), weights_of(first)
    assert torch.equal(earlier, alone[0]) and torch.equal(later, alone[1])
    assert not torch.equal(earlier, later)


def test_backward_twice_raises(network):
    model, points = network("usual"), torch.rand(20, 3)
    values = model(points).sum()
    values.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="backward already: evaluate the network again"):
        values.backward()
    loss = model.value_and_gradient(points)[1].square().sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="backward already: evaluate the network again"):
        loss.backward()


def test_second_derivatives_by_the_points_raise(network):
    model, points = network("usual"), torch.rand(20, 3, requires_grad=True)
    _, slopes = model.value_and_gradient(points)
    with pytest.raises(RuntimeError, match="no second derivatives by the points: use engine torch"):
        slopes.sum().backward()
    weights = torch.ones(20, 1, requires_grad=True)
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        torch.autograd.grad(model(points), points, weights, create_graph=True)


def test_a_loss_on_autograds_own_gradient_raises_or_is_right(network, reference_of):
    def by_weights(model, points):
        points = points.requires_grad_()
        (slopes,) = torch.autograd.grad(model(points).sum(), points, create_graph=True)
        loss = (slopes.norm(dim=1) - 1).square().mean() + model(points.detach()).abs().mean()
        return torch.autograd.grad(loss, model.weights)[0]

    model, points = network("usual"), torch.rand(20, 3)
    expected = by_weights(reference_of(model), points.double())
    try:
        found = by_weights(model, points)
    except RuntimeError:
        return
    assert (found.double() - expected).norm() < 1e-3 * expected.norm()


def test_table_gradients_may_be_summed_elsewhere(network):
    """Where the table has `gradient_sums`, every backward adds to it and autograd gets none."""
    model, points = network("usual"), torch.rand(300, 3) * 2 - 1

    def backward():
        values, slopes = model.value_and_gradient(points)
        (slopes.square().sum() + values.sum()).backward()
        model(points).square().sum().backward()

    backward()
    table = model.masks.grid.table
    expected, weights = table.grad.clone(), model.weights.grad.clone()
    assert expected.abs().max() > 0
    model.zero_grad(set_to_none=True)
    table.gradient_sums = torch.zeros_like(table)
    backward()
    assert table.grad is None
    assert torch.equal(model.weights.grad, weights)
    scale = expected.abs().max().item()
    torch.testing.assert_close(table.gradient_sums, expected, rtol=0, atol=1e-6 * scale)
    backward()
    torch.testing.assert_close(table.gradient_sums, 2 * expected, rtol=0, atol=2e-6 * scale)


def test_room_is_kept_for_few_sizes(network):
    """Queries come in any size: what they leave behind must not grow with their number."""
    model = network("usual").requires_grad_(False)
    for tiles in range(1, 31):
        model.value_and_gradient(torch.zeros(128 * tiles, 3))
    kept = sum(array.nbytes for room in model.spare.kept.values() for array in room)
    one = sum(array.nbytes for array in max(model.spare.kept.values(), key=lambda room: room[0].nbytes))
    assert kept <= 4 * one


def test_points_of_another_dimension_are_refused(network):
    with pytest.raises((ValueError, RuntimeError)):
        network("usual")(torch.rand(5, 2))


def test_points_that_changed_on_the_way_raise(network):
    """As everywhere in autograd: what backward needs must not be changed in place."""
    model, points = network("usual"), torch.rand(5, 3)
    values = model(points)
    points += 0.1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        values.sum().backward()
