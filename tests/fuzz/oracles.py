"""What may come of a mutated file that is read without an error.

Each takes the value read, that of the whole file, the mutated bytes and the whole ones, and says what is
wrong, or None.
"""

from typing import Any

import numpy as np

NOISE = (np.random.default_rng(0).standard_normal((3000, 2)) * 3000).astype(np.int16)


def equal(value: Any, whole: Any) -> bool:
    if isinstance(whole, dict):
        return value.keys() == whole.keys() and all(equal(value[key], whole[key]) for key in whole)
    return np.array_equal(value, whole)


def exact(value: Any, whole: Any, mutated: bytes, original: bytes) -> str | None:
    """The format has checksums: all or nothing."""
    return None if equal(value, whole) else 'other values'


def _was_cut(mutated: bytes, original: bytes) -> bool:
    return len(mutated) < len(original) and original.startswith(mutated)


def array(value: np.ndarray, whole: np.ndarray, mutated: bytes, original: bytes) -> str | None:
    """The header may be misread, but then all bytes belong to the array."""
    if value.dtype.kind not in 'biuf' or value.nbytes > len(mutated):
        return f'{value.dtype} {value.shape} of {len(mutated)} bytes'
    return 'shorter' if _was_cut(mutated, original) else None


def h5(value: np.ndarray, whole: np.ndarray, mutated: bytes, original: bytes) -> str | None:
    if _was_cut(mutated, original) and not equal(value, whole):
        return 'other values of a file that was cut off'
    return None if value.nbytes <= len(mutated) + (64 << 20) else f'{value.nbytes} bytes'


def sound(value: np.ndarray, whole: np.ndarray, mutated: bytes, original: bytes) -> str | None:
    if not np.isfinite(value).all():
        return 'NaN or infinity'
    if _was_cut(mutated, original) and not equal(value, whole):
        return f'{value.shape} of a file that was cut off, {whole.shape} before'
    return None


def plain_sound(value: np.ndarray, whole: np.ndarray, mutated: bytes, original: bytes) -> str | None:
    """A byte of uncompressed sound changes its sample, and no other."""
    start = max(original.find(NOISE[:64].tobytes()), original.find(NOISE[:64].astype('>i2').tobytes()))
    if start > 0 and len(mutated) == len(original) and mutated[:start] == original[:start]:
        changed = sum(a != b for a, b in zip(mutated[start:], original[start:]))
        if value.shape != whole.shape or (value != whole).sum() > changed:
            return f'{value.shape}, {whole.shape} before; {changed} bytes of samples differ'
    return sound(value, whole, mutated, original)


def image(value: np.ndarray, whole: np.ndarray, mutated: bytes, original: bytes) -> str | None:
    """jpg has no checksums, but an end."""
    if value.dtype != np.uint8 or value.ndim not in (2, 3):
        return f'{value.dtype} {value.shape}'
    if _was_cut(mutated, original) and not equal(value, whole):
        return 'other values of a file that was cut off'
    return None


def video(value: dict, whole: dict, mutated: bytes, original: bytes) -> str | None:
    if not np.isfinite(value['sound']).all():
        return 'NaN or infinity'
    for key in whole:
        if _was_cut(mutated, original) and abs(len(value[key]) - len(whole[key])) > 0.08 * len(whole[key]):
            return f'{len(value[key])} {key} of a file that was cut off, {len(whole[key])} before'
    return None


def anything(value: Any, whole: Any, mutated: bytes, original: bytes) -> str | None:
    """A text that is well formed has the meaning that it has."""
    return None


def json_value(value: Any, whole: Any, mutated: bytes, original: bytes) -> str | None:
    cut = _was_cut(mutated, original) and mutated.strip() != original.strip()
    return 'a value of a file that was cut off' if cut else None


def boxes(value: list, whole: list, mutated: bytes, original: bytes) -> str | None:
    for sample in value:
        box = sample['gt_boxes']
        if box.dtype != np.float64 or not ((box >= 0) & (box <= 1)).all():
            return f'boxes {box}'
    return json_value(value, whole, mutated, original) if mutated[:1] in b'{[<' else None


def segments(value: list, whole: list, mutated: bytes, original: bytes) -> str | None:
    for sample in value:
        for key in ('gt_events', 'gt_audio', 'gt_visual'):
            if key in sample and not ((sample[key] == 0) | (sample[key] == 1)).all():
                return f'{key} {sample[key]}'
    return None


def nothing(value: Any, whole: Any, mutated: bytes, original: bytes) -> str | None:
    return f'a {type(value).__name__} of a hostile file'


def store(value: np.ndarray, whole: np.ndarray, mutated: bytes, original: bytes) -> str | None:
    return None if not len(value) or value.shape[1:] == whole.shape[1:] else f'{value.shape}'


def config(value: dict, whole: dict, mutated: bytes, original: bytes) -> str | None:
    return None if 'import' not in repr(value) else repr(value)
