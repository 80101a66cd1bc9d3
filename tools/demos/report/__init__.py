"""Reports: one HTML file with tables, curves, images and sounds, for any browser, without network."""

from .cards import Boxes, Card, Cards, Picture, Sound
from .curves import svg_curves
from .media import image_data_uri, stereo_from_array, wav_data_uri
from .page import render_report, write_report
from .scalars import read_scalars, smooth
from .sections import Chart, Curves, Section, Text
from .table import Column, Row, Table

__all__ = [
    'Boxes',
    'Card',
    'Cards',
    'Chart',
    'Column',
    'Curves',
    'Picture',
    'Row',
    'Section',
    'Sound',
    'Table',
    'Text',
    'image_data_uri',
    'read_scalars',
    'render_report',
    'smooth',
    'stereo_from_array',
    'svg_curves',
    'wav_data_uri',
    'write_report',
]
