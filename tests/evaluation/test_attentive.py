"""The attentive probe: what it computes, and what it finds that a mean does not."""

import torch
import torch.nn.functional as F

from bootmae_plugin.evaluation import FeatureSet, attentive_probe, linear_probe
from bootmae_plugin.evaluation.attentive import AttentiveClassifier, train_attentive


def test_the_classifier_equals_a_loop():
    torch.manual_seed(0)
    model = AttentiveClassifier(12, 5).eval()  # 12 channels: 4 heads of 3
    pool, tokens = model.pool, torch.randn(2, 7, 12)
    assert pool.num_heads == 4
    for image, ours in zip(tokens, model(tokens), strict=True):
        query = pool.q(pool.latent[0, 0])
        key, value = pool.kv(image).chunk(2, dim=1)
        heads = []
        for h in range(4):
            part = slice(3 * h, 3 * h + 3)
            weight = (key[:, part] @ query[part] / 3**0.5).softmax(dim=0)
            heads.append(weight @ value[:, part])
        x = pool.proj(torch.cat(heads))
        x = x + pool.mlp(x[None])[0]
        assert torch.allclose(ours, model.fc(x), atol=1e-5)


def odd_token(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One token of 16, marked, tells the class; the others are noise that hides it."""
    labels = torch.arange(number) % 4
    tokens = 2 * torch.randn(number, 16, 8)
    tokens[:, :, 4] = -3
    place = torch.randint(0, 16, (number,))
    rows = torch.arange(number)
    tokens[rows, place] = F.one_hot(labels, 8).float() * 3
    tokens[rows, place, 4] = 3
    return tokens, labels


def test_it_finds_the_token_that_a_mean_hides():
    torch.manual_seed(0)
    data = FeatureSet(*odd_token(1200), *odd_token(200))
    state = torch.get_rng_state()
    result = attentive_probe(data, epochs=15, seeds=[0], batch_size=64)
    assert torch.equal(torch.get_rng_state(), state)
    means = data._replace(train=data.train.mean(dim=1), test=data.test.mean(dim=1))
    assert linear_probe(means, epochs=30, seeds=[0]).mean < 60
    assert result.mean > 95
    assert result.rate == 1e-2


def test_a_seed_gives_the_same_training_again():
    x, y = torch.randn(40, 3, 8), torch.arange(40) % 2
    options = dict(num_classes=2, epochs=2, rows=torch.arange(40), batch_size=8)
    (first, other), (again,) = (
        train_attentive(x, y, settings=settings, seed=1, **options)
        for settings in ([(1e-2, 0.0), (1e-3, 0.0)], [(1e-2, 0.0)])
    )
    assert torch.equal(first.fc.weight, again.fc.weight)
    assert not torch.equal(first.fc.weight, other.fc.weight)
