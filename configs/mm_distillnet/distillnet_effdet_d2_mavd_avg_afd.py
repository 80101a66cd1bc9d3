# The mean of the AFD losses with RGB, thermal and depth teachers (Table 2, Avg. AFD loss).
_base_ = './distillnet_effdet_d2_mavd.py'

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
                num_teachers=3,
                multi_teacher='loss_mean',
            ),
            weight=0.05,
        ),
    )
)
