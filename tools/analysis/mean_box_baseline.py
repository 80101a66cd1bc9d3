"""Print the papers' table for the constant-box baseline: the mean training box in each test frame.

python tools/analysis/mean_box_baseline.py data/mavd/annotations/train.json data/mavd/annotations/test.json
"""

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmengine.fileio import dump

from mmav.evaluation import evaluate_mean_box
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors


def main() -> None:
    """Evaluate and print."""
    parser = ToolParser('Test the always-average predictor')
    parser.add_argument('train_file', help='COCO file of the training frames')
    parser.add_argument('test_file', help='COCO file of the test frames')
    parser.add_argument('--protocol', choices=['paper', 'official'], default='paper', help='of CDx and CDy')
    parser.add_output('--out', folder=False, help='json file for the metrics')
    args = parser.parse_args()
    metrics = evaluate_mean_box(args.train_file, args.test_file, protocol=args.protocol)
    if args.out is not None:
        dump(metrics, args.out)


if __name__ == '__main__':
    with one_line_errors():
        main()
