# default_runtime.py with localization maps in the images.
_base_ = './default_runtime.py'

visualizer = dict(type='HeatmapLocalVisualizer')
