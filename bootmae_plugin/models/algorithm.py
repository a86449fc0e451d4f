"""The algorithm: mask, encode, and for each branch decode and compare."""

import torch
from mmpretrain.models.selfsup.base import BaseSelfSupervisor
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check
from .late_log import LateLog
from .targets import TargetGenerator


@MODELS.register_module()
class BootMAE(BaseSelfSupervisor):
    """Masked autoencoder with one or more branches, each with its own target.

    The slots are mmpretrain's. In stage 1 a bootstrapped model reconstructs pixels; at
    each stage boundary :class:`BootstrapHook` calls :meth:`start_stage`, which hands
    the encoder's weights to the teacher. Stage and teacher are in the state_dict. The
    hook also lets a moving average follow and ramps the weights of the branches, so a
    model with either needs it in a single stage, too (``num_stages=1``).

    Args:
        backbone: A masked encoder (:class:`MaskedDeiT`, :class:`MaskedViT`).
        masking: Which patches stay visible (:class:`RandomMasking`).
        neck: The decoder, or a dict with one for every branch (:class:`MAEDecoder`,
            :class:`CrossAttentionDecoder`).
        head: The branch, or a dict of named branches (:class:`PixelHead`,
            :class:`FeatureHead`).
        target_generator: The teacher (:class:`StageEncoder`, :class:`EMAEncoder`,
            :class:`PretrainedEncoder`). Defaults to None.
        masks_per_image: Views of every image in a step, each with a mask of its own;
            they share the teacher's forward pass (data2vec 2.0). Defaults to 1.
        **kwargs: See mmpretrain's ``BaseSelfSupervisor``.

    Raises:
        UserError: if the parts do not fit each other.
    """

    def __init__(
        self,
        backbone: dict,
        masking: dict,
        neck: dict,
        head: dict,
        target_generator: dict | None = None,
        masks_per_image: int = 1,
        **kwargs,
    ) -> None:
        super().__init__(backbone=backbone, **kwargs)
        check(
            isinstance(masks_per_image, int) and masks_per_image >= 1,
            f'masks_per_image={masks_per_image} must be a whole number from 1',
        )
        self.masks_per_image = masks_per_image
        geometry = self.backbone.geometry
        self.masking = MODELS.build(masking)
        self.masking.check_grid(geometry.grid)
        if target_generator is not None:
            self.target_generator = MODELS.build(target_generator)
            if isinstance(self.target_generator, TargetGenerator):
                self.target_generator.attach(self.backbone)

        heads = {'main': head} if 'type' in head else head
        # A child config drops a branch by setting it to None.
        heads = {name: cfg for name, cfg in heads.items() if cfg is not None}
        self.neck = self._build_decoders(neck, list(heads))
        self.injected = {self.decoder(name).inject for name in heads} - {None}
        self.head = nn.ModuleDict(
            {name: self._build_head(name, cfg) for name, cfg in heads.items()}
        )
        self.register_buffer('stage_number', torch.tensor(1))
        self._stage = 1
        self.late_log = LateLog()

    def _build_decoders(self, neck: dict, branches: list[str]) -> nn.Module:
        """One decoder for all branches, or a ModuleDict with one for each."""
        offered = dict(geometry=self.backbone.geometry)
        if 'type' in neck:
            return MODELS.build(neck, default_args=offered)
        missing = [name for name in branches if neck.get(name) is None]
        check(
            not missing,
            f'neck has decoders for {list(neck)}, none for the branches {missing}: add '
            'them, or give one decoder for all',
        )
        return nn.ModuleDict(
            {name: MODELS.build(neck[name], default_args=offered) for name in branches}
        )

    def _build_head(self, name: str, head: dict) -> nn.Module:
        width = getattr(self.target_generator, 'out_channels', None)
        asked = head.get('target_channels', width)
        check(
            width in (None, asked),
            f'the branch {name!r} predicts target_channels={asked}, but the teacher '
            f'{type(self.target_generator).__name__} gives {width}: leave '
            'target_channels out, or choose a teacher of that width',
        )
        offered = dict(
            in_channels=self.decoder(name).embed_dims,
            geometry=self.backbone.geometry,
            target_channels=width,
        )
        return MODELS.build(head, default_args=offered)

    @property
    def stage(self) -> int:
        """The current stage, counted from 1."""
        return self._stage

    def loss(
        self, inputs: Tensor, data_samples: list | None = None, **kwargs
    ) -> dict[str, Tensor]:
        """One training step.

        Args:
            inputs: (B, 3, H, W) normalised images.
            data_samples: Not used.

        Returns:
            ``loss_<branch>`` of the active branches, and what they log.
        """
        geometry = self.backbone.geometry
        check(
            inputs.shape[-2:] == geometry.img_size,
            f'images of {tuple(inputs.shape[-2:])} do not fit the mask and position '
            f'grid of {geometry.grid} patches, which is for {geometry.img_size}: set '
            'img_size on the backbone and the augmentation alike',
        )
        views = self.masks_per_image * len(inputs)
        mask = self.masking(views, geometry.grid, inputs.device)
        latent = self.backbone.encode(inputs, mask, self.injected)
        losses = {}
        for name, head in self.active_branches():
            decoder = self.decoder(name)
            chosen = decoder.choose(mask)
            decoded = decoder(latent, chosen)
            source = self.target_generator(inputs) if head.uses_teacher else inputs
            values = head.loss(decoded, source, chosen)
            values['loss'] = head.branch_weight * values['loss']
            losses.update({f'{key}_{name}': value for key, value in values.items()})
        return losses

    def parse_losses(self, losses: dict) -> tuple[Tensor, dict[str, Tensor]]:
        """As in mmengine; on a GPU what is logged is one step late."""
        loss, values = super().parse_losses(losses)
        return loss, self.late_log(values)

    def decoder(self, name: str) -> nn.Module:
        """The decoder of a branch; a single neck serves them all."""
        return self.neck[name] if isinstance(self.neck, nn.ModuleDict) else self.neck

    def active_branches(self) -> list[tuple[str, nn.Module]]:
        """The branches trained in this stage, with their names."""
        return [(k, head) for k, head in self.head.items() if head.active(self.stage)]

    def idle_parameters(self) -> set[nn.Parameter]:
        """Those of prediction layers and decoders that no active branch uses."""
        names = {name for name, _ in self.active_branches()}
        parts = {name: (self.head[name], self.decoder(name)) for name in self.head}
        used = {m for name in names for m in parts[name]}
        idle = {m for name in parts for m in parts[name]} - used
        return {p for module in idle for p in module.parameters()}

    def start_stage(self, stage: int, student: str = 'continue') -> None:
        """Enter a stage: the teacher takes the encoder, new branches start.

        Args:
            stage: The stage that starts, counted from 1.
            student: 'continue' keeps the weights, 'reset' initialises encoder, decoder
                and prediction layers afresh once the teacher has its weights.
        """
        if isinstance(self.target_generator, TargetGenerator):
            self.target_generator.start_stage(self.backbone)
        if student == 'reset':
            decoders = {self.decoder(name) for name in self.head}
            for module in (self.backbone, *decoders, *self.head.values()):
                module.reset_parameters()
        for head in self.head.values():
            head.start_stage(stage)
        self._set_stage(stage)
        check(
            len(self.active_branches()) > 0,
            f'no branch is trained in stage {stage}: give one of {list(self.head)} a '
            'first_stage and last_stage that include it',
        )

    def start_epoch(self, epoch: int, max_epochs: int) -> None:
        """Tell the branches how far the run is (counted from 0)."""
        for head in self.head.values():
            head.start_epoch(epoch, max_epochs)

    def after_step(self, epoch: int, max_epochs: int) -> None:
        """Let the teacher follow, once the optimiser has stepped."""
        if isinstance(self.target_generator, TargetGenerator) and any(
            head.uses_teacher for _, head in self.active_branches()
        ):
            self.target_generator.update(self.backbone, epoch, max_epochs)

    def init_weights(self) -> None:
        """As in mmengine; a copy of the student follows the weights it loads."""
        super().init_weights()
        if isinstance(self.target_generator, TargetGenerator):
            self.target_generator.start_stage(self.backbone)

    def _set_stage(self, stage: int) -> None:
        self._stage = stage  # beside the buffer: reading that would stall a GPU
        self.stage_number.fill_(stage)

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._stage = int(self.stage_number)
