"""Teachers: the frozen encoders whose features the student predicts."""

from collections.abc import Sequence
from copy import deepcopy
from math import cos, pi, prod

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..checkpoints.load import load_encoder, load_module, names_weights
from ..errors import check
from .layers import resolve_blocks
from .normalization import normalize_images, normalize_tokens


class TargetGenerator(BaseModule):
    """Base class of the teachers: an encoder whose features are the target.

    A teacher is always in eval mode and gets no gradients. A subclass sets
    ``out_channels``, at the latest in ``attach``, and implements ``forward``.

    Args:
        blocks: Indices of the blocks whose outputs are the features, counted from 0; -1
            is the last. Defaults to None: the teacher's output.
        blocks_merge: 'concat' concatenates them, each layer-normalized (Bootleg);
            'mean' averages them, each instance-normalized (data2vec 2.0). Defaults to
            'concat'.

    Attributes:
        out_channels: Width D of the features.
    """

    out_channels: int

    def __init__(
        self, blocks: Sequence[int] | None = None, blocks_merge: str = 'concat'
    ) -> None:
        super().__init__()
        check(
            blocks_merge in ('concat', 'mean'),
            f"unknown blocks_merge={blocks_merge!r}: choose 'concat' or 'mean'",
        )
        check(blocks is None or len(blocks), 'blocks=[] names no block: set it to None')
        self.blocks, self.blocks_merge = blocks, blocks_merge

    def merge(self, outputs: Sequence[Tensor]) -> Tensor:
        """Merge the outputs of several blocks, (B, L, D) each, to the features."""
        if self.blocks_merge == 'concat':
            return torch.cat([normalize_tokens(x.float()) for x in outputs], dim=-1)
        return sum(normalize_images(x.float()) for x in outputs) / len(outputs)

    @property
    def moves(self) -> bool:
        """Whether the teacher changes within a stage: it does if it has an update."""
        return type(self).update is not TargetGenerator.update

    def attach(self, student: nn.Module) -> None:
        """Adapt to the student's encoder; called once, when the model is built."""

    def start_stage(self, student: nn.Module) -> None:
        """Take what the teacher needs from the student's encoder as a stage starts."""

    def update(
        self, student: nn.Module, epoch: int, max_epochs: int, batch_size: int
    ) -> None:
        """Follow the student's encoder; called after an optimizer step.

        It is called in stages with an active branch that uses the teacher.

        Args:
            student: The student's encoder.
            epoch: Current epoch, counted from 0.
            max_epochs: Epochs of the run.
            batch_size: Images of the step, those of all processes and accumulated
                batches.
        """

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of every patch of the full image.

        Args:
            images: (B, C, H, W) normalized images.

        Returns:
            (B, L, D), patches in raster order.
        """
        raise NotImplementedError

    def train(self, mode: bool = True) -> 'TargetGenerator':
        """Stay in eval mode, whatever the mode of the model."""
        return super().train(False)


@MODELS.register_module()
class StageEncoder(TargetGenerator):
    """The student's encoder as it was at the end of the previous stage (MAE-K).

    It encodes the full image with all extra tokens, and returns the patch tokens.

    Args:
        final_norm: Return the tokens after the encoder's final norm (MAE-K). False
            returns the output of the last block (BootMAE). It has no effect on
            ``blocks``. Defaults to True.
        **kwargs: ``blocks`` and ``blocks_merge``, see :class:`TargetGenerator`.
    """

    def __init__(self, final_norm: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self.final_norm = final_norm

    def attach(self, student: nn.Module) -> None:
        """Copy the student's encoder."""
        self.encoder = deepcopy(student).requires_grad_(False)
        self.encoder.init_cfg = None  # its weights come from the student alone
        self.out_channels = student.geometry.embed_dims
        if self.blocks is not None:
            self.blocks = resolve_blocks(self.blocks, student.num_layers, 'blocks')
            if self.blocks_merge == 'concat':
                self.out_channels *= len(self.blocks)
        self.train()

    @torch.no_grad()
    def start_stage(self, student: nn.Module) -> None:
        """Take the student's weights."""
        # Both encoders have the same tensors in the same order.
        both = ([*m.parameters(), *m.buffers()] for m in (self.encoder, student))
        for own, new in zip(*both, strict=True):
            own.copy_(new)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        last = self.encoder.num_layers - 1
        blocks = self.blocks or [last]
        latent = self.encoder.encode(images, blocks=blocks, patches_only=True)
        if self.blocks:
            num_patches = latent.tokens.shape[1]
            return self.merge([latent.blocks[i][:, -num_patches:] for i in blocks])
        return latent.tokens if self.final_norm else latent.blocks[last]


