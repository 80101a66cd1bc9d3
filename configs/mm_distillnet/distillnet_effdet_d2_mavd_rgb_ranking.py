# The ranking loss with an RGB teacher: StereoSoundNet (Tables 1 and 2).
_base_ = './distillnet_effdet_d2_mavd_rgb.py'

model = dict(
    distill_losses=dict(
        _delete_=True,
        ranking=dict(
            student_tap='neck',
            teacher_tap='neck',
            levels=(0, 1, 2),
            loss=dict(type='RankingLoss', margin=0.2),
            weight=0.05,
        ),
    )
)
