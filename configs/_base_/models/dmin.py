# DMIN of the paper, fully supervised: every value is the model's default, those that tables vary are here.
model = dict(type='DMIN', supervision='fully', protocol='paper', num_categories=28, unimodal_weight=0.1)
