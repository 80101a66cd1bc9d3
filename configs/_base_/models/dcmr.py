# DCMR of the paper; direction 'a2v' searches pictures for a sound, 'v2a' sounds for a picture.
model = dict(type='DCMR', direction='a2v', protocol='paper')
