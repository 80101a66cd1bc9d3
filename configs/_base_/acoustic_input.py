# Acoustic images instead of spectrograms: what a data preprocessor needs, and the channels for a backbone.
# The rig is that of the data set (docs/rig.md). Mean and standard deviation are those of simulated drives
# (simulate_mavd.py --preset demo), rounded; decibel, the last three 0..1.
contrast_mean = [-1.1, -3.3, -6.1, -8.2, -7.9, -7.8, -8.0, -7.7]
contrast_std = [0.9, 2.8, 4.0, 4.4, 3.9, 3.0, 2.6, 2.0]
level_mean = [-34.0, -39.0, -45.0, -46.0, -44.0, -46.0, -49.0, -52.0]
level_std = [5.0] * 8

acoustic_input = dict(
    log_mel=None,
    acoustic_image=dict(rig='data/mavd/rig.json', sample_rate=44100),
    acoustic_mean=contrast_mean * 3 + level_mean + [0.3] * 3,
    acoustic_std=contrast_std * 3 + level_std + [0.3] * 3,
)
acoustic_channels = 35  # 3 windows in time of 8 bands, the bands' levels, 3 of all bands
