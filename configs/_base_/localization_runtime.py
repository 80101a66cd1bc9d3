# default_runtime.py with localization maps in the pictures.
_base_ = './default_runtime.py'

visualizer = dict(type='HeatmapLocalVisualizer')
