"""Strict renaming of the tensors of a checkpoint."""

from collections.abc import Mapping

from torch import Tensor


def rename_all(state_dict: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Rename every tensor by ``names``, all that the published network has; the result is in their order.

    Raises:
        ValueError: If published names are missing or left over; all are listed.
    """
    missing = [name for name in names if name not in state_dict]
    unexpected = [name for name in state_dict if name not in names]
    if missing or unexpected:
        found = len(names) - len(missing)
        lines = [f'only {found} of the {len(names)} published names are there, {len(unexpected)} others are']
        for what, listed in (('missing', missing), ('left over', unexpected)):
            if listed:
                lines.append(f'  {what}: {", ".join(listed)}')
        raise ValueError('\n'.join(lines))
    return {ours: state_dict[published] for published, ours in names.items()}
