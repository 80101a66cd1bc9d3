"""Reports: one HTML file with tables, curves, images and sounds, for any browser, without network."""

from .cards import Boxes, Card, Cards, Figure, Sound
from .charts import Chart, Curves, read_scalars
from .page import Section, Text, render_report, write_report
from .table import Column, Row, Table

__all__ = [
    'Boxes',
    'Card',
    'Cards',
    'Chart',
    'Column',
    'Curves',
    'Figure',
    'Row',
    'Section',
    'Sound',
    'Table',
    'Text',
    'read_scalars',
    'render_report',
    'write_report',
]
