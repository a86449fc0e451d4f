"""Time until the quality that mmpretrain's own MAE reaches in a few epochs."""

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS, RUNNERS

from bootmae_plugin.configuration.configs import load_config
from bootmae_plugin.engine.autocast import has_bf16
from bootmae_plugin.errors import UserError, check
from bootmae_plugin.evaluation import feature_sets, linear_probe

from .data_routes import PIPELINE
from .peers import Shape, mmpretrain_config
from .progress import Progress
from .remote import silent_output, start_server

# mmpretrain's mae_vit-base-p16_8xb512-amp-coslr-300e_in1k.py: batch of a process, rate
# of a batch of 256, share of the warm-up.
BATCH, RATE, WARMUP = 512, 1.5e-4, 40 / 300
NO_DECAY = ('ln', 'bias', 'pos_embed', 'mask_token', 'cls_token')
PROBE_EPOCHS = 20


@DATASETS.register_module()
class HeldImages(BaseDataset):
    """Images in memory as mmpretrain's CIFAR10 keeps them, one array each.

    Args:
        images: Config of our data set in memory, which reads them.
    """

    METAINFO = dict(classes=['image'])

    def __init__(self, images: dict, **kwargs) -> None:
        self.images = images
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        data = DATASETS.build(dict(self.images, with_label=False))
        pixels = data.images.permute(0, 2, 3, 1).contiguous().numpy()
        return [dict(img=image, gt_label=0) for image in pixels]


class ClockHook(Hook):
    """Takes the time of every epoch, without what other hooks do at its end."""

    priority = 'HIGHEST'

    def __init__(self, send) -> None:
        self.send = send

    def before_train_epoch(self, runner) -> None:
        self.start = time.perf_counter()

    def after_train_epoch(self, runner) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.send(time.perf_counter() - self.start)


def select_images(dataset: ConfigDict, number: int | None) -> int:
    """Keep evenly spaced images of a data set's config; return how many there are."""
    total = len(DATASETS.build(dataset.source))
    if number is None:
        return total
    check(
        0 < number <= total,
        f'--images {number}, but there are {total}: choose 1 to {total}',
    )
    spaced = torch.linspace(0, total - 1, number, dtype=torch.float64)
    dataset.source.indices = spaced.round().long().tolist()
    return number


def shape_of(cfg: Config) -> Shape:
    """Return the architecture of our config, for the peer."""
    encoder = MODELS.build(dict(cfg.model.backbone, init_cfg=None))
    neck = cfg.model.neck
    decoder = neck if 'type' in neck else neck.get('pixel', {})
    check(
        decoder.get('type') == 'MAEDecoder',
        'quality compares with MAE, of the same decoder: choose a config whose branch '
        'pixel has a MAEDecoder',
    )
    height, width = encoder.geometry.img_size
    check(height == width, f'quality takes square images, not {height}x{width}')
    return Shape(
        width=encoder.embed_dims,
        heads=encoder.blocks[0].attn.num_heads,
        decoder_width=decoder.embed_dims,
        decoder_heads=decoder.num_heads,
        depth=encoder.num_layers,
        decoder_depth=decoder.depth,
        image=height,
        patch=encoder.geometry.patch_size,
        mask_ratio=MODELS.build(cfg.model.masking).mask_ratio,  # of the first stage
    )


def our_run(cfg: Config, epochs: int) -> dict:
    """Return the config of our training, shortened; stages that do not fit end it."""
    cfg = Config(cfg.to_dict())
    cfg.train_cfg.max_epochs = epochs
    hooks = cfg.default_hooks
    hooks.checkpoint.update(interval=10**6, save_last=False)
    stages = hooks.get('bootstrap', {}).get('num_stages')
    if stages is not None:
        hooks.bootstrap.num_stages = min(stages, epochs)
    cfg.update(runner_type='mmpretrain.PluginRunner', launcher='none')
    return cfg.to_dict()


