"""Examples with images, boxes over them, sounds and facts.

Letters in shapes: H height, W width of an image in pixels; N boxes; C channels, L samples of a sound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from .media import image_data_uri, wav_data_uri
from .sections import paragraphs


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

    def __post_init__(self) -> None:
        self.bboxes = np.asarray(self.bboxes, dtype=np.float64).reshape(-1, 4)
        if self.kind not in ('truth', 'found', 'other'):
            raise ValueError(f"kind is 'truth', 'found' or 'other', not {self.kind!r}")
        if self.labels is not None and len(self.labels) != len(self.bboxes):
            raise ValueError(f'{len(self.labels)} labels for {len(self.bboxes)} boxes')

    def to_svg(self, font_size: float) -> str:
        """Return SVG elements; ``font_size`` in the image's pixels."""
        parts = []
        for i, (x1, y1, x2, y2) in enumerate(self.bboxes):
            where = f'x="{x1:.1f}" y="{y1:.1f}" width="{max(x2 - x1, 0):.1f}" height="{max(y2 - y1, 0):.1f}"'
            parts.append(f'<rect class="halo" {where}/><rect class="{self.kind}" {where}/>')
            if self.labels is not None:
                y = y1 - 0.3 * font_size if y1 > 1.4 * font_size else y1 + font_size
                parts.append(
                    f'<text class="{self.kind}" x="{x1:.1f}" y="{y:.1f}" font-size="{font_size:.1f}">'
                    f'{escape(self.labels[i])}</text>'
                )
        return ''.join(parts)


@dataclass
class Picture:
    """An image with boxes over it.

    Args:
        image: (H, W, 3) RGB or (H, W) grey, uint8.
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
        uri = image_data_uri(self.image, self.max_width, self.image_format)
        height, width = self.image.shape[:2]
        overlay = ''.join(boxes.to_svg(width / 40) for boxes in self.boxes)
        if overlay:
            overlay = f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{overlay}</svg>'
        caption = f'<figcaption>{escape(self.caption)}</figcaption>' if self.caption else ''
        alt = escape(self.caption, quote=True)
        return (
            f'<figure><div class="picture"><img src="{uri}" alt="{alt}" width="{width}" height="{height}">'
            f'{overlay}</div>{caption}</figure>'
        )


@dataclass
class Sound:
    """A sound with its player.

    Args:
        waveform: (L,) or (C, L), float in -1..1 or int16; browsers play one or two channels.
        sample_rate: Hertz.
        caption: Text beside the player.
        peak: Level of the loudest sample; None keeps the level.
    """

    waveform: np.ndarray
    sample_rate: int
    caption: str = ''
    peak: float | None = 0.7

    def to_html(self) -> str:
        """Return a player."""
        uri = wav_data_uri(self.waveform, self.sample_rate, self.peak)
        caption = f'<span>{escape(self.caption)}</span>' if self.caption else ''
        return f'<div class="sound"><audio controls preload="metadata" src="{uri}"></audio>{caption}</div>'


@dataclass
class Card:
    """One example: images side by side, sounds, and facts.

    Args:
        title: Heading.
        images: Images, from left to right.
        sounds: Sounds.
        facts: Short facts by name.
        note: Plain text.
    """

    title: str
    pictures: Sequence[Picture] = ()
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
        pictures = ''.join(picture.to_html() for picture in self.pictures)
        sounds = ''.join(sound.to_html() for sound in self.sounds)
        return (
            f'<article class="panel"><h3>{escape(self.title)}</h3><div class="pictures">{pictures}</div>'
            f'<div class="row">{sounds}{facts}</div>{paragraphs(self.note)}</article>'
        )


@dataclass
class Cards:
    """Examples one under the other.

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
            f'<span><i class="key box {escape(kind, quote=True)}"></i>{escape(text)}</span>'
            for kind, text in self.legend.items()
        )
        legend = f'<p class="legend">{keys}</p>' if keys else ''
        cards = ''.join(card.to_html() for card in self.cards)
        return f'<div class="prose">{paragraphs(self.intro)}</div>{legend}<div class="cards">{cards}</div>'
