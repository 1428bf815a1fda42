"""Models: gradient-boosted trees as flat arrays of whole numbers, their calibration and reasons."""
