"""Writing of a prepared store (its layout: ``prepared_store.py``)."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from mmav.models.layers.acoustic_image import AcousticImage
from mmav.models.layers.log_mel_spectrogram import LogMelSpectrogram
from mmav.utils.errors import SampleError
from mmav.utils.locks import folder_lock
from mmav.utils.precision import as_float
from mmav.utils.processes import run_in_processes

from ..mavd import MAVDDataset
from ..transforms.load_multichannel_audio import LoadMultichannelAudio
from ..transforms.load_visual_modalities import LoadVisualModalities
from ..transforms.resize_modalities import ResizeModalities
from .shard_store import STORE_VERSION
from .shard_writer import record_settings, shard_folder, unfinished_shards, write_index, write_shard

_AUDIO_KINDS = ('int16', 'float32', 'log_mel', 'acoustic_image', 'spectrogram', 'none')


class StoreWriter:
    """Reads frames through the data set's own transforms and writes them in shards.

    A shard is written beside its place and renamed when it is whole, so an interrupted run loses at most the
    shards in work, and the same call carries on. The bytes do not depend on the number of processes.

    Args:
        path: Folder of the store; may hold an unfinished one of the same settings and frames.
        sources: Arguments of :class:`MAVDDataset`, without pipeline, whose frames it holds.
        resize: Arguments of :class:`ResizeModalities`.
        modalities: Visual modalities.
        audio: 'int16': waveforms as 16-bit files hold them; 'float32': waveforms of other files; 'log_mel':
            spectrograms computed from waveforms, as float16 decibel; 'acoustic_image': acoustic images
            computed from waveforms, as float16; 'spectrogram': those that the files hold, as float16; 'none'.
        load_audio: Arguments of :class:`LoadMultichannelAudio`.
        log_mel: Arguments of :class:`LogMelSpectrogram`, for audio='log_mel'.
        acoustic_image: Arguments of :class:`AcousticImage`, for audio='acoustic_image'.
            Without ``rig`` it is that of the sources' ``rig.json``.
        shard_size: Frames of a shard. Defaults to 1024.
        on_error: 'raise', or 'skip' to note frames that cannot be read in the index, where the data set
            finds them. Defaults to 'raise'.

    Raises:
        SampleError: If a frame comes twice.
    """

    def __init__(
        self,
        path: str,
        sources: Sequence[dict],
        resize: dict,
        modalities: Sequence[str] = ('rgb', 'thermal', 'depth'),
        audio: str = 'int16',
        load_audio: dict | None = None,
        log_mel: dict | None = None,
        acoustic_image: dict | None = None,
        shard_size: int = 1024,
        on_error: str = 'raise',
    ) -> None:
        if audio not in _AUDIO_KINDS or on_error not in ('raise', 'skip') or shard_size < 1:
            raise ValueError(f'bad audio {audio!r}, on_error {on_error!r} or shard_size {shard_size}')
        if audio == 'none' and not modalities:
            raise ValueError('nothing to store: neither sound nor images')
        self.path = Path(path)
        self.audio = audio
        self.modalities = tuple(modalities)
        self.on_error = on_error
        self.shard_size = shard_size
        load_audio = load_audio or {}
        pipeline = [LoadVisualModalities(self.modalities)] if self.modalities else []
        pipeline += [ResizeModalities(**resize)]
        if audio != 'none':
            pipeline += [LoadMultichannelAudio(**load_audio)]
        self.datasets = []
        for source in sources:
            self.datasets.append(MAVDDataset(**source, pipeline=pipeline, test_mode=True))
        if len({dataset.crop for dataset in self.datasets}) != 1:
            raise ValueError('the sources differ in crop')
        self.log_mel = LogMelSpectrogram(**(log_mel or {})) if audio == 'log_mel' else None
        self.acoustic_image = self._build_acoustic_image(acoustic_image or {})
        self.frames = [
            (number, index) for number, dataset in enumerate(self.datasets) for index in range(len(dataset))
        ]
        self.names = []
        for number, index in self.frames:
            self.names.append(self.datasets[number].frame_name(index))
        if len(set(self.names)) != len(self.names):
            raise SampleError(str(path), 'a frame comes twice: the sources overlap')
        # What the frames' values depend on; a store is only ever continued with the same.
        self.settings = dict(
            version=STORE_VERSION,
            audio=audio,
            modalities=list(self.modalities),
            resize=ResizeModalities(**resize).settings(),
            sample_rate=load_audio.get('sample_rate', 44100) if audio != 'none' else None,
            load_audio=load_audio,
            log_mel=self.log_mel.settings() if self.log_mel is not None else None,
            **({} if self.acoustic_image is None else dict(acoustic_image=self.acoustic_image.settings())),
            crop=self.datasets[0].crop,
            shard_size=shard_size,
            frames=hashlib.sha256('\n'.join(self.names).encode()).hexdigest(),
        )

    def _build_acoustic_image(self, options: dict) -> AcousticImage | None:
        if self.audio != 'acoustic_image':
            return None
        if 'rig' not in options:
            rigs = [dataset.metainfo.get('rig') for dataset in self.datasets]
            if rigs[0] is None or any(rig != rigs[0] for rig in rigs):
                raise ValueError(
                    "acoustic images need one rig: rig.json in the sources' data_root, or "
                    'acoustic_image=dict(rig=...)'
                )
            options = dict(options, rig=rigs[0])
        return AcousticImage(**options)

    def write(self, workers: int = 1) -> None:
        """Write what is missing, then the index; one worker is this process.

        Raises:
            OutputInUseError: If another process writes the folder.
            FileExistsError: If the folder holds a store of other settings or frames.
            SampleError: If a frame cannot be read and ``on_error`` is 'raise'.
        """
        with folder_lock(self.path, 'preparation'):
            self._write(workers)

    def _write(self, workers: int) -> None:
        record_settings(self.path, self.settings, 'prepared store')
        count = -(-len(self.frames) // self.shard_size)
        todo = unfinished_shards(self.path, count)
        progress = tqdm(total=len(self.frames), desc='preparing', unit='frame')
        progress.update(len(self.frames) - sum(len(self._rows(number)) for number in todo))
        with progress:
            for number in run_in_processes(self.write_shard, todo, workers if workers > 1 else 0):
                progress.update(len(self._rows(number)))
        write_index(self.path, self.settings, count)

    def _rows(self, number: int) -> range:
        return range(number * self.shard_size, min((number + 1) * self.shard_size, len(self.frames)))

    def write_shard(self, number: int) -> int:
        """Read and write the frames of a shard; return its number. Errors as of :meth:`write`."""
        rows = self._rows(number)
        samples = (self._sample_or_error(row) for row in rows)
        names = [self.names[row] for row in rows]
        write_shard(shard_folder(self.path, number), names, samples, self.on_error)
        return number

    def _sample_or_error(self, row: int) -> dict[str, np.ndarray] | SampleError:
        try:
            return self._sample(row)
        except SampleError as error:
            return error

    def _sample(self, row: int) -> dict[str, np.ndarray]:
        number, index = self.frames[row]
        results = self.datasets[number][index]
        sample = {name: results[name] for name in self.modalities}
        if self.audio == 'none':
            return sample
        held = 'spectrogram' if 'spectrogram' in results else str(results['audio'].dtype)
        front_end = self.log_mel or self.acoustic_image
        if front_end is not None and held != 'spectrogram':
            waveform = torch.from_numpy(as_float(results['audio']))[None]
            with torch.no_grad():
                sample['audio'] = front_end(waveform)[0].numpy().astype(np.float16)
        elif self.audio == 'spectrogram' and held == 'spectrogram':
            sample['audio'] = results['spectrogram'].astype(np.float16)
        elif self.audio == held:
            sample['audio'] = results['audio']
        else:
            raise SampleError(self.names[row], f'its sound is {held}: it cannot be stored as {self.audio!r}')
        return sample
