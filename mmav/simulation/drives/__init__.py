"""Drives in the layout of MAVD: scenes, sound, images, ground truth."""
