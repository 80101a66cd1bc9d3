"""The call, the results and the files that all inferencers share.

Shapes: H and W height and width of an image in pixels.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import mmcv
import numpy as np
import torch
from mmengine import Config, ConfigDict
from mmengine.infer import BaseInferencer
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from tqdm import tqdm

from mmav.utils.checks import check_positive
from mmav.utils.config_parts import common_dataset, dataset_of
from mmav.utils.config_text import plain_config, read_config_file
from mmav.utils.errors import SampleError
from mmav.utils.fileio import check_writable, write_json

from .model_loading import load_model

Result = tuple[Any, BaseDataElement, Any]
"""What is drawn on, prediction, and drawn image, or None if none is wanted."""


class AudioVisualInferencer(BaseInferencer):
    """Base of the inferencers.

    A subclass says how inputs are read (``preprocess``), drawn (``visualize``) and told (``pred2dict``). Data
    samples carry ``input_index`` and ``input_name``, number and name of the input that they belong to.

    Args:
        model: Config file or config. None: the config within the checkpoint, read as plain values and not
            run.
        weights: Checkpoint, read safely and loaded strictly. None: random weights.
        device: Where the model runs. Defaults to the GPU where there is one.
        show_progress: Whether to draw a progress bar. Defaults to True.
        trusted_packages: Packages beside OpenMMLab's whose classes the config within the checkpoint may
            build; see :func:`mmav.utils.config_types.check_config_types`. Defaults to none.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The checkpoint is damaged, there is no config, or the checkpoint's names what is not
            trusted.
    """

    progress: ClassVar[tuple[str, str]]  # title of the progress bar and what it counts
    image_folder: ClassVar[str] = 'pictures'  # below out_dir
    image_suffix: ClassVar[str] = '.jpg'
    arrays: ClassVar[Sequence[str]] = ()  # keys of predictions that predictions.json leaves out
    allow_missing: Sequence[str] = ()  # as of load_model
    left_out: Sequence[str] = ()

    def __init__(
        self,
        model: str | Path | Config | ConfigDict | dict | None = None,
        weights: str | None = None,
        device: str | None = None,
        show_progress: bool = True,
        trusted_packages: Sequence[str] = (),
    ) -> None:
        init_default_scope('mmdet')
        self.trusted_packages = tuple(trusted_packages)
        if isinstance(model, (str, Path)):
            model = read_config_file(model)  # no name of MMDetection's model zoo: its models take no audio
        elif isinstance(model, Config):
            model = plain_config(model)
        super().__init__(model, weights, device, scope='mmdet', show_progress=show_progress)

    def _init_model(self, cfg: ConfigDict, weights: str | None, device: str = 'cpu') -> BaseModel:
        self.device = device
        model, self.checkpoint_meta = load_model(
            cfg, weights, device, self.allow_missing, self.left_out, self.trusted_packages
        )
        return model

    def _init_visualizer(self, cfg: ConfigDict) -> Visualizer | None:
        return None  # whatever the config draws with

    def _test_dataset(self, cfg: ConfigDict) -> ConfigDict:
        """The config of the test set, without those that wrap it.

        ValueError if it wraps several which differ in what is needed.
        """
        return common_dataset(dataset_of(cfg), self._needed, 'test_dataloader.dataset')

    def _needed(self, dataset: ConfigDict) -> dict[str, Any]:
        """What the inferencer needs of the config of a data set."""
        return dict(pipeline=dataset.get('pipeline'))

    @torch.no_grad()
    def __call__(
        self,
        inputs: Any,
        batch_size: int = 8,
        *,
        return_datasamples: bool = False,
        return_vis: bool = False,
        out_dir: str | Path | None = None,
        **options: Any,
    ) -> dict[str, list]:
        """Predict.

        Args:
            inputs: One input or several; :meth:`preprocess` says what they may be.
            batch_size: Samples that go through the model together. Defaults to 8.
            return_datasamples: Whether predictions are data samples instead of dicts. Defaults to False.
            return_vis: Whether to return images of the predictions. Defaults to False.
            out_dir: Folder for ``predictions.json`` and the images. None: nothing is written.
            **options: Further arguments of :meth:`preprocess` and :meth:`visualize`.

        Returns:
            ``predictions``, data samples or what :meth:`pred2dict` makes of them, in the order of the inputs;
            and ``visualization``, an RGB image (H, W, 3) of uint8 for each, none without ``return_vis``.

        Raises:
            SampleError: An input is missing, damaged, empty or of another form; the message names it.
            ValueError: An argument is unknown or out of its range.
            OSError: Nothing can be written to ``out_dir``.
        """
        check_positive(type(self).__name__, batch_size=batch_size)
        if out_dir is not None:
            check_writable(out_dir)
        drawn = return_vis or out_dir is not None
        results = self._results(self._inputs_to_list(inputs), batch_size, drawn, options)
        if out_dir is not None:
            results = self._save(results, Path(out_dir))
        preds, images = [], []
        for _, sample, image in results:
            preds.append(sample)
            images += [image] if return_vis else []
        return self.postprocess(preds, images, return_datasamples, out_dir)

    def _inputs_to_list(self, inputs: Any) -> list:
        single = isinstance(inputs, (str, Path, Mapping)) or not isinstance(inputs, Iterable)
        sources = [inputs] if single else list(inputs)
        if not sources:
            raise SampleError('inputs', 'the list is empty')
        return sources

    def _results(self, sources: list, batch_size: int, drawn: bool, options: dict) -> Iterator[Result]:
        preprocessing, _, drawing, _ = self._dispatch_kwargs(**options)
        for originals, data in self.preprocess(sources, batch_size, **preprocessing):
            samples = self.forward(data)
            images = self.visualize(originals, samples, **drawing) if drawn else [None] * len(samples)
            yield from zip(originals, samples, images, strict=True)

    def _batches(
        self, samples: Iterable[tuple[Any, dict]], batch_size: int, total: int | None = None
    ) -> Iterator[tuple[list, dict]]:
        """Batches of pairs: what is drawn on, and what the test pipeline makes of it."""
        title, unit = self.progress
        samples = tqdm(samples, title, total, unit=f' {unit}', disable=not self.show_progress)
        for chunk in self._get_chunk_data(samples, batch_size):
            originals, packed = map(list, zip(*chunk))
            yield originals, self.collate_fn(packed)

    @torch.no_grad()
    def forward(self, inputs: dict) -> list[BaseDataElement]:
        """Run the model.

        Args:
            inputs: A batch, as the model's ``test_step`` takes it.

        Returns:
            Predictions, on the CPU.
        """
        return [sample.to('cpu') for sample in self.model.test_step(inputs)]

    @abstractmethod
    def pred2dict(self, data_sample: BaseDataElement) -> dict:
        """A prediction as plain values."""

    def postprocess(
        self,
        preds: Sequence[BaseDataElement],
        visualization: Sequence[np.ndarray] = (),
        return_datasamples: bool = False,
        out_dir: str | Path | None = None,
    ) -> dict[str, list]:
        """Pack what a call returns, and write ``predictions.json``.

        Args:
            preds: Predictions of all inputs.
            visualization: Their images. Defaults to none.
            return_datasamples: Whether to leave the predictions as they are. Defaults to False.
            out_dir: Folder to write to. None: nothing is written.

        Returns:
            ``predictions`` and ``visualization``.
        """
        predictions = [self.pred2dict(sample) for sample in preds]
        if out_dir is not None:
            rows = [{key: row[key] for key in row if key not in self.arrays} for row in predictions]
            content = dict(self._settings(preds), predictions=rows)
            write_json(Path(out_dir) / 'predictions.json', content, indent=1)
        return dict(
            predictions=list(preds) if return_datasamples else predictions, visualization=list(visualization)
        )

    def _settings(self, preds: Sequence[BaseDataElement]) -> dict:
        """What ``predictions.json`` says of all predictions."""
        return {}

    def _file_stem(self, sample: BaseDataElement) -> str:
        return f'{sample.input_index:04d}_{Path(sample.input_name).stem}'.replace(' ', '_')

    def _save(self, results: Iterable[Result], out_dir: Path) -> Iterator[Result]:
        """Write the image of each result and hand the result on."""
        for result in results:
            _, sample, image = result
            path = out_dir / self.image_folder / f'{self._file_stem(sample)}{self.image_suffix}'
            mmcv.imwrite(image[..., ::-1], str(path))
            yield result
