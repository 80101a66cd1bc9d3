# Acoustic images instead of spectrograms: what a data preprocessor and a backbone need.
# The rig is that of the data set (docs/rig.md). Mean and standard deviation are those of simulated drives
# (simulate_mavd.py --preset demo), rounded; decibel, but for six of 0..1.
contrast_mean = [-12.0, -15.5, -18.0, -19.5, -21.5, -22.0, -22.0, -22.0]
contrast_std = [5.8, 6.4, 6.1, 5.4, 4.7, 4.0, 3.5, 3.2]
level_mean = [-37.0, -41.0, -47.0, -50.0, -48.0, -48.0, -52.0, -55.0]
level_std = [5.0] * 8
spectrum_mean = [-38.0, -34.0, -34.0, -35.0, -36.0, -38.0, -37.0, -38.0, -38.0, -39.0, -41.0, -42.0]
spectrum_mean += [-44.0, -46.0, -49.0, -50.0, -50.0, -48.0, -47.0, -48.0, -50.0, -52.0, -54.0, -55.0]
spectrum_std = [8.0] * 6 + [5.0] * 18

# (center, half width) in seconds: five along the clip, so that motion can be heard, and the whole clip
windows = [(0.12, 0.12), (0.32, 0.12), (0.53, 0.12), (0.74, 0.12), (0.92, 0.12), None]

acoustic_input = dict(
    log_mel=None,
    # the adaptive beamformer: docs/results/acoustic_images.md
    acoustic_image=dict(
        rig='data/mavd/rig.json',
        sample_rate=44100,
        windows=windows,
        beamformer='mvdr',
        channels=('contrast', 'level', 'broadband', 'spectrum', 'modulation'),
    ),
    acoustic_mean=contrast_mean * 6 + level_mean + [0.13] * 6 + spectrum_mean + [-13.0] * 12,
    acoustic_std=contrast_std * 6 + level_std + [0.2] * 6 + spectrum_std + [2.0] * 12,
    acoustic_stride=2,  # the grid of 24 x 48 cells says no more at the network's full size
)
# 6 windows of 8 bands, the bands' levels, 6 windows of all bands, 24 narrower bands, 12 rates of modulation
acoustic_backbone = dict(in_channels=98, input_stride=2)