@MODELS.register_module()
class EMAEncoder(StageEncoder):
    """An exponential moving average of the student's encoder (MAE-EMA, BootMAE).

    With :class:`BootstrapHook` and ``boundaries=[E]`` it takes the student's weights at
    epoch E and follows the student from then on.

    Args:
        decay: Share of the old average that is kept in a step: one number; a sequence
            of points (epoch, decay), linear between them and constant outside; or
            ``dict(start=a, end=b)``, half a cosine over the run (BYOL). Defaults to
            0.999.
        base_batch_size: The batch, of all processes, that the decay is for. A step of B
            images keeps ``decay ** (B / base_batch_size)``, so that the average goes
            over as many images whatever the batch (Busbridge et al. 2023). Defaults to
            None: the decay is that of a step.
        **kwargs: See :class:`StageEncoder`.

    Raises:
        UserError: if a decay is outside [0, 1], the epochs do not increase, or
            base_batch_size is no whole number from 1.
    """

    def __init__(
        self,
        decay: float | Sequence[tuple[float, float]] | dict = 0.999,
        base_batch_size: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(decay, dict):
            check(
                set(decay) == {'start', 'end'},
                f'decay={dict(decay)} needs the keys start and end',
            )
            values, epochs = [decay['start'], decay['end']], []
        elif isinstance(decay, Sequence):
            epochs, values = zip(*decay, strict=True)
        else:
            epochs, values = [0], [decay]
            decay = [(0, decay)]
        check(
            all(0 <= value <= 1 for value in values),
            f'decay={decay}: a decay must lie between 0 and 1, such as 0.999',
        )
        check(
            list(epochs) == sorted(set(epochs)),
            f'decay={decay}: the epochs of its points must increase',
        )
        check(
            base_batch_size is None
            or isinstance(base_batch_size, int)
            and base_batch_size >= 1,
            f'base_batch_size={base_batch_size!r} must be a whole number from 1, the '
            'batch of all processes that the decay is for, or None',
        )
        self.decay, self.base_batch_size = decay, base_batch_size

    def decay_at(self, epoch: float, max_epochs: int) -> float:
        """Return the decay in an epoch, counted from 0."""
        if isinstance(self.decay, dict):
            start, end = self.decay['start'], self.decay['end']
            return end - (end - start) * 0.5 * (1 + cos(pi * epoch / max_epochs))
        before = max((p for p in self.decay if p[0] <= epoch), default=self.decay[0])
        after = min((p for p in self.decay if p[0] > epoch), default=before)
        if after[0] <= before[0]:
            return before[1]
        share = (epoch - before[0]) / (after[0] - before[0])
        return before[1] + max(share, 0.0) * (after[1] - before[1])

    def update(
        self, student: nn.Module, epoch: int, max_epochs: int, batch_size: int
    ) -> None:
        """Average the student's weights: ``own = d * own + (1 - d) * student``."""
        steps = batch_size / (self.base_batch_size or batch_size)
        average = get_ema_multi_avg_fn(self.decay_at(epoch, max_epochs) ** steps)
        average(list(self.encoder.parameters()), list(student.parameters()), None)


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
            random or checkpoint or names_weights(backbone),
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


def _num_extra_tokens(encoder: nn.Module) -> int:
    """Return the tokens in front of the patches, by mmpretrain's or timm's name."""
    model = getattr(encoder, 'timm_model', encoder)
    names = ('num_extra_tokens', 'num_prefix_tokens')
    return next((getattr(model, name) for name in names if hasattr(model, name)), 0)


def _note_loaded(teacher: PretrainedEncoder, keys) -> None:
    """Hook of load_state_dict: complete weights need not be loaded again."""
    teacher.is_init = teacher.is_init or not keys.missing_keys
