"""The classes of data, head and checkpoint have to agree: said before the training."""

from torch import Tensor, nn
from torch.utils.data import Dataset

from ..errors import check


def head_classes(model: nn.Module) -> tuple[str, int] | None:
    """Name and number of classes of the head; None in pretraining."""
    for name in ('head', 'decode_head'):  # of mmpretrain, of mmsegmentation
        number = getattr(getattr(model, name, None), 'num_classes', None)
        if isinstance(number, int):
            return name, number
    return None


def _set_to(head: str, number: int) -> str:
    """The option that makes a config have so many classes."""
    other = 'data_preprocessor' if head == 'head' else 'model.auxiliary_head'
    return (
        f'--cfg-options model.{head}.num_classes={number} {other}.num_classes={number}'
    )


def check_data_classes(
    model: nn.Module, dataset: Dataset, name: str, train: Dataset | None = None
) -> None:
    """Compare a classifier, of images or of pixels, with its data.

    Args:
        model: Nothing is checked unless a head of it has ``num_classes``.
        dataset: Its ``metainfo['classes']`` count, or else its ``labels`` (N,).
        name: 'training', 'validation' or 'test', for the message.
        train: The training set, whose classes ``dataset`` has to have, in their order.
            Defaults to None.

    Raises:
        UserError: if the number of classes differs, in the head, the preprocessor
            (which makes one-hot labels for mixup) or the data, or their names do.
    """
    if (known := head_classes(model)) is None:
        return
    head, number = known
    one_hot = getattr(model.data_preprocessor, 'num_classes', None)
    check(
        one_hot in (None, number),
        f'model.{head}.num_classes={number}, but data_preprocessor.num_classes='
        f'{one_hot}: both must be the number of classes, {_set_to(head, number)}',
    )
    classes = _classes(dataset)
    if classes is not None:
        check(
            len(classes) == number,
            f'the {name} set has {len(classes)} classes, but model.{head}.num_classes='
            f'{number}: set {_set_to(head, len(classes))}, or check the data',
        )
    elif isinstance(labels := getattr(dataset, 'labels', None), Tensor):
        highest = int(labels.max())
        check(
            highest < number,
            f'the {name} set has the label {highest}, but model.{head}.num_classes='
            f'{number}: labels are 0 to {number - 1}; set '
            f'{_set_to(head, highest + 1)}, or check the data',
        )
    trained = None if train is None else _classes(train)
    if classes is not None and trained is not None:
        other = [name for name in classes if name not in trained]
        check(
            list(classes) == list(trained),
            f'the {name} set has other classes than the training set '
            f'({other[:3] or "in another order"}): labels would not mean the same; '
            'give both the same class folders',
        )


def _classes(dataset: Dataset) -> tuple[str, ...] | None:
    return (getattr(dataset, 'metainfo', None) or {}).get('classes')


def check_checkpoint_classes(
    model: nn.Module, weights: dict[str, Tensor], path: str
) -> None:
    """Compare a classifier with the weights of its head in a checkpoint.

    Raises:
        UserError: if these are of another number of classes.
    """
    if (known := head_classes(model)) is None:
        return
    head, number = known
    for key, own in getattr(model, head).state_dict().items():
        given = weights.get(f'{head}.{key}')
        if given is None or own.shape[:1] != (number,) or given.ndim != own.ndim:
            continue
        check(
            given.shape[0] == number,
            f'checkpoint {path} is of {given.shape[0]} classes, but the config has '
            f'model.{head}.num_classes={number}: give the config that trained it, or '
            f'set {_set_to(head, given.shape[0])}',
        )
