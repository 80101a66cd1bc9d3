"""The report of ``demo_avd.py``."""

from pathlib import Path

from common_report import (
    COLUMN_NOTES,
    clips,
    conditions_table,
    loss_curves,
    print_table,
    results_table,
    times,
)
from report import write_report

NAMES = {
    'floor': ('Always the mean box', 'has not listened'),
    'few': ('(a) Sound, few labels', 'trained on the labelled frames alone'),
    'taught': ('(b) Sound, taught by images', 'the few labels and those of the RGB detector'),
    'avd': ('(c) Sound, taught by images, AVD', 'like (b), with an RGB stream while training'),
    'log_mel': (
        '(d) Sound as spectrograms',
        "like (b), on spectrograms instead of acoustic images: the papers' input",
    ),
    'rgb': ('RGB detector', 'looks at the images: the teacher and the ceiling'),
}


def write_demo_report(work_dir: Path, outcome: dict) -> None:
    """Write ``report.html`` and print the table.

    Args:
        work_dir: Folder of the demo.
        outcome: What ``run_demo`` returned.
    """
    few, labelled, metrics = outcome['few'], outcome['labelled'], outcome['metrics']
    lead = (
        f'{few["frames"]} of {few["of_frames"]} simulated frames kept their labels. An RGB detector trained '
        'on these labelled the others, and a detector that hears 8 microphones and sees nothing was trained '
        f'on {labelled["frames"]} frames with {labelled["boxes"]} boxes.'
    )
    curve_notes = (
        'Classification and box loss of the detector by sound (of the RGB detector in the last chart).'
    )
    trained = {key: name for key, name in NAMES.items() if key != 'floor'}
    path = write_report(
        work_dir / 'report.html',
        'Pictures teach sound',
        [
            results_table('Results', metrics, NAMES, ('floor', 'rgb'), COLUMN_NOTES),
            conditions_table(metrics, trained),
            clips(outcome['data'], work_dir / 'taught' / 'test.bbox.json', '(b)', acoustic=True),
            loss_curves(work_dir, trained, ('loss_cls', 'loss_bbox'), curve_notes),
            times(outcome),
        ],
        lead,
    )
    print_table(metrics, NAMES)
    print(f'\n{outcome["total_seconds"] / 60:.1f} minutes. The report: {path}')
