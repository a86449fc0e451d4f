"""Subsets of training images: equal classes, seeds, and copies of an image."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import FeatureSet, draw_labels
from bootmae_plugin.evaluation.subsets import rank_in_class, split_training_images

COUNTS = [20, 0, 31, 9]  # images of each class


def numbered(copies: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Features that are the number of the image, and shuffled labels."""
    labels = torch.arange(len(COUNTS)).repeat_interleave(torch.tensor(COUNTS))
    labels = labels[torch.randperm(len(labels))]
    return torch.arange(float(len(labels)))[:, None].repeat(copies, 1), labels.repeat(
        copies
    )


def test_the_rank_in_a_class_counts_a_random_order_of_it():
    _, labels = numbered()
    ranks = rank_in_class(labels, seed=0)
    for label, count in enumerate(COUNTS):
        assert sorted(ranks[labels == label].tolist()) == list(range(count))
    assert not torch.equal(ranks, rank_in_class(labels, seed=1))
    # The first image is no likelier to be kept than another.
    same = torch.zeros(5, dtype=torch.long)
    first = torch.stack([rank_in_class(same, s)[0] for s in range(500)])
    assert (first.bincount(minlength=5) - 100).abs().max() < 45  # 5 deviations


@pytest.mark.parametrize('copies', [1, 2])
def test_a_tenth_of_each_class_is_split_off(copies):
    features, labels = numbered(copies)
    split = split_training_images(features, labels, copies)
    assert split.test_labels.bincount(minlength=4).tolist() == [2, 0, 3, 1]
    train, test = (set(x[:, 0].tolist()) for x in (split.train, split.test))
    assert not train & test
    assert len(train) == 54 and len(split.train) == 54 * copies
    assert torch.equal(split.train_labels, labels[split.train[:, 0].long()])
    assert torch.equal(split.test_labels, labels[split.test[:, 0].long()])
    again = split_training_images(features, labels, copies)
    assert torch.equal(split.test, again.test)


@pytest.mark.parametrize('copies', [1, 2])
def test_labels_are_drawn_of_each_class(copies):
    data = FeatureSet(*numbered(copies), *numbered())
    three, five, other = (
        draw_labels(data, n, seed, copies) for n, seed in ((3, 0), (5, 0), (3, 1))
    )
    assert three.train_labels.bincount().tolist() == [3 * copies, 0] + [3 * copies] * 2
    drawn = [set(part.train[:, 0].tolist()) for part in (three, five, other)]
    assert drawn[0] < drawn[1] and drawn[0] != drawn[2]
    assert len(drawn[0]) == 9  # both copies of an image, or none
    assert torch.equal(three.train_labels, data.train_labels[three.train[:, 0].long()])
    assert three.test is data.test


def test_a_class_that_is_too_small():
    data = FeatureSet(*numbered(), *numbered())
    for number in (0, 10):
        with pytest.raises(UserError, match=f'{number} labels per class.*has 9'):
            draw_labels(data, number, seed=0)
    with pytest.raises(UserError, match='only one image'):
        split_training_images(torch.ones(3, 1), torch.tensor([0, 0, 1]))
