# DCMR of the paper; direction 'a2v' searches images for a sound, 'v2a' sounds for an image.
model = dict(type='DCMR', direction='a2v', protocol='paper')
