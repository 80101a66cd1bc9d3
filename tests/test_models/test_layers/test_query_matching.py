"""Windows against plain loops over features, as the equation and the released program have them."""

import pytest
import torch

from mmav.models.layers import gather_query, match_cumulatively, match_windows, sum_windows

T, D = 6, 3
MASKS = torch.tensor([[0, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 0, 1, 1, 0, 0]]).bool()


@pytest.fixture
def streams():
    generator = torch.Generator().manual_seed(0)
    query, searched = torch.randn(2, len(MASKS), T, D, generator=generator, dtype=torch.float64)
    return (
        query,
        searched,
        torch.randn(D, generator=generator, dtype=torch.float64),
        torch.tensor(0.3).double(),
    )


def test_query_is_taken_out_in_order():
    numbers = torch.arange(4 * T).reshape(4, T).double() + 1
    query, lengths = gather_query(numbers, MASKS)
    assert lengths.tolist() == [2, 6, 1, 3]
    for row, mask, got in zip(numbers, MASKS, query):
        assert got.tolist() == [*row[mask].tolist(), *[0] * int((~mask).sum())]


def test_windows_kept_apart(streams):
    query, searched, weight, bias = streams
    numbers, lengths = gather_query(query.mean(-1), MASKS)
    logits, valid = match_windows(numbers, searched @ weight, bias, lengths)
    sums = sum_windows(logits.sigmoid(), lengths)
    for b, mask in enumerate(MASKS):
        scalars = query[b][mask].mean(-1)
        length = len(scalars)
        assert int(valid[b].sum()) == length * (T - length + 1)
        for start in range(T):
            if start > T - length:
                assert sums[b, start] == -torch.inf and (logits[b, start] == 0).all()
                continue
            window = searched[b, start : start + length] * scalars[:, None]
            expected = window @ weight + bias
            torch.testing.assert_close(logits[b, start, :length], expected)
            torch.testing.assert_close(sums[b, start], expected.sigmoid().sum())


def test_windows_that_multiply_each_other(streams):
    query, searched, weight, bias = streams
    numbers, lengths = gather_query(query.mean(-1), MASKS)
    logits = match_cumulatively(numbers, searched @ weight, bias, lengths)
    sums = sum_windows(logits, lengths)
    for b, mask in enumerate(MASKS):
        scalars, features = query[b][mask].mean(-1), searched[b].clone()
        length = len(scalars)
        for start in range(T - length + 1):
            features[start : start + length] *= scalars[:, None]
        torch.testing.assert_close(logits[b], features @ weight + bias)
        for start in range(T - length + 1):
            torch.testing.assert_close(sums[b, start], logits[b, start : start + length].sum())


def test_a_query_of_the_whole_video_has_one_window(streams):
    query, searched, weight, bias = streams
    numbers, lengths = gather_query(query.mean(-1), MASKS)
    apart, _ = match_windows(numbers, searched @ weight, bias, lengths)
    together = match_cumulatively(numbers, searched @ weight, bias, lengths)
    torch.testing.assert_close(apart[1, 0], together[1])  # of length T: nothing overlaps
