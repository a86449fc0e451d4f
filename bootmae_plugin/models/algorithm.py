"""The algorithm: mask, encode, and for each branch decode and compare."""

import torch
from mmpretrain.models.selfsup.base import BaseSelfSupervisor
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check
from ..host import LateLog
from ..targets import TargetGenerator
from .masking import Mask


@MODELS.register_module()
class BootMAE(BaseSelfSupervisor):
    """Masked autoencoder with one or more branches, each with its own target.

    The slots are mmpretrain's, and a method is a choice of parts:

    * MAE: random masks; self-attention decoder -> normalized pixels.
    * MAE-K: the same in stage 1, then -> features of the previous stage's encoder.
    * MAE-EMA: pixels first, then -> features of the moving average.
    * Feature MAE: -> features of another pretrained encoder.
    * BootMAE: block masks; cross-attention on the first block -> pixels, and on the
      last block -> features of the moving average.

    :class:`BootstrapHook` tells the model when a stage or an epoch starts and when the
    optimizer has stepped. A model with a moving average or a loss warm-up needs the
    hook in a single stage, too (``num_stages=1``). The stage and the teacher are part
    of the state_dict.

    Args:
        backbone: Config of a masked encoder (:class:`MaskedDeiT`, :class:`MaskedViT`).
        masking: Config of the masks (:class:`RandomMasking`, :class:`BlockMasking`).
        neck: Config of the decoder, or a dict with one for each branch
            (:class:`MAEDecoder`, :class:`CrossAttentionDecoder`).
        head: Config of the branch, or a dict of named branches (:class:`PixelHead`,
            :class:`FeatureHead`). A branch that is None is left out.
        target_generator: Config of the teacher (:class:`StageEncoder`,
            :class:`EMAEncoder`, :class:`PretrainedEncoder`). Defaults to None.
        masks_per_image: Masks of every image in a step, which share the teacher's
            forward pass (data2vec 2.0). Defaults to 1.
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
        self.masking = MODELS.build(masking)
        self.masking.check_grid(self.backbone.geometry.grid)
        if target_generator is not None:
            self.target_generator = MODELS.build(target_generator)
            if isinstance(self.target_generator, TargetGenerator):
                self.target_generator.attach(self.backbone)

        branches = {'main': head} if 'type' in head else head
        # A child config drops a branch by setting it to None.
        branches = {name: cfg for name, cfg in branches.items() if cfg is not None}
        self.neck = self._build_decoders(neck, list(branches))
        # Encoder blocks whose output the decoders attend to.
        self.injected = {self.decoder(name).inject for name in branches} - {None}
        self.head = nn.ModuleDict(
            {name: self._build_head(name, cfg) for name, cfg in branches.items()}
        )
        self.register_buffer('stage_number', torch.tensor(1))
        self._stage = 1
        self.register_load_state_dict_post_hook(_read_stage)
        self.late_log = LateLog()

    def _build_decoders(self, neck: dict, branches: list[str]) -> nn.Module:
        """Build one decoder for all branches, or a ModuleDict with one for each."""
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

    def _build_head(self, name: str, cfg: dict) -> nn.Module:
        teacher = self.target_generator
        width = getattr(teacher, 'out_channels', None)
        asked = cfg.get('target_channels', width)
        check(
            width in (None, asked),
            f'the branch {name!r} predicts target_channels={asked}, but the teacher '
            f'{type(teacher).__name__} gives {width}: leave '
            'target_channels out, or choose a teacher of that width',
        )
        offered = dict(
            in_channels=self.decoder(name).embed_dims,
            geometry=self.backbone.geometry,
            target_channels=width,
        )
        head = MODELS.build(cfg, default_args=offered)
        head.attach(teacher)
        return head

    @property
    def stage(self) -> int:
        """The current stage, counted from 1."""
        return self._stage

    def loss(
        self,
        inputs: Tensor | list[Tensor],
        data_samples: list | None = None,
        **kwargs,
    ) -> dict[str, Tensor]:
        """Mask and encode the images; for each branch decode and compare.

        Args:
            inputs: (B, C, H, W) normalized images, or a list of views of the same
                images. The first view is masked and encoded, or the first few as one
                batch (:class:`JointHead`).
            data_samples: Unused.

        Returns:
            ``loss_<branch>`` of the active branches, and values for the log.
        """
        views = self.check_views(inputs)
        inputs = self.encoded_images(views)
        mask = self.draw_masks(inputs)  # V masks of each image: V * B in all
        latent = self.backbone.encode(inputs, mask, self.injected)  # MAE, section 3
        losses = {}
        for name, head in self.active_branches():
            decoder = self.decoder(name)
            chosen = decoder.choose(mask)  # the patches to predict (CrossMAE)
            decoded = decoder(latent, chosen)  # (V * B, P, decoder width)
            images = views[head.view] if head.view else inputs
            source = self.target_generator(images) if head.uses_teacher else images
            values = head.loss(decoded, source, chosen)  # BootMAE's R, P
            values['loss'] = head.branch_weight * values['loss']  # R + lambda * P
            losses.update({f'{key}_{name}': value for key, value in values.items()})
        return losses

    def check_views(self, inputs: Tensor | list[Tensor]) -> list[Tensor]:
        """Return the views of the images.

        Raises:
            UserError: if an active branch needs more views than there are.
        """
        views = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        needed = max((h.num_views for _, h in self.active_branches()), default=1)
        check(
            len(views) >= needed,
            f'a branch of this stage needs {needed} views of each image, got '
            f'{len(views)}: set data_preprocessor.views={needed}',
        )
        return views

    def encoded_images(self, views: list[Tensor]) -> Tensor:
        """Return the images that the student encodes: the first view, or several."""
        heads = [head for _, head in self.active_branches()]
        number = max((head.encoded_views for head in heads), default=1)
        return views[0] if number == 1 else torch.cat(views[:number])

    def draw_masks(self, images: Tensor) -> Mask:
        """Draw the masks of a step, ``masks_per_image`` for each image.

        Raises:
            UserError: if the images have another size than the encoder's.
        """
        geometry = self.backbone.geometry
        check(
            images.shape[-2:] == geometry.img_size,
            f'images of {tuple(images.shape[-2:])} do not fit the encoder, which has '
            f'{geometry.grid} patches for {geometry.img_size}: set img_size of the '
            'backbone and the size of the augmentation alike',
        )
        number = self.masks_per_image * len(images)
        return self.masking(number, geometry.grid, images.device)

    def parse_losses(self, losses: dict) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum the losses as mmengine does; on a GPU the log is one step late.

        mmengine adds every value with 'loss' in its name. Names of branches do not
        count: ``explained_gloss`` of a branch ``gloss`` is a value for the log.
        """
        endings = tuple(f'_{name}' for name in self.head)
        counted = {k: v for k, v in losses.items() if 'loss' in _without(k, endings)}
        others = {k: v for k, v in losses.items() if k not in counted}
        loss, values = super().parse_losses(counted)
        return loss, self.late_log({**super().parse_losses(others)[1], **values})

    def decoder(self, name: str) -> nn.Module:
        """Return the decoder of a branch; one neck may serve all branches."""
        return self.neck[name] if isinstance(self.neck, nn.ModuleDict) else self.neck

    def active_branches(self) -> list[tuple[str, nn.Module]]:
        """Return the names and heads of the branches that this stage trains."""
        return [(k, head) for k, head in self.head.items() if head.active(self.stage)]

    def idle_parameters(self) -> set[nn.Parameter]:
        """Return the parameters of heads and decoders that no active branch uses."""
        names = {name for name, _ in self.active_branches()}
        parts = {name: (self.head[name], self.decoder(name)) for name in self.head}
        used = {m for name in names for m in parts[name]}
        idle = {m for name in parts for m in parts[name]} - used
        return {p for module in idle for p in module.parameters()}

    def start_stage(self, stage: int, student: str = 'continue') -> None:
        """Enter a stage: the teacher takes the encoder's weights, new branches start.

        Args:
            stage: The stage that starts, counted from 1.
            student: 'continue' keeps the student's weights. 'reset' initializes
                encoder, decoders and heads again, after the teacher has taken the
                weights. Defaults to 'continue'.

        Raises:
            UserError: if no branch is trained in the stage.
        """
        if isinstance(self.target_generator, TargetGenerator):
            self.target_generator.start_stage(self.backbone)
        if student == 'reset':
            decoders = {self.decoder(name) for name in self.head}
            for module in (self.backbone, *decoders, *self.head.values()):
                module.reset_parameters()
        for head in self.head.values():
            head.start_stage(stage)
        self.stage_number.fill_(stage)
        self.note_stage(stage)
        check(
            len(self.active_branches()) > 0,
            f'no branch is trained in stage {stage}: give one of {list(self.head)} a '
            'first_stage and last_stage that include it',
        )

    def note_stage(self, stage: int) -> None:
        """Draw views and masks of a stage that starts or is resumed."""
        self._stage = stage
        self.masking.start_stage(stage)
        if hasattr(self.data_preprocessor, 'start_stage'):
            self.data_preprocessor.start_stage(stage)

    def start_epoch(self, epoch: int, max_epochs: int) -> None:
        """Set the loss weights of an epoch, counted from 0."""
        for head in self.head.values():
            head.start_epoch(epoch, max_epochs)

    def after_step(self, epoch: int, max_epochs: int, batch_size: int) -> None:
        """Let the teacher follow the student, after an optimizer step.

        See :meth:`TargetGenerator.update`.
        """
        if isinstance(self.target_generator, TargetGenerator) and any(
            head.uses_teacher for _, head in self.active_branches()
        ):
            self.target_generator.update(self.backbone, epoch, max_epochs, batch_size)

    def init_weights(self) -> None:
        """Initialize as mmengine does; then the teacher takes the student's weights."""
        super().init_weights()
        if isinstance(self.target_generator, TargetGenerator):
            self.target_generator.start_stage(self.backbone)


def _read_stage(model: BootMAE, keys) -> None:
    """Hook of load_state_dict: keep the stage outside of the device, too.

    Reading ``stage_number`` in every step would make a GPU wait.
    """
    model.note_stage(int(model.stage_number))


def _without(name: str, endings: tuple[str, ...]) -> str:
    """Return a name without the longest of the endings that it has."""
    longest = max((e for e in endings if name.endswith(e)), key=len, default='')
    return name.removesuffix(longest)
