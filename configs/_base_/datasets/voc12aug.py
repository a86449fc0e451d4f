# Pascal VOC 2012, 21 classes, with SBD's additional training maps (10,582 images;
# data/VOCdevkit/VOC2012 as mmsegmentation's tools/dataset_converters/voc_aug.py leaves
# it: SegmentationClassAug and ImageSets/Segmentation/aug.txt).
_base_ = 'ade20k.py'

data_root = 'data/VOCdevkit/VOC2012'
voc = dict(type='PascalVOCDataset', data_root=data_root)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                data_prefix=dict(
                    img_path='JPEGImages', seg_map_path=f'SegmentationClass{kind}'
                ),
                ann_file=f'ImageSets/Segmentation/{split}.txt',
                pipeline={{_base_.train_pipeline}},
                **voc,
            )
            for kind, split in (('', 'train'), ('Aug', 'aug'))
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        **voc,
    ),
)
test_dataloader = val_dataloader
