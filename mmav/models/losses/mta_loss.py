"""The multi-teacher alignment (MTA) loss: eq. (2) of Rivera Valverde, Hurtado and Valada, "There is more
than meets the eye: self-supervised multi-object detection and tracking with sound by distilling
multimodal knowledge" (CVPR 2021).

Shapes: B samples, C channels, H and W height and width of a level's map, M teachers.

protocol='paper' is eq. (2) read as a divergence of distributions: KL(softmax(Q_t / T) || softmax(Q_s / T)),
which is 0 where the maps agree. protocol='official' is what the released program computes: it hands
``F.kl_div`` probabilities where that expects log-probabilities, so the value is negative and has its
minimum elsewhere, and it divides the product of several teachers' maps by its L1 norm.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmav.utils.checks import PROTOCOLS, check_choice, check_positive

from .feature_distillation_loss import FeatureDistillationLoss, resize_to_smallest


def attention_map(feat: Tensor, exponent: float = 2.0) -> Tensor:
    """F_avg^r, (B, 1, H, W): the mean over the channels of activations (B, C, H, W) to the whole power r."""
    return feat.pow(exponent).mean(1, keepdim=True)


def multi_teacher_attention(maps: Sequence[Tensor], protocol: str = 'paper') -> Tensor:
    """Q_t, (B, H * W): the product of the teachers' attention maps as vectors, of norm 1.

    With 'official' the product of several maps is divided by its L1 norm; with 'paper', and for a single
    teacher, by its L2 norm. 0 where no position is common to all teachers.
    """
    product = F.normalize(maps[0], dim=1)
    for teacher in maps[1:]:
        product = product * F.normalize(teacher, dim=1)
        if protocol == 'paper':  # at each step, as the product of many small numbers would vanish
            product = F.normalize(product, dim=1)
    if protocol == 'official' and len(maps) > 1:
        product = F.normalize(product, p=1, dim=1)
    return product


def mta_loss(
    student: Tensor,
    teachers: Sequence[Tensor],
    temperature: float = 9.0,
    exponent: float = 2.0,
    protocol: str = 'paper',
) -> Tensor:
    """MTA loss of one level, eq. (2) without beta.

    Args:
        student: A_s, (B, C_s, H_s, W_s).
        teachers: A_t of each of the M teachers, (B, C_t, H_t, W_t). Channels may differ; where sizes do,
            the attention maps are brought to the smallest.
        temperature: T.
        exponent: r.
        protocol: 'paper' or 'official', see above.

    Returns:
        Scalar, the mean over the batch, in the student's precision.

    Example:
        >>> left, right = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
        >>> mta_loss(left, [left]), mta_loss(left, [right], temperature=1.0)  # 0 and (e - 1) / (e + 1)
        (tensor(0.), tensor(0.4621))
    """
    maps = resize_to_smallest([attention_map(feat, exponent) for feat in (student, *teachers)])
    # At T = 9 the divergence of unit vectors is 1e-5, the difference of logarithms of 1e-6 precision in
    # float32; the maps have one channel, so that doubles cost nothing.
    student_map, *teacher_maps = (m.flatten(1).double() for m in maps)
    q_s = F.normalize(student_map, dim=1) / temperature
    q_t = multi_teacher_attention(teacher_maps, protocol) / temperature
    # F.kl_div takes the logarithm of the student's distribution; the released program gives it the
    # distribution itself.
    first = q_s.log_softmax(1) if protocol == 'paper' else q_s.softmax(1)
    loss = F.kl_div(first, q_t.log_softmax(1), reduction='batchmean', log_target=True)
    return loss.to(student.dtype)


@MODELS.register_module()
class MTALoss(FeatureDistillationLoss):
    """Multi-teacher alignment loss, eq. (2): beta times the sum of :func:`mta_loss` over the levels.

    The paper's form is tiny (1e-5) at T = 9: ``scale_by_temperature_squared`` takes away the share of the
    temperature in that.

    Args:
        temperature: T. Defaults to 9.0.
        exponent: r, a positive whole number. Defaults to 2.0.
        protocol: 'paper' or 'official'. Defaults to 'paper'.
        loss_weight: beta. Defaults to 0.5.
        scale_by_temperature_squared: Whether the loss is multiplied by T^2, as in Hinton, Vinyals and
            Dean, "Distilling the knowledge in a neural network" (2015), so that the size of its
            gradient does not hang on T. Defaults to False.
        multi_teacher: 'product': the teachers' maps are multiplied, the paper's proposal. 'loss_mean'
            ("Avg. MTA loss", Table 2) and 'feature_mean' ("MM-DistillNet Avg", Table 1) as in
            :class:`FeatureDistillationLoss`. Defaults to 'product'.

    Raises:
        ValueError: If ``temperature`` is not positive, ``exponent`` no positive whole number or
            ``protocol`` unknown; else as :class:`FeatureDistillationLoss`.

    Example:
        >>> left, right = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
        >>> MTALoss(temperature=1.0)([left], [[right]])  # half of (e - 1) / (e + 1)
        tensor(0.2311)
    """

    multi_teacher_choices = ('product', *FeatureDistillationLoss.multi_teacher_choices)

    def __init__(
        self,
        temperature: float = 9.0,
        exponent: float = 2.0,
        protocol: str = 'paper',
        loss_weight: float = 0.5,
        scale_by_temperature_squared: bool = False,
        multi_teacher: str = 'product',
    ) -> None:
        super().__init__(loss_weight, multi_teacher)
        check_positive('MTALoss', temperature=temperature)
        if exponent < 1 or exponent != int(exponent):
            raise ValueError(f'MTALoss: exponent must be a positive whole number, got {exponent}')
        check_choice('MTALoss', 'protocol', protocol, PROTOCOLS)
        self.temperature = temperature
        self.exponent = exponent
        self.protocol = protocol
        self.scale_by_temperature_squared = scale_by_temperature_squared

    def level_loss(self, student: Tensor, teachers: Sequence[Tensor], level: int) -> Tensor:
        """As in the base class, with the product of the teachers' maps where that is chosen."""
        if self.multi_teacher == 'product':
            return self._scaled(student, teachers)
        return super().level_loss(student, teachers, level)

    def pair_loss(self, student: Tensor, teacher: Tensor, level: int, teacher_index: int) -> Tensor:
        """:func:`mta_loss` with one teacher."""
        return self._scaled(student, [teacher])

    def _scaled(self, student: Tensor, teachers: Sequence[Tensor]) -> Tensor:
        loss = mta_loss(student, teachers, self.temperature, self.exponent, self.protocol)
        return loss * self.temperature**2 if self.scale_by_temperature_squared else loss
