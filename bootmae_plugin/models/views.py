"""Heads on the pooled token of an image: view stages, and their opponents.

:class:`ViewHead` needs a teacher. :class:`UniformityHead` and :class:`JointHead` are
the methods that it is compared with: one stage, no teacher.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check
from ..targets import Whitening
from .heads import MOMENTUM, BranchHead
from .layers import Latent
from .masking import Mask
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


def mlp(widths: Sequence[int], norm: bool = False) -> nn.Sequential:
    """Build linear layers of these widths, from the input on, with GELU between.

    With ``norm`` there is a batch norm before each GELU.
    """
    layers = []
    for inputs, outputs in pairwise(widths[:-1]):
        norms = [nn.BatchNorm1d(outputs)] if norm else []
        layers += [nn.Linear(inputs, outputs), *norms, nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(*widths[-2:]))


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


@MODELS.register_module()
class UniformityHead(BranchHead):
    """U-MAE's term: push the pooled tokens of different images apart.

    It is the mean squared cosine between the images of a batch (Zhang et al. 2022,
    arXiv 2210.08344), in each process. U-MAE adds it to the pixels with
    ``loss_weight=0.01``.

    Args:
        in_channels: Width of the pooled token (set by the algorithm).
        geometry: The encoder's geometry (set by the algorithm).
        target_channels: Unused; the algorithm offers every head the teacher's width.
        **kwargs: See :class:`BranchHead`.
    """

    def __init__(
        self,
        in_channels: int,
        geometry: Geometry,
        target_channels: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(in_channels, in_channels, geometry, **kwargs)
        self.pred = nn.Identity()

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        """Compare the tokens (V * B, 1, D) of the B images under each of V masks."""
        tokens = F.normalize(x.float().squeeze(1), dim=-1)
        tokens = tokens.unflatten(0, (-1, len(source)))  # (V, B, D)
        with torch.autocast(x.device.type, enabled=False):
            squares = (tokens @ tokens.mT).square()
        others = squares.sum(dim=(1, 2)) - squares.diagonal(dim1=1, dim2=2).sum(dim=1)
        pairs = max(len(source) * (len(source) - 1), 1)
        return dict(loss=others.mean() / pairs)


def simclr_loss(one: Tensor, two: Tensor, temperature: float = 0.5) -> Tensor:
    """NT-Xent of two views (B, D); SimCLR's temperature for CIFAR-10."""
    tokens = F.normalize(torch.cat([one, two]), dim=-1)
    similarity = (tokens @ tokens.T / temperature).fill_diagonal_(-torch.inf)
    positive = torch.arange(len(tokens), device=tokens.device).roll(len(one))
    return F.cross_entropy(similarity, positive)


def vicreg_loss(one: Tensor, two: Tensor) -> Tensor:
    """VICReg of two views (B, D), with the paper's weights (arXiv 2105.04906)."""

    def spread(x: Tensor) -> Tensor:
        x = x - x.mean(dim=0)
        cov = x.T @ x / (len(x) - 1)  # Tensor.cov makes a GPU wait
        variance = cov.diagonal()
        hinge = F.relu(1 - (variance + 1e-4).sqrt()).mean()
        return 12.5 * hinge + (cov.square().sum() - variance.square().sum()) / len(cov)

    return 25 * F.mse_loss(one, two) + spread(one) + spread(two)


def lejepa_loss(one: Tensor, two: Tensor, weight: float = 0.05) -> Tensor:
    """LeJEPA of two views (B, D): SIGReg and invariance (arXiv 2511.08544).

    SIGReg projects the views on random directions and compares their characteristic
    functions with a Gaussian's (Epps and Pulley), at 17 points as in the official code.
    """
    views = torch.stack([one, two])
    directions = torch.randn(one.shape[1], 256, device=one.device)
    t = torch.linspace(0, 3, 17, device=one.device)
    gaussian = (-t.square() / 2).exp()
    angle = (views @ (directions / directions.norm(dim=0)))[..., None] * t
    real, imaginary = angle.cos().mean(dim=1), angle.sin().mean(dim=1)
    error = (real - gaussian).square() + imaginary.square()
    sigreg = 2 * len(one) * torch.trapezoid(error * gaussian, t, dim=-1).mean()
    invariance = (views - views.mean(dim=0)).square().mean()
    return weight * sigreg + (1 - weight) * invariance


JOINT_LOSSES = dict(simclr=simclr_loss, vicreg=vicreg_loss, lejepa=lejepa_loss)


@MODELS.register_module()
class JointHead(BranchHead):
    """Joint embedding: the pooled tokens of the views of an image should agree.

    The student masks and encodes all views. The loss of each process is that of its own
    batch.

    Args:
        in_channels: Width of the pooled token (set by the algorithm).
        geometry: The encoder's geometry (set by the algorithm).
        target_channels: Unused; the algorithm offers every head the teacher's width.
        loss: 'simclr', 'vicreg' or 'lejepa'. Defaults to 'vicreg'.
        hidden_channels: Width of the projector's two hidden layers. Defaults to 512.
        out_channels: Width of the projection. Defaults to 128.
        **kwargs: See :class:`BranchHead`.

    Raises:
        UserError: if the loss is unknown.
    """

    view = 1
    encoded_views = 2

    def __init__(
        self,
        in_channels: int,
        geometry: Geometry,
        target_channels: int | None = None,
        loss: str = 'vicreg',
        hidden_channels: int = 512,
        out_channels: int = 128,
        **kwargs,
    ) -> None:
        check(
            loss in JOINT_LOSSES,
            f'unknown loss={loss!r}: choose one of {list(JOINT_LOSSES)}',
        )
        super().__init__(in_channels, out_channels, geometry, **kwargs)
        widths = [in_channels, hidden_channels, hidden_channels, out_channels]
        self.compare, self.pred = JOINT_LOSSES[loss], mlp(widths, norm=True)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize the projector again, with its batch norms."""
        super().reset_parameters()
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_parameters()

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        """Compare the projections of all views and masks of each image, in pairs.

        Args:
            x: (V * 2 * B, 1, in_channels) pooled tokens of two views under V masks.
            source: (B, C, H, W) the second view.
            mask: Unused.
        """
        views = self.pred(x.squeeze(1)).float().unflatten(0, (-1, len(source)))
        with torch.autocast(x.device.type, enabled=False):
            losses = [self.compare(*pair) for pair in combinations(views, 2)]
        return dict(loss=sum(losses) / len(losses))
