"""The inferencers of mmpretrain and mmseg give what ``tools/test.py`` gives."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain import (
    FeatureExtractor,
    ImageClassificationInferencer,
    get_model,
    inference_model,
)
from PIL import Image

from bootmae_plugin.datasets import CoverCrop, Digits
from bootmae_plugin.images import read_image
from tests.config_files import BENCHMARKS, read
from tests.deployment.conftest import ARCH
from tests.image_files import picture


def files(run) -> list[str]:
    return [str(path) for path in sorted(run.photos.iterdir())]


def test_image_classification_inferencer(classifier):
    inferencer = ImageClassificationInferencer(
        str(classifier.config), str(classifier.checkpoint)
    )
    results = inferencer(files(classifier), batch_size=5)
    scores = np.stack([result['pred_scores'] for result in results])
    assert np.allclose(scores, classifier.expected, atol=1e-6)
    best = classifier.expected.argmax(1)
    assert [r['pred_class'] for r in results] == [
        Digits.METAINFO['classes'][i] for i in best
    ]


def test_feature_extractor(classifier):
    extractor = FeatureExtractor(str(classifier.config), str(classifier.checkpoint))
    features = torch.stack([feature for (feature,) in extractor(files(classifier))])
    scores = extractor.model.head((features,)).softmax(1).detach().numpy()
    assert np.allclose(scores, classifier.expected, atol=1e-6)


def test_inference_model_by_the_name_of_the_model(classifier):
    model = get_model(
        'deit-tiny_bootmae-pre_finetune_digits', pretrained=str(classifier.checkpoint),
        backbone=dict(arch=ARCH), head=dict(in_channels=24),
    )  # fmt: skip
    for file, expected in zip(files(classifier)[:3], classifier.expected, strict=False):
        result = inference_model(model, file)
        assert np.allclose(result['pred_scores'], expected, atol=1e-6)


@pytest.mark.parametrize('size', [16, (24, 40)])
def test_cover_crop_makes_the_pixels_of_the_data_set(tmp_path, size):
    path = tmp_path / 'a.png'
    picture(path, (50, 70))
    with Image.open(path) as image:
        bgr = np.asarray(image.convert('RGB'))[..., ::-1]
    pixels = CoverCrop(size).transform(dict(img=bgr))['img']
    side = (size, size) if isinstance(size, int) else size
    assert np.array_equal(pixels, read_image(dict(img_path=str(path)), side))


@pytest.mark.parametrize('name', BENCHMARKS, ids=str)
def test_every_config_tells_the_inferencers_its_pipeline(name):
    cfg = read(name)
    dataset = cfg.test_dataloader.dataset
    assert dataset.pipeline[-1].type in ('PackInputs', 'PackSegInputs')
    if dataset.type == 'InMemoryImages':
        assert dataset.pipeline[0] == dict(type='CoverCrop', size=dataset.img_size)
    if cfg.default_scope == 'mmseg':
        assert cfg.test_pipeline == dataset.pipeline
        assert 'collate_fn' not in cfg.test_dataloader  # mmengine takes no dict there


def test_segmentation(segmenter):
    from mmseg.apis import MMSegInferencer, init_model
    from mmseg.apis import inference_model as infer

    config, checkpoint = str(segmenter.config), str(segmenter.checkpoint)
    for given in (config, None):  # None: the config in the checkpoint
        maps = MMSegInferencer(given, checkpoint, device='cpu')(files(segmenter))
        assert np.array_equal(np.stack(maps['predictions']), segmenter.expected)
    model = init_model(Config.fromfile(config), checkpoint, device='cpu')
    for file, expected in zip(files(segmenter), segmenter.expected, strict=True):
        assert np.array_equal(infer(model, file).pred_sem_seg.data[0], expected)
    assert len(np.unique(segmenter.expected)) > 1
