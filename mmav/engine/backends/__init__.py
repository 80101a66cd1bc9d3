from .http_backend import RetryingHTTPBackend
from .remote_backend import RemoteBackend, TransientError
from .s3_backend import S3Backend

__all__ = ['RemoteBackend', 'RetryingHTTPBackend', 'S3Backend', 'TransientError']
