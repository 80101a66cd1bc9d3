"""The report of ``demo_avd.py``."""

from pathlib import Path

from common_report import COLUMN_NOTES, clips, conditions_table, finish, loss_curves, results_table

NAMES = {
    'floor': ('Always the mean box', 'uses no input'),
    'few': ('(a) Sound, few labels', 'trained on the labeled frames alone'),
    'taught': ('(b) Sound, taught by images', 'the few labels and those of the RGB detector'),
    'avd': ('(c) Sound, taught by images, AVD', 'like (b), with an RGB stream while training'),
    'log_mel': (
        '(d) Sound as spectrograms',
        "like (b), on spectrograms instead of acoustic images: the papers' input",
    ),
    'rgb': ('RGB detector', 'looks at the images: the teacher and the ceiling'),
}


def write_demo_report(work_dir: Path, outcome: dict) -> None:
    """Write ``report.html`` of what ``run_demo`` returned, and print the table."""
    few, labeled, metrics = outcome['few'], outcome['labeled'], outcome['metrics']
    lead = (
        f'{few["frames"]} of {few["of_frames"]} simulated frames kept their labels. An RGB detector trained '
        'on these labeled the others, and a detector that hears 8 microphones and sees nothing was trained '
        f'on {labeled["frames"]} frames with {labeled["boxes"]} boxes.'
    )
    curve_notes = (
        'Classification and box loss of the detector by sound (of the RGB detector in the last chart).'
    )
    trained = {key: name for key, name in NAMES.items() if key != 'floor'}
    sections = [
        results_table('Results', metrics, NAMES, ('floor', 'rgb'), COLUMN_NOTES),
        conditions_table(metrics, trained),
        clips(outcome['data'], work_dir / 'taught' / 'test.bbox.json', '(b)'),
        loss_curves(work_dir, trained, ('loss_cls', 'loss_bbox'), curve_notes),
    ]
    finish(work_dir, outcome, 'Camera images supervise audio', sections, lead)
