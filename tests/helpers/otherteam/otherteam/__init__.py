"""A package of another team that builds on bootmae_plugin."""
