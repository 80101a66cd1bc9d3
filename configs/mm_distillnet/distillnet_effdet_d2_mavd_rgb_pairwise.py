# The pairwise similarity loss with an RGB teacher (Table 2).
_base_ = './distillnet_effdet_d2_mavd_rgb.py'

model = dict(
    distill_losses=dict(
        _delete_=True,
        pairwise=dict(
            student_tap='neck',
            teacher_tap='neck',
            levels=(0, 1, 2),
            loss=dict(type='PairwiseSimilarityLoss'),
            weight=0.05,
        ),
    )
)
