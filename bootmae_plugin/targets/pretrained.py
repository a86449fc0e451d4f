"""The teacher of feature MAE: another pretrained backbone."""

from math import prod

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..checkpoints.load import load_encoder, load_module
from ..errors import check
from .generator import TargetGenerator


@MODELS.register_module()
class PretrainedEncoder(TargetGenerator):
    """Another pretrained backbone, frozen (feature MAE).

    ``init_weights`` loads the weights, so that mmengine's initialization of the model
    cannot overwrite them. A model that is used without it loads them in the first
    forward pass.

    Args:
        backbone: Config of a backbone of mmpretrain, or of timm as
            ``mmpretrain.TIMMBackbone``. It has to return a feature map (B, D, rows,
            cols), or tokens (B, N, D) with the patches last. Set
            ``out_type='featmap'`` where the backbone has this option.
        checkpoint: File or URL of its weights. Defaults to None: the backbone's config
            names them (``pretrained``, ``checkpoint_path`` or ``init_cfg``).
        prefix: Prefix of the backbone's keys in the checkpoint, such as
            ``'backbone.'``. Defaults to None: it is found.
        random: Use a teacher with random weights, as a control. Defaults to False.
        **kwargs: ``blocks``, which become the backbone's ``out_indices``, and
            ``blocks_merge``: see :class:`TargetGenerator`.

    Raises:
        UserError: if no weights are given, the checkpoint does not match, or the
            teacher has another grid of patches than the student.
    """

    def __init__(
        self,
        backbone: dict,
        checkpoint: str | None = None,
        prefix: str | None = None,
        random: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if self.blocks:
            backbone = dict(backbone, out_indices=list(self.blocks))
        check(
            random or checkpoint or _names_weights(backbone),
            f'the teacher {backbone["type"]} has no weights: set model.'
            'target_generator.checkpoint to a file, or model.target_generator.random='
            'True to predict a random encoder',
        )
        check(
            not (random and checkpoint),
            f'the teacher has checkpoint={checkpoint!r} and random=True: set one of '
            'the two',
        )
        self.checkpoint, self.prefix = checkpoint, prefix
        self.encoder = MODELS.build(backbone)
        self.encoder.requires_grad_(False)
        self.register_load_state_dict_post_hook(_note_loaded)
        self.train()

    def init_weights(self) -> None:
        """Load the weights, after the backbone's own initialization."""
        encoder = self.encoder
        if hasattr(encoder, 'init_weights') and not getattr(encoder, 'is_init', False):
            encoder.init_weights()
        if self.checkpoint:
            load = load_encoder if hasattr(encoder, 'geometry') else load_module
            load(encoder, self.checkpoint, self.prefix)
        self.is_init = True

    def attach(self, student: nn.Module) -> None:
        """Check that the teacher's patches are those of the student."""
        geometry = student.geometry
        size = (1, geometry.in_channels, *geometry.img_size)
        outputs = self._outputs(torch.zeros(size))
        output = outputs[-1]
        name = type(self.encoder).__name__
        check(
            output.ndim in (3, 4),
            f'the teacher {name} gives features of shape {tuple(output.shape)}: set '
            "out_type='featmap' on it",
        )
        if output.ndim == 4:
            grid = tuple(output.shape[2:])
            given = f'{grid[0]}x{grid[1]} = {prod(grid)}'
            fits = grid == geometry.grid
        else:
            self.num_extra_tokens = _num_extra_tokens(self.encoder)
            given = output.shape[1] - self.num_extra_tokens
            fits = given == geometry.num_patches
        rows, cols = geometry.grid
        check(
            fits,
            f'the teacher {name} gives {given} patch features of an image of '
            f'{geometry.img_size}, the student has {rows}x{cols} = {rows * cols} '
            "patches: choose a teacher with the student's grid (out_type='featmap')",
        )
        self.out_channels = self._features(outputs).shape[-1]

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        if not self.is_init:
            self.init_weights()
        return self._features(self._outputs(images))

    @torch.no_grad()
    def _outputs(self, images: Tensor) -> list[Tensor]:
        """Return the outputs of the backbone: of several blocks, or only the last."""
        output = self.encoder(images)
        while isinstance(output, tuple | list) and isinstance(output[-1], tuple | list):
            output = output[-1]
        outputs = list(output) if isinstance(output, tuple | list) else [output]
        return outputs if self.blocks else outputs[-1:]

    def _features(self, outputs: list[Tensor]) -> Tensor:
        tokens = [
            x.flatten(2).transpose(1, 2)
            if x.ndim == 4
            else x[:, self.num_extra_tokens :]
            for x in outputs
        ]
        return self.merge(tokens) if self.blocks else tokens[-1]


def _names_weights(backbone: dict) -> bool:
    """Whether the config of a backbone says where its weights come from."""
    init_cfg = backbone.get('init_cfg') or []
    steps = [init_cfg] if isinstance(init_cfg, dict) else init_cfg
    return bool(
        backbone.get('pretrained')
        or backbone.get('checkpoint_path')
        or any(step.get('type') == 'Pretrained' for step in steps)
    )


def _num_extra_tokens(encoder: nn.Module) -> int:
    """Return the tokens in front of the patches, by mmpretrain's or timm's name."""
    model = getattr(encoder, 'timm_model', encoder)
    names = ('num_extra_tokens', 'num_prefix_tokens')
    return next((getattr(model, name) for name in names if hasattr(model, name)), 0)


def _note_loaded(teacher: PretrainedEncoder, keys) -> None:
    """Hook of load_state_dict: complete weights need not be loaded again."""
    teacher.is_init = teacher.is_init or not keys.missing_keys
