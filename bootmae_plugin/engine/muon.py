"""Muon for the matrices of the transformer blocks, AdamW for everything else."""

import re
from collections import defaultdict

import torch
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS
from timm.optim import muon
from torch import Tensor, nn

from ..errors import check
from .autocast import has_bf16
from .param_groups import (
    LayerDecayConstructor,
    MergedGroupsConstructor,
    merge_groups,
)

# A transformer block in timm's, mmpretrain's and this plugin's encoders and decoders.
BLOCK = re.compile(r'(^|\.)(blocks|layers)\.\d+\.')


def is_block_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Whether Muon updates the parameter: a matrix within a transformer block.

    Embeddings, tokens, prediction layers, norms and biases are not matrices that map
    hidden features to hidden features, so they keep AdamW (Jordan et al. 2024).

    Args:
        name: Its name in the model.
        parameter: The parameter.
    """
    return parameter.ndim == 2 and BLOCK.search(name) is not None


newton_schulz = muon.zeropower_via_newtonschulz


def orthogonalize(matrix: Tensor, *args, **kwargs) -> Tensor:
    """Run timm's Newton-Schulz iteration in the precision that the device is fast in.

    timm always takes bfloat16. On a CPU without bfloat16 instructions that takes longer
    than the rest of a training step of a small model.

    Args:
        matrix: (M, N) or (batch, M, N) momentum.
        *args: As of timm's ``zeropower_via_newtonschulz``.
        **kwargs: Likewise.
    """
    dtype = torch.bfloat16 if has_bf16(matrix.device.type) else torch.float32
    return newton_schulz(matrix, *args, dtype=dtype, **kwargs)


one_by_one = muon.muon


def update_by_shape(
    matrices: list[Tensor], gradients: list[Tensor], momenta: list[Tensor], **options
) -> None:
    """Run timm's ``muon`` for all matrices of a shape at once.

    They are given to timm as one convolution, whose kernel positions it updates as
    separate matrices, so the values are the same.

    Args:
        matrices: The parameters, updated in place.
        gradients: Their gradients.
        momenta: Their momentum, updated in place.
        **options: As of timm's ``muon``.
    """
    by_shape = defaultdict(list)
    for parts in zip(matrices, gradients, momenta, strict=True):
        by_shape[parts[0].shape].append(parts)
    options = dict(options, conv_mode='batched', normalize_spatial=False)
    for alike in by_shape.values():
        stacks = [
            torch.stack(part).permute(1, 2, 0) for part in zip(*alike, strict=True)
        ]
        one_by_one(*([stack] for stack in stacks), **options)
        for (matrix, _, momentum), new, moved in zip(
            alike, stacks[0].unbind(-1), stacks[2].unbind(-1), strict=True
        ):
            matrix.copy_(new)
            momentum.copy_(moved)


def update(matrices: list[Tensor], *args, **options) -> None:
    """Run timm's ``muon`` in the way that fits the device.

    timm updates one matrix after the other, in about 40 operations each: 2,800 of the
    3,600 operations of a training step of the 48-d encoder. A GPU gets fewer and larger
    ones. A CPU gains nothing by them.
    """
    loop = matrices[0].device.type == 'cpu' or any(one.ndim != 2 for one in matrices)
    (one_by_one if loop else update_by_shape)(matrices, *args, **options)


class _MuonGroups:
    """Mixin of a constructor: splits its groups into those of Muon and of AdamW."""

    def __call__(self, model: nn.Module):
        name = str(self.optimizer_cfg.get('type'))
        check(
            name.endswith('timm.optim.Muon') or 'timm.optim.muon.Muon' in name,
            f"{type(self).__name__} needs optimizer.type='timm.optim.Muon', got "
            f'{name!r}: set it, or optim_wrapper.constructor={self.without_muon!r}',
        )
        # timm has no options for these.
        muon.zeropower_via_newtonschulz, muon.muon = orthogonalize, update
        # mmengine makes no groups where there are no options for them.
        self.paramwise_cfg = self.paramwise_cfg or dict(bypass_duplicate=False)
        return super().__call__(model)

    def add_params(
        self, params: list, module: nn.Module, prefix: str = '', **kwargs
    ) -> None:
        super().add_params(params, module, prefix=prefix, **kwargs)
        if prefix:
            return
        matrices = {
            parameter
            for name, parameter in module.named_parameters()
            if is_block_matrix(name, parameter)
        }
        check(
            bool(matrices),
            f'{type(self).__name__} found no transformer blocks in '
            f'{type(module).__name__}: set '
            f'optim_wrapper.constructor={self.without_muon!r} and an AdamW',
        )
        by_role = []
        for group in params:
            for use_muon in (True, False):
                chosen = [p for p in group['params'] if (p in matrices) == use_muon]
                if chosen:
                    by_role.append(dict(group, params=chosen, use_muon=use_muon))
        params[:] = merge_groups(by_role)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MuonConstructor(_MuonGroups, MergedGroupsConstructor):
    """Parameter groups for ``timm.optim.Muon``, by the role of each parameter.

    ``optimizer=dict(type='timm.optim.Muon', lr=..., betas=...)`` updates the matrices
    of the transformer blocks with orthogonalized momentum and everything else with
    AdamW, at the same learning rate: timm scales Muon's update to AdamW's size.
    ``paramwise_cfg`` works as with AdamW.

    Raises:
        UserError: if the optimizer does not tell the two kinds apart, or the model has
            no transformer blocks.
    """

    without_muon = 'MergedGroupsConstructor'


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MuonLayerDecayConstructor(_MuonGroups, LayerDecayConstructor):
    """:class:`MuonConstructor` with layer-wise learning rates, for finetuning.

    ``paramwise_cfg`` is that of :class:`LayerDecayConstructor`.

    Raises:
        UserError: as :class:`MuonConstructor`.
    """

    without_muon = 'LayerDecayConstructor'
