# AVE with labels of videos for training, background videos among them; tests are by the second all the same.
_base_ = './ave.py'

train_dataloader = dict(dataset=dict(supervision='weakly'))
val_dataloader = dict(dataset=dict(supervision='weakly'))
test_dataloader = dict(dataset=dict(supervision='weakly'))
