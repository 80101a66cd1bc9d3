# The mean of the ranking losses with RGB, thermal and depth teachers (Table 2, Avg. Ranking loss).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(
    distill_losses=dict(
        _delete_=True,
        ranking=dict(
            student_tap='neck',
            teacher_tap='neck',
            levels=(0, 1, 2),
            loss=dict(type='RankingLoss', margin=0.2, multi_teacher='loss_mean'),
            weight=0.05,
        ),
    )
)
