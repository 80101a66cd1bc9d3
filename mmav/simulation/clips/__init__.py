"""Clips of things that sound, in the layout of VGG-Sound and VGG-SS."""
