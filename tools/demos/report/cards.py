"""Examples with images, boxes over them, sounds and facts.

Shapes: H height, W width of an image in pixels; N boxes; C channels, L samples of a sound.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import cv2
import numpy as np
import soundfile

from mmav.utils.precision import as_float

from .page import paragraphs


@dataclass
class Boxes:
    """Boxes over an image, drawn as vectors so that they stay sharp at any size.

    Args:
        bboxes: (N, 4) x1 y1 x2 y2 in the image's pixels.
        kind: 'truth' (green), 'found' (orange) or 'other' (blue).
        labels: Text at each box, such as its score; None for no text.
    """

    bboxes: np.ndarray
    kind: str = 'truth'
    labels: Sequence[str] | None = None

    def to_svg(self, font_size: float) -> str:
        """Return SVG elements; ``font_size`` in the image's pixels."""
        parts = []
        for i, (x1, y1, x2, y2) in enumerate(self.bboxes):
            where = f'x="{x1:.1f}" y="{y1:.1f}" width="{max(x2 - x1, 0):.1f}" height="{max(y2 - y1, 0):.1f}"'
            parts.append(f'<rect class="halo" {where}/><rect class="{self.kind}" {where}/>')
            if self.labels is not None:
                y = y1 - 0.3 * font_size if y1 > 1.4 * font_size else y1 + font_size
                where = f'x="{x1:.1f}" y="{y:.1f}" font-size="{font_size:.1f}"'
                parts.append(f'<text class="{self.kind}" {where}>{escape(self.labels[i])}</text>')
        return ''.join(parts)


@dataclass
class Figure:
    """An image with boxes over it.

    Args:
        image: (H, W, 3) RGB, uint8.
        caption: Text under it, and its description for who cannot see it.
        boxes: Boxes in the image's pixels, drawn in their order.
        image_format: 'jpeg' for photographs, 'png' for drawings.
        max_width: Wider images are stored at this width, in pixels.
    """

    image: np.ndarray
    caption: str = ''
    boxes: Sequence[Boxes] = ()
    image_format: str = 'jpeg'
    max_width: int = 960

    def to_html(self) -> str:
        """Return a figure."""
        (height, width), image = self.image.shape[:2], self.image
        if width > self.max_width:
            size = (self.max_width, max(1, round(height * self.max_width / width)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        _, encoded = cv2.imencode(f'.{self.image_format}', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        uri = f'data:image/{self.image_format};base64,{base64.b64encode(encoded).decode()}'
        overlay = ''.join(boxes.to_svg(width / 40) for boxes in self.boxes)
        if overlay:
            overlay = f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{overlay}</svg>'
        caption = f'<figcaption>{escape(self.caption)}</figcaption>' if self.caption else ''
        alt = escape(self.caption, quote=True)
        return (
            f'<figure><div class="image"><img src="{uri}" alt="{alt}" width="{width}" height="{height}">'
            f'{overlay}</div>{caption}</figure>'
        )


@dataclass
class Sound:
    """A sound with its player and a text beside it; its loudest sample is brought to 0.7.

    Args:
        waveform: (L,) or (C, L), float in -1..1 or int16; browsers play one or two channels.
        sample_rate: Hertz.
        caption: Text beside the player.
    """

    waveform: np.ndarray
    sample_rate: int
    caption: str = ''

    def to_html(self) -> str:
        """Return a player."""
        waveform = as_float(self.waveform)
        waveform = waveform * (0.7 / max(np.abs(waveform).max(), 1e-9))
        file = io.BytesIO()
        soundfile.write(file, waveform.T, self.sample_rate, format='WAV', subtype='PCM_16')
        uri = f'data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}'
        caption = f'<span>{escape(self.caption)}</span>' if self.caption else ''
        return f'<div class="sound"><audio controls preload="metadata" src="{uri}"></audio>{caption}</div>'


@dataclass
class Card:
    """One example: images side by side, sounds, short facts by name, and plain text."""

    title: str
    figures: Sequence[Figure] = ()
    sounds: Sequence[Sound] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    note: str = ''

    def to_html(self) -> str:
        """Return the card."""
        facts = ''.join(
            f'<div><dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd></div>'
            for name, value in self.facts.items()
        )
        facts = f'<dl>{facts}</dl>' if facts else ''
        figures = ''.join(figure.to_html() for figure in self.figures)
        sounds = ''.join(sound.to_html() for sound in self.sounds)
        return (
            f'<article class="panel"><h3>{escape(self.title)}</h3><div class="images">{figures}</div>'
            f'<div class="row">{sounds}{facts}</div>{paragraphs(self.note)}</article>'
        )


@dataclass
class Cards:
    """A section of examples one under the other.

    Args:
        title: Title of the section.
        cards: The examples.
        intro: Plain text before them.
        legend: What the kinds of boxes mean: text by kind ('truth', 'found', 'other').
    """

    title: str
    cards: Sequence[Card]
    intro: str = ''
    legend: Mapping[str, str] = field(default_factory=dict)

    def to_html(self) -> str:
        """Return introduction, legend and cards."""
        keys = ''.join(
            f'<span><i class="key {kind}"></i>{escape(text)}</span>' for kind, text in self.legend.items()
        )
        legend = f'<p class="legend">{keys}</p>' if keys else ''
        cards = ''.join(card.to_html() for card in self.cards)
        return f'<div class="prose">{paragraphs(self.intro)}</div>{legend}<div class="cards">{cards}</div>'
