# The DeiT-Tiny / CIFAR-10 report's linear evaluation: LARS, 5e-2 x batch / 256, 900 epochs.
# To use it, name it instead of linear_90e.py in a config of benchmarks/linear/.
_base_ = 'linear_90e.py'

optim_wrapper = dict(optimizer=dict(type='LARS', lr=5e-2 * 512 / 256))
train_cfg = dict(max_epochs=900, val_interval=100)
