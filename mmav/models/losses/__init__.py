from .avd_loss import AVDLoss, avkd_loss, gcl_loss, group_contrastive_log_odds

__all__ = ['AVDLoss', 'avkd_loss', 'gcl_loss', 'group_contrastive_log_odds']
