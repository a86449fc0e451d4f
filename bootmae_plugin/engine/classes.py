"""Check that data, head and checkpoint have the same classes, before the training."""

from torch import Tensor, nn
from torch.utils.data import Dataset

from ..errors import check


def find_head(model: nn.Module) -> tuple[str, int] | None:
    """Return name and number of classes of the head; None if a model has no classes."""
    for name in ('head', 'decode_head'):  # of mmpretrain, of mmsegmentation
        number = getattr(getattr(model, name, None), 'num_classes', None)
        if isinstance(number, int):
            return name, number
    return None


def _options(head: str, number: int) -> str:
    """Return the command-line options that set the number of classes of a config."""
    other = 'data_preprocessor' if head == 'head' else 'model.auxiliary_head'
    return (
        f'--cfg-options model.{head}.num_classes={number} {other}.num_classes={number}'
    )


def check_data_classes(
    model: nn.Module, dataset: Dataset, name: str, train: Dataset | None = None
) -> None:
    """Check that a data set has the classes of a classifier, of images or of pixels.

    Args:
        model: The model; one without a head with ``num_classes`` passes.
        dataset: The data set. Its classes are ``metainfo['classes']``, or else
            ``labels`` of shape (N,).
        name: 'training', 'validation' or 'test', for the error message.
        train: The training set, whose classes ``dataset`` must have, in the same order.
            Defaults to None: not compared.

    Raises:
        UserError: if the head, the data preprocessor (which makes one-hot labels for
            mixup) and the data differ in the number of classes, or the two data sets in
            the classes.
    """
    if (found := find_head(model)) is None:
        return
    head, number = found
    one_hot = getattr(model.data_preprocessor, 'num_classes', None)
    check(
        one_hot in (None, number),
        f'model.{head}.num_classes={number}, but data_preprocessor.num_classes='
        f'{one_hot}: both must be the number of classes, {_options(head, number)}',
    )
    classes = _class_names(dataset)
    if classes is not None:
        check(
            len(classes) == number,
            f'the {name} set has {len(classes)} classes, but model.{head}.num_classes='
            f'{number}: set {_options(head, len(classes))}, or check the data',
        )
    elif isinstance(labels := getattr(dataset, 'labels', None), Tensor):
        highest = int(labels.max())
        check(
            highest < number,
            f'the {name} set has the label {highest}, but model.{head}.num_classes='
            f'{number}: labels are 0 to {number - 1}; set '
            f'{_options(head, highest + 1)}, or check the data',
        )
    train_classes = None if train is None else _class_names(train)
    if classes is not None and train_classes is not None:
        other = [name for name in classes if name not in train_classes]
        check(
            list(classes) == list(train_classes),
            f'the {name} set has other classes than the training set '
            f'({other[:3] or "in another order"}), so a label would mean two things: '
            'give both the same class folders',
        )


def _class_names(dataset: Dataset) -> tuple[str, ...] | None:
    return (getattr(dataset, 'metainfo', None) or {}).get('classes')


def check_checkpoint_classes(
    model: nn.Module, weights: dict[str, Tensor], path: str
) -> None:
    """Check that a checkpoint has the number of classes of a classifier.

    Args:
        model: The model; one without a head with ``num_classes`` passes.
        weights: The state_dict of the checkpoint.
        path: The path of the checkpoint, for the error message.

    Raises:
        UserError: if the number differs.
    """
    if (found := find_head(model)) is None:
        return
    head, number = found
    for key, own in getattr(model, head).state_dict().items():
        given = weights.get(f'{head}.{key}')
        if given is None or own.shape[:1] != (number,) or given.ndim != own.ndim:
            continue
        check(
            given.shape[0] == number,
            f'checkpoint {path} has {given.shape[0]} classes, but the config has '
            f'model.{head}.num_classes={number}: give the config that trained it, or '
            f'set {_options(head, given.shape[0])}',
        )
