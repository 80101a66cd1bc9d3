"""The contrastive loss by the most similar pixel: plain loops, limiting cases, two processes against one."""

import math
import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing import start_processes

from mmav.models.losses import MaxSimilarityContrastiveLoss, max_similarity_contrastive_loss
from mmav.models.losses.max_similarity_contrastive_loss import cosine_maps, paired_cosine_maps


def embeddings(number=4, channels=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(number)
    audio = torch.randn(number, channels, generator=generator, dtype=dtype)
    return audio, torch.randn(number, channels, 2, 3, generator=generator, dtype=dtype)


def loop_loss(audio, visual, tau):
    """Eq. (1), pair by pair and pixel by pixel."""
    number = len(audio)
    similarity = [[-math.inf] * number for _ in range(number)]
    for i in range(number):
        for j in range(number):
            for pixel in visual[j].flatten(1).t():
                cosine = torch.dot(audio[i], pixel) / (audio[i].norm() * pixel.norm())
                similarity[i][j] = max(similarity[i][j], cosine.item() / tau)
    total = 0.0
    for k in range(number):
        of_sound = sum(math.exp(similarity[k][j]) for j in range(number))
        of_image = sum(math.exp(similarity[i][k]) for i in range(number))
        total -= math.log(math.exp(similarity[k][k]) / of_sound * math.exp(similarity[k][k]) / of_image)
    return total / number


@pytest.mark.parametrize('tau', [0.03, 1.0])
def test_equals_plain_loops(tau):
    audio, visual = embeddings()
    loss = MaxSimilarityContrastiveLoss(tau, loss_weight=2.0)(audio, visual)
    assert loss.item() == pytest.approx(2 * loop_loss(audio, visual, tau), rel=1e-10)


def test_maps_of_pairs_are_the_diagonal():
    audio, visual = embeddings()
    maps = cosine_maps(audio, visual)
    torch.testing.assert_close(paired_cosine_maps(audio, visual), maps.diagonal().movedim(-1, 0))
    assert maps.abs().max() <= 1
    torch.testing.assert_close(cosine_maps(3 * audio, 0.1 * visual), maps)


def test_limits():
    assert MaxSimilarityContrastiveLoss()(*embeddings(1)).item() == 0
    same = torch.zeros(6, 6, dtype=torch.float64)
    assert max_similarity_contrastive_loss(same).item() == pytest.approx(2 * math.log(6))
    sure = torch.eye(6, dtype=torch.float64)
    assert max_similarity_contrastive_loss(sure, 0.01).item() == pytest.approx(0, abs=1e-12)


def test_gradients_reach_only_the_most_similar_pixels():
    audio, visual = (embeds.requires_grad_() for embeds in embeddings())
    loss = MaxSimilarityContrastiveLoss(0.5)
    assert torch.autograd.gradcheck(loss, (audio, visual))
    loss(audio, visual).backward()
    chosen = cosine_maps(audio, visual).flatten(2).argmax(2)
    for number, grads in enumerate(visual.grad.flatten(2).abs().sum(1)):
        assert set(grads.nonzero().flatten().tolist()) == set(chosen[:, number].tolist())


def test_half_precision_is_computed_in_single():
    audio, visual = (embeds.float() for embeds in embeddings())
    expected = MaxSimilarityContrastiveLoss()(audio.bfloat16().float(), visual.bfloat16().float())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = MaxSimilarityContrastiveLoss()(audio.bfloat16(), visual.bfloat16())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)


def test_misfits_are_named():
    audio, visual = embeddings()
    loss = MaxSimilarityContrastiveLoss()
    for wrong in ((audio[:3], visual), (audio, visual[:, :4]), (audio[:0], visual[:0]), (audio, audio)):
        with pytest.raises(ValueError, match=r'expected sounds \(B, C\)'):
            loss(*wrong)
    with pytest.raises(ValueError, match='temperature must be above 0'):
        MaxSimilarityContrastiveLoss(0.0)


def train_step(rank: int, folder: str) -> None:
    """One of two processes with half of the pairs each: loss and gradients of shared weights."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    audio, visual = embeddings(6)
    weights = weight_pair()
    mine = slice(3 * rank, 3 * rank + 3)
    results = {}
    for gather in (False, True):
        loss = MaxSimilarityContrastiveLoss(0.5, gather=gather)(*project(audio[mine], visual[mine], weights))
        grads = torch.autograd.grad(loss, weights)
        values = [value.detach() / 2 for value in (loss, *grads)]
        for value in values:  # what DistributedDataParallel does
            dist.all_reduce(value)
        results[gather] = values
    try:
        MaxSimilarityContrastiveLoss(gather=True)(audio[: 2 + rank], visual[: 2 + rank])
    except ValueError as error:
        results['uneven'] = str(error)
    torch.save(results, f'{folder}/{rank}.pth')
    dist.destroy_process_group()


def weight_pair():
    generator = torch.Generator().manual_seed(9)
    return [torch.randn(7, 5, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2)]


def project(audio, visual, weights):
    return audio @ weights[0].t(), torch.einsum('dc,bchw->bdhw', weights[1], visual)


def test_two_processes_that_gather_train_like_one(tmp_path):
    environment = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    audio, visual = embeddings(6)
    weights = weight_pair()
    loss = MaxSimilarityContrastiveLoss(0.5)(*project(audio, visual, weights))
    expected = [loss, *torch.autograd.grad(loss, weights)]
    for rank in (0, 1):
        results = torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for value, wanted in zip(results[True], expected, strict=True):
            torch.testing.assert_close(value, wanted.detach())
        # without gathering fewer negatives make an easier task
        assert results[False][0] < 0.9 * expected[0]
        assert '(2, 5, 2, 3), (3, 5, 2, 3)' in results['uneven'] and 'drop_last=True' in results['uneven']


if __name__ == '__main__':  # forked from a fresh process, so that everything is imported only once
    start_processes(train_step, (sys.argv[1],), nprocs=2, start_method='fork')
