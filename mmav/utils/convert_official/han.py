"""HAN as the authors of audio-visual video parsing publish it (Tian, Li and Xu, ECCV 2020)."""

from collections.abc import Mapping

from mmengine.logging import print_log
from torch import Tensor

from .renaming import rename_all

ENCODER = 'hat_encoder.layers.0'
# Built by the published network, and trained by nobody: its forward pass goes around them.
UNUSED = ('audio_encoder', 'visual_encoder', 'cmt_encoder', 'hat_encoder.norm1', 'hat_encoder.norm2')
ATTENTION = ('in_proj_weight', 'in_proj_bias', 'out_proj.weight', 'out_proj.bias')
MODULES = {
    'fc_a': 'audio_embedding',
    'fc_v': 'visual_embedding',
    'fc_st': 'visual_st_embedding',
    'fc_fusion': 'visual_fusion',
    **{f'{ENCODER}.{name}': f'layers.0.{name}' for name in ('linear1', 'linear2', 'norm1', 'norm2')},
    'fc_prob': 'pooling.classifier',
    'fc_frame_att': 'pooling.temporal_attention',
    'fc_av_att': 'pooling.modality_attention',
}
ATTENTIONS = {
    f'{ENCODER}.self_attn': 'layers.0.self_attention.shared',
    f'{ENCODER}.cm_attn': 'layers.0.cross_attention',
}
NAMES = {
    f'{published}.{part}': f'{ours}.{part}'
    for modules, parts in ((MODULES, ('weight', 'bias')), (ATTENTIONS, ATTENTION))
    for published, ours in modules.items()
    for part in parts
}


def convert_han(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the published network for ``HybridAttentionParser``.

    Modules that its forward pass does not use are dropped; the log names them. ValueError if names are
    missing, or left over that are not of an unused module.
    """
    unused = [module for module in UNUSED if any(name.startswith(f'{module}.') for name in state_dict)]
    dropped = tuple(f'{module}.' for module in unused)
    used = {name: value for name, value in state_dict.items() if not name.startswith(dropped)}
    converted = rename_all(used, NAMES)
    if unused:
        print_log(
            f'han: dropped {len(state_dict) - len(used)} tensors of modules that the published network does '
            f'not use: {", ".join(unused)}',
            logger='current',
        )
    return converted
