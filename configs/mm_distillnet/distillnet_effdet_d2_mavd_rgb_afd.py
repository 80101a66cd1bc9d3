# The AFD loss with an RGB teacher (Table 2).
_base_ = './distillnet_effdet_d2_mavd_rgb.py'

model = dict(
    distill_losses=dict(
        _delete_=True,
        afd=dict(
            student_tap='neck',
            teacher_tap='neck',
            levels=(0, 1, 2),
            loss=dict(
                type='AFDLoss',
                student_channels=[112, 112, 112],
                teacher_channels=[112, 112, 112],
                num_teachers=1,
            ),
            weight=0.05,
        ),
    )
)
