"""k-NN classification equals a loop."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import FeatureSet, knn_accuracy
from bootmae_plugin.evaluation.knn import knn_predict


def clusters(number=300, classes=4, width=8, noise=0.4):
    """Separable features with labels."""
    centers = torch.eye(width)[:classes]
    labels = torch.arange(number) % classes
    return centers[labels] + noise * torch.randn(number, width), labels


def test_knn_equals_a_loop():
    bank, labels = clusters()
    queries, _ = clusters(40, noise=1.0)
    expected = []
    for query in queries:
        similarity = torch.stack(
            [torch.cosine_similarity(query, row, dim=0) for row in bank]
        )
        votes = [0.0] * 4
        for i in similarity.argsort(descending=True)[:9].tolist():
            votes[int(labels[i])] += float((similarity[i] / 0.07).exp())
        expected.append(votes.index(max(votes)))
    for batch_size in (7, 100):
        ours = knn_predict(queries, bank, labels, 4, k=9, batch_size=batch_size)
        assert ours.tolist() == expected


@pytest.mark.parametrize('k', [0, 301])
def test_more_neighbors_than_images(k):
    bank, labels = clusters()
    with pytest.raises(UserError, match=f'k={k} neighbors of 300'):
        knn_predict(bank, bank, labels, 4, k=k)


def test_accuracy_of_separable_and_of_random_features():
    train, test = clusters(), clusters(100)
    assert knn_accuracy(FeatureSet(*train, *test)) > 90
    noise = FeatureSet(torch.randn(300, 8), train[1], torch.randn(100, 8), test[1])
    assert knn_accuracy(noise) < 50


def test_centering_is_by_the_mean_of_the_training_features():
    """A constant that all images share makes all cosines 1; centering removes it."""
    (train, labels), (test, test_labels) = clusters(), clusters(100)
    shift = 1e4 * torch.ones(8)
    data = FeatureSet(train + shift, labels, test + shift, test_labels)
    mean = train.mean(dim=0)
    expected = knn_accuracy(FeatureSet(train - mean, labels, test - mean, test_labels))
    assert knn_accuracy(data, center=True) == pytest.approx(expected, abs=2)
    assert expected > 90 > 60 > knn_accuracy(data)
