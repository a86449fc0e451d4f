"""View stages: predict the teacher's pooled features of another view of the image."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check
from .heads import MOMENTUM, BranchHead
from .layers import Latent
from .masking import Mask
from .normalization import Whitening
from .patches import Geometry

POOLS = ('avg', 'cls', 'dist')


@MODELS.register_module()
class PooledTokens(BaseModule):
    """Decoder of a view branch: one token for the image, pooled over what is visible.

    It has no weights; the predictor is the head's.

    Args:
        geometry: The encoder's geometry (the algorithm gives it).
        pool: 'avg', the mean of the visible patch tokens; 'cls'; or 'dist', the
            distillation token. Defaults to 'avg'.

    Raises:
        UserError: if the pooling is unknown, or the encoder lacks the token.
    """

    inject: int | None = None

    def __init__(self, geometry: Geometry, pool: str = 'avg') -> None:
        super().__init__()
        check(pool in POOLS, f'unknown pool={pool!r}: choose one of {POOLS}')
        extra = geometry.num_extra_tokens
        check(
            pool != 'dist' or extra == 2,
            "pool='dist' needs a distillation token, which only MaskedDeiT has: choose "
            "'avg' or 'cls'",
        )
        self.pool, self.num_extra_tokens = pool, extra
        self.embed_dims = geometry.embed_dims

    def reset_parameters(self) -> None:
        """Do nothing: there are no weights."""

    def choose(self, mask: Mask) -> Mask:
        """Return the mask as it is: no patch is predicted."""
        return mask

    def forward(self, latent: Latent, mask: Mask) -> Tensor:
        """Pool the encoded tokens (B, E + K, D) to (B, 1, D)."""
        if self.pool == 'avg':
            visible = latent.tokens[:, self.num_extra_tokens :]
            return visible.mean(dim=1, keepdim=True)
        index = POOLS.index(self.pool) - 1
        return latent.tokens[:, index : index + 1]


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Build linear layers of these widths, from the input on, with GELU between."""
    layers = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.GELU()]
    return nn.Sequential(*layers[:-1])


@MODELS.register_module()
class ViewHead(BranchHead):
    """Predict the teacher's mean patch feature of another view, whitened.

    The student sees a masked view, the frozen teacher a second view of the image.
    A prediction keeps what both views share, and whitening amplifies it for the next
    stage, whose teacher is this student: each stage is one step of a power iteration on
    the operator that averages over views. The target cannot collapse within a stage.

    Args:
        in_channels: Width of the pooled token (set by the algorithm).
        geometry: The encoder's geometry (set by the algorithm).
        target_channels: Width D of the teacher's features (set by the algorithm).
        hidden_channels: Width of the predictor's hidden layers. Defaults to 256.
        hidden_layers: Number of them; 0 is a linear predictor. Defaults to 1.
        shrinkage: See :class:`Whitening`. Defaults to 1e-3.
        **kwargs: See :class:`BranchHead`.

    Raises:
        UserError: if there is no teacher.
    """

    uses_teacher = True
    view = 1  # the teacher encodes the second view

    def __init__(
        self,
        in_channels: int,
        geometry: Geometry,
        target_channels: int | None = None,
        hidden_channels: int = 256,
        hidden_layers: int = 1,
        shrinkage: float = 1e-3,
        **kwargs,
    ) -> None:
        check(
            target_channels is not None,
            'ViewHead needs a teacher: set model.target_generator (StageEncoder)',
        )
        super().__init__(in_channels, target_channels, geometry, **kwargs)
        widths = [in_channels, *[hidden_channels] * hidden_layers, target_channels]
        self.pred = mlp(widths)
        self.whitening = Whitening(target_channels, shrinkage)
        self.reset_parameters()

    def attach(self, teacher: nn.Module | None) -> None:
        """Let the statistics of the target follow a teacher that moves."""
        if getattr(teacher, 'moves', False):
            self.whitening.momentum = MOMENTUM

    def start_stage(self, stage: int) -> None:
        """Start each stage with a new predictor and new statistics of the target."""
        super().start_stage(stage)
        self.reset_parameters()
        self.whitening.reset()

    def target(self, features: Tensor) -> Tensor:
        """Pool and whiten the teacher's features (B, L, D); returns (B, D)."""
        return self.whitening(features.float().mean(dim=1))

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        """Compare the prediction with the teacher's feature of the other view.

        Args:
            x: (V * B, 1, in_channels) pooled tokens under V masks of each image.
            source: (B, L, D) the teacher's features of the second view.
            mask: Unused.

        Returns:
            ``loss``, and ``explained``, as in :class:`FeatureHead`.
        """
        target = self.target(source)
        pred = self.pred(x).float().squeeze(1)
        target = target.repeat(len(pred) // len(target), 1)
        loss = F.mse_loss(pred, target)
        variance = (target - target.mean(dim=0)).square().mean()
        return dict(loss=loss, explained=1 - loss.detach() / variance)
