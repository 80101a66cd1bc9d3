# HAN on LLP (row HAN of Tables 1 and 2), trained as the paper's own rows; as its authors trained it:
# han_llp_official.py.
_base_ = [
    '../_base_/models/han.py',
    '../_base_/datasets/llp.py',
    '../_base_/schedules/avvp_40e.py',
    '../_base_/default_runtime.py',
]
