"""The tables of :class:`CIoUMetric`."""

from collections.abc import Mapping

from terminaltables import AsciiTable

# key in the returned metrics -> column of the table
COLUMNS = dict(ciou_at_50='cIoU', auc='AUC', mean_ciou='mean cIoU')


def scores_table(figures: Mapping[str, dict], clips: Mapping[str, int], title: str) -> str:
    """Summaries of the model, of its classes and of the baselines.

    Args:
        figures: By row ('model', 'class/<class>', 'whole_image', 'centred_box'): the columns in percent.
        clips: Numbers of clips, by row.
        title: What the model's row is called.
    """
    titles = dict(model=title, whole_image='whole image', centred_box='centered box')
    rows = [['percent', *COLUMNS.values(), 'clips']]
    for row, values in figures.items():
        cells = (f'{values[key]:.2f}' for key in COLUMNS)
        rows.append([titles.get(row, row.removeprefix('class/')), *cells, str(clips[row])])
    return AsciiTable(rows).table


def sweep_table(rates: Mapping[float, float]) -> str:
    """Shares in percent of the clips whose cIoU is at least 0.5, by threshold."""
    thresholds = ['threshold', *(f'{value:g}' for value in rates)]
    return AsciiTable([thresholds, ['cIoU', *(f'{rate:.1f}' for rate in rates.values())]]).table


def negatives_table(negatives: Mapping[str, dict]) -> str:
    """Values of :func:`mmav.evaluation.functional.negative_audio_rates` by kind of sound."""
    rows = [['sound', 'maps that are on', 'AUROC', 'level', 'clips']]
    first = next(iter(negatives.values()))
    rows.append(
        ['own', f'{first["true_positive_rate"]:.2f}', '', f'{first["level"]:.4f}', str(first['own_clips'])]
    )
    for kind, values in negatives.items():
        row = [f'{values["false_positive_rate"]:.2f}', f'{values["auroc"]:.2f}', f'{values["level"]:.4f}']
        rows.append([kind, *row, str(values['clips'])])
    return AsciiTable(rows).table
