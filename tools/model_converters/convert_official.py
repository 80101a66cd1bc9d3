"""Convert a checkpoint that a paper's authors published.

    python tools/model_converters/convert_official.py efficientdet_d2_rgb rgb.pth teacher_rgb.pth --classes 6

writes a checkpoint for this project's configs (configs/mm_distillnet/efficientdet_d2_mavd_rgb.py here), to be
loaded strictly. SRC may be a ``.pth`` or a ``.pth.tar``, hold the weights themselves or under
``state_dict``, with or without a ``module.`` before all names. It is read as data: code in it is refused,
not run. A file that lacks parts of the network, or has others, is refused with the list of names.

NAME says whose it is: efficientdet_d2_* (MM-DistillNet), avc (localizers in EZ-VSL's layout), dmin_* and
dcmr_* (events in time), han (parsing of videos).

The published detectors know several classes, the configs one. ``--classes`` keeps some, in the order of the
labels here; without it all are kept, and the config needs ``model.bbox_head.num_classes`` set to their
number. The other networks have no such option.
"""

import io
from pathlib import Path

import torch

import mmav
from mmav.engine import AtomicLocalBackend
from mmav.utils import convert_official_state_dict
from mmav.utils.checkpoint import read_checkpoint
from mmav.utils.command_line import ToolParser
from mmav.utils.convert_official import CONVERTERS
from mmav.utils.errors import one_line_errors


def main() -> None:
    """Run the command."""
    parser = ToolParser(__doc__)
    parser.add_argument(
        'name', metavar='NAME', choices=sorted(CONVERTERS), help=', '.join(sorted(CONVERTERS))
    )
    parser.add_argument('src', metavar='SRC', help='published checkpoint: .pth or .pth.tar')
    parser.add_output('dst', folder=False, metavar='DST', type=Path, help='checkpoint to write, .pth')
    parser.add_argument(
        '--classes', type=int, nargs='+', metavar='N', help='published classes to keep; all by default'
    )
    parser.add_argument('--force', action='store_true', help='overwrite what exists')
    args = parser.parse_args()
    if args.dst.exists() and not args.force:
        parser.error(f'{args.dst} exists; --force overwrites it')

    options = {} if args.classes is None else dict(classes=args.classes)
    try:
        state_dict = convert_official_state_dict(args.name, read_checkpoint(args.src), **options)
    except ValueError as error:
        raise SystemExit(f'{args.src}: {error}') from error
    content = io.BytesIO()
    meta = dict(mmav_version=mmav.__version__, official=args.name, **options)
    torch.save(
        dict(meta=meta, state_dict={name: value.clone() for name, value in state_dict.items()}), content
    )
    AtomicLocalBackend().put(content.getvalue(), args.dst)
    print(f'{args.dst}: {len(state_dict)} tensors (mmav {mmav.__version__})')


if __name__ == '__main__':
    with one_line_errors():
        main()