def peer_run(
    cfg: Config, shape: Shape, epochs: int, images: int, rate: float, bf16: bool
) -> dict:
    """Return the config of mmpretrain's MAE on the images of our config."""
    batch = min(BATCH, images)
    steps = max(epochs * -(-images // batch), 2)
    warm = max(round(WARMUP * steps), 1)
    crop, *others = PIPELINE
    normalization = {key: cfg.data_preprocessor[key] for key in ('mean', 'std')}
    workers = (os.cpu_count() or 1) // 2
    return dict(
        default_scope='mmpretrain',
        model=mmpretrain_config(shape),
        data_preprocessor=dict(normalization, type='SelfSupDataPreprocessor'),
        train_dataloader=dict(
            batch_size=batch,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
            dataset=dict(
                type='HeldImages',
                images=cfg.train_dataloader.dataset.to_dict(),
                pipeline=[dict(crop, scale=shape.image), *others],
            ),
        ),
        optim_wrapper=dict(
            type='Bf16OptimWrapper' if bf16 else 'OptimWrapper',
            optimizer=dict(
                type='AdamW',
                lr=rate * batch / 256,
                betas=(0.9, 0.95),
                weight_decay=0.05,
            ),
            paramwise_cfg=dict(
                custom_keys={key: dict(decay_mult=0.0) for key in NO_DECAY}
            ),
        ),
        param_scheduler=[
            dict(type='LinearLR', start_factor=1e-4, by_epoch=False, end=warm),
            dict(
                type='CosineAnnealingLR',
                T_max=steps - warm,
                by_epoch=False,
                begin=warm,
                end=steps,
            ),
        ],
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=epochs),
        default_hooks=dict(checkpoint=None),
        runner_type='Runner',
        launcher='none',
        randomness=dict(seed=0),
    )


def train_and_send(cfg: dict, folder: str, device: str, threads: int, queue) -> None:
    """Train in this process; send the seconds of each epoch, and None or an error."""
    if device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    logging.disable(logging.WARNING)
    torch.set_num_threads(threads)
    try:
        init_default_scope('mmpretrain')
        runner = RUNNERS.build(Config(dict(cfg, work_dir=folder, log_level='ERROR')))
        runner.register_hook(ClockHook(queue.put))
        runner.train()
        weights = dict(state_dict=runner.model.state_dict())
        torch.save(weights, f'{folder}/weights.pth')
        queue.put(None)
    except Exception as error:
        queue.put(f'{type(error).__name__}: {error}')


def train(
    cfg: dict, folder: Path, args: argparse.Namespace, progress: Progress, name: str
) -> list[float]:
    """Train in a process of its own; return the seconds of its epochs.

    The weights are in ``weights.pth`` in the folder.

    Raises:
        UserError: if the training fails.
    """
    folder.mkdir()
    context, epochs = start_server(), cfg['train_cfg']['max_epochs']
    queue, seconds = context.SimpleQueue(), []
    words = (cfg, str(folder), args.device, torch.get_num_threads(), queue)
    process = context.Process(target=train_and_send, args=words)
    with silent_output():
        process.start()
    try:
        while True:
            if len(seconds) < epochs:
                progress.step(f'{name}: epoch {len(seconds) + 1} of {epochs}')
            while queue.empty():
                check(process.is_alive() or not queue.empty(), f'{name} was killed')
                time.sleep(0.1)
            answer = queue.get()
            if isinstance(answer, str):
                raise UserError(f'{name} failed: {answer}')
            if answer is None:
                return seconds
            seconds.append(answer)
    finally:
        process.terminate()
        process.join()


def accuracy(cfg: Config, backbone: dict, checkpoint: str, cache: Path) -> float:
    """Return the linear top-1 on all patch tokens, on held-out training images."""
    dataset = dict(cfg.train_dataloader.dataset, with_label=True)
    normalization = {key: cfg.data_preprocessor[key] for key in ('mean', 'std')}
    evaluation = Config(
        dict(
            model=dict(backbone=backbone),
            data_preprocessor=dict(normalization, type='BatchDataPreprocessor'),
            train_dataloader=dict(dataset=dataset),
        )
    )
    pools = ['flatten']
    sets = feature_sets(evaluation, checkpoint, pools, cache=str(cache), split='val')
    return linear_probe(sets['flatten'], PROBE_EPOCHS, seeds=[0]).mean


def measure_quality(args: argparse.Namespace, progress: Progress) -> dict:
    """Train the peer, then this plugin ever longer, until it is as good.

    Each of our trainings is complete, with its whole schedule; the shortest that is as
    good counts.
    """
    check(args.epochs > 0, f'--epochs {args.epochs} must be positive')
    cfg = load_config(args.config)
    check(
        cfg.train_dataloader.dataset.type == 'InMemoryImages',
        f'{args.config}: quality needs a config whose images are in memory',
    )
    images = select_images(cfg.train_dataloader.dataset, args.images)
    shape, times, rows = shape_of(cfg), {}, []
    theirs = dict(
        type='MaskedViT',
        arch=dict(
            embed_dims=shape.width, num_layers=shape.depth, num_heads=shape.heads
        ),
        img_size=shape.image,
        patch_size=shape.patch,
    )
    peers = {'mmpretrain fp32': False}
    if has_bf16(args.device):
        peers['mmpretrain bf16'] = True
    columns = ('step', 'epochs', 'top-1', 'minutes', *(f'x {name}' for name in peers))

    def add_row(name: str, epochs: int, top1: float, ratios: list) -> None:
        minutes = round(sum(times.get(name, [])) / 60, 2)
        values = (name, epochs, round(top1, 2), minutes, *ratios)
        rows.append(dict(zip(columns, values, strict=True)))

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def evaluate(name: str, backbone: dict, checkpoint: str) -> float:
            progress.step(f'{name}: linear probe')
            with silent_output():
                return accuracy(cfg, backbone, checkpoint, root / 'features')

        empty = ['-'] * len(peers)
        add_row('untrained', 0, evaluate('untrained', theirs, 'random'), empty)
        targets = {}
        for name, bf16 in peers.items():
            run = peer_run(cfg, shape, args.epochs, images, args.peer_rate, bf16)
            times[name] = train(run, root / name, args, progress, name)
            checkpoint = str(root / name / 'weights.pth')
            targets[name] = evaluate(name, theirs, checkpoint)
            add_row(name, args.epochs, targets[name], empty)
        for epochs in range(1, args.epochs + 1):
            name = f'ours, {epochs} epoch{"s" * (epochs > 1)}'
            run = our_run(cfg, epochs)
            times[name] = train(run, root / name, args, progress, name)
            checkpoint = str(root / name / 'weights.pth')
            top1 = evaluate(name, cfg.model.backbone, checkpoint)
            ratios = [
                round(sum(times[peer]) / sum(times[name]), 2) if top1 >= target else '-'
                for peer, target in targets.items()
            ]
            add_row(name, epochs, top1, ratios)
            if top1 >= max(targets.values()):
                break
    note = (
        'top-1: linear layer on all patch tokens, on a tenth of the training images; '
        'x: how many times faster, where at least as good. mmpretrain: AdamW, rate '
        f'{args.peer_rate:g} x batch / 256, batch {min(BATCH, images)}'
    )
    title = f'time to quality, {args.config}, {images} images'
    return dict(title=title, rows=rows, note=note, times=times)
