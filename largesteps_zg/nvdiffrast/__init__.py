"""nvdiffrast's PyTorch interface on this library's rasterizer: ``import largesteps_zg.nvdiffrast.torch as dr``."""
