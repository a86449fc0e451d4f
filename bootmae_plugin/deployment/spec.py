"""What is known of a model besides its weights; stored in every exported file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..errors import UserError

CLASSIFICATION, SEGMENTATION, FEATURES = TASKS = (
    *('classification', 'segmentation', 'features'),
)
# The output of an exported model, by task.
OUTPUTS = dict(zip(TASKS, ('logits', 'logits', 'features'), strict=True))


@dataclass(frozen=True)
class ModelSpec:
    """How photos become the model's input, and what its output means.

    Attributes:
        task: 'classification', 'segmentation' or 'features'.
        input_size: (height, width) of the model's input in pixels.
        mean: Of each RGB channel, in 0..255. The model's input is ``(x - mean) / std``.
        std: Of each RGB channel, in 0..255.
        resize_edge: The shorter edge is resized to this before the center crop of
            ``input_size``. Defaults to None: images are resized until they cover it.
        classes: Names of the classes, their numbers if they have none.
        palette: (R, G, B) of each class of a segmentation. Defaults to ().
        stride: (rows, columns) between the windows of ``input_size`` that a
            segmentation averages. Defaults to None: whole images.
    """

    task: str
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize_edge: int | None = None
    classes: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    stride: tuple[int, int] | None = None

    def to_metadata(self) -> dict[str, str]:
        """Return the attributes as JSON, by name."""
        return {key: json.dumps(value) for key, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> 'ModelSpec':
        """Invert :meth:`to_metadata`; other entries are left out.

        Raises:
            UserError: if entries are missing or damaged; ``source`` names the file.
        """
        try:
            values = {
                key: json.loads(metadata[key]) for key in cls.__dataclass_fields__
            }
        except (KeyError, ValueError) as error:
            raise UserError(
                f'{source} has no metadata of bootmae export ({error}): give a file '
                'that it has written'
            ) from error
        frozen = {
            key: tuple(tuple(v) if isinstance(v, list) else v for v in value)
            if isinstance(value, list)
            else value
            for key, value in values.items()
        }
        return cls(**frozen)
