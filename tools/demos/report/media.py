"""Pictures and sounds as data URIs, so that a page needs no file beside it.

Letters in shapes: H height, W width of an image in pixels; C channels, L samples of a sound.
"""

import base64
import io

import cv2
import numpy as np
import soundfile

from mmav.utils.precision import as_float


def image_data_uri(
    image: np.ndarray, max_width: int = 960, image_format: str = 'jpeg', quality: int = 85
) -> str:
    """Encode an image.

    Args:
        image: (H, W, 3) RGB or (H, W) grey, uint8.
        max_width: Wider images are shrunk to this width, in pixels.
        image_format: 'jpeg' for photographs, 'png' for drawings.
        quality: Of jpeg, 0..100.

    Returns:
        A ``data:image/...;base64,`` URI.

    Raises:
        ValueError: If shape, type or format do not fit.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f'an image is (H, W, 3) RGB or (H, W) uint8, not {image.shape} {image.dtype}')
    if image_format not in ('jpeg', 'png'):
        raise ValueError(f"image_format is 'jpeg' or 'png', not {image_format!r}")
    height, width = image.shape[:2]
    if width > max_width:
        size = (max_width, max(1, round(height * max_width / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if image_format == 'jpeg' else []
    _, encoded = cv2.imencode(f'.{image_format}', image, options)
    return f'data:image/{image_format};base64,{base64.b64encode(encoded.tobytes()).decode()}'


def stereo_from_array(waveform: np.ndarray, left: int = 6, right: int = 1) -> np.ndarray:
    """Take a left and a right microphone of an array, for listening.

    One microphone a side: the sum of several at different places would comb the sound.

    Args:
        waveform: (C, L), all microphones.
        left: Channel for the left ear. Channels 6 and 1 of the default octagon point 67.5 degrees to either
            side of the camera's axis.
        right: Channel for the right ear.

    Returns:
        (2, L) of the same type.

    Raises:
        ValueError: If the array has no such channel.
    """
    if waveform.ndim != 2 or not (0 <= left < len(waveform) and 0 <= right < len(waveform)):
        raise ValueError(f'channels {left} and {right} are not in a waveform of shape {waveform.shape}')
    return waveform[[left, right]]


def wav_data_uri(waveform: np.ndarray, sample_rate: int, peak: float | None = 0.7) -> str:
    """Encode a sound as 16 bit wav.

    Args:
        waveform: (L,) or (C, L); float in -1..1 or int16.
        sample_rate: Hertz.
        peak: The loudest sample is brought to it, all channels alike, so that their differences stay; silence
            stays silence. None leaves the level as it is.

    Returns:
        A ``data:audio/wav;base64,`` URI.

    Raises:
        ValueError: If the sound is empty, not finite, of another type, or louder than 16 bit can say.
    """
    if waveform.ndim not in (1, 2) or waveform.size == 0:
        raise ValueError(f'a sound is (L,) or (C, L) with samples, not {waveform.shape}')
    if waveform.dtype != np.int16 and not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(f'a sound is float or int16, not {waveform.dtype}')
    waveform = as_float(waveform)
    loudest = float(np.abs(waveform).max())
    if not np.isfinite(loudest):
        raise ValueError('the sound has samples that are not finite')
    if peak is not None and loudest > 0:
        waveform = waveform * (peak / loudest)
    elif loudest > 1:
        raise ValueError(f'the sound reaches {loudest:.3g}, beyond -1..1: give a peak')
    file = io.BytesIO()
    soundfile.write(file, waveform.T, sample_rate, format='WAV', subtype='PCM_16')
    return f'data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}'
