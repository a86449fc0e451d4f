"""Models in use: predictions for new photos, and files to deploy.

Without torch: ``spec``, ``reading``, ``onnx_model``, ``tables`` and ``label_maps``.
"""
