# Pascal VOC 2012 with 21 classes and SBD's additional training labels: 10,582 training
# images. mmsegmentation's tools/dataset_converters/voc_aug.py writes SegmentationClassAug
# and ImageSets/Segmentation/aug.txt into data/VOCdevkit/VOC2012.
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
