"""Reading of object stores that speak S3."""

import errno
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import Any, BinaryIO

from mmengine.fileio import register_backend

from .remote_backend import BLOCK, MAX_CONNECTIONS, RemoteBackend, TransientError

_PASSING = (408, 425, 429)
_PASSING_CODES = ('SlowDown', 'RequestTimeout', 'RequestLimitExceeded', 'Throttling', 'ThrottlingException')


class S3Backend(RemoteBackend):
    """Objects ``s3://<bucket>/<key>`` of Amazon S3, MinIO, Ceph and others, by boto3 (the extra ``s3``).

    Registered in MMEngine as ``s3``, and for addresses that begin with ``s3://`` where petrel_client, by
    which MMEngine reads them, is not installed. Keys, region and endpoint that are not given come from
    boto3's own places: the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
    ``AWS_ENDPOINT_URL``, ...), ``~/.aws``, the machine's role. Secrets are no arguments, so that no config
    holds them.

    Args:
        endpoint_url: Address of a server that is not Amazon's, ``http://minio:9000``.
        region_name: Region of the bucket.
        profile_name: Section of ``~/.aws`` to take keys from.
        anonymous: Ask without keys, for public buckets. Defaults to False.
        **kwargs: Of :class:`RemoteBackend`.

    Raises:
        ImportError: In use: boto3 is not installed.
    """

    SCHEMES = ('s3://',)

    def __init__(
        self,
        endpoint_url: str | None = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        anonymous: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_url = endpoint_url
        self.region_name = region_name
        self.profile_name = profile_name
        self.anonymous = anonymous

    def _connect(self) -> Any:
        try:
            import boto3
            from botocore import UNSIGNED
            from botocore.config import Config
        except ImportError as error:
            raise ImportError("s3:// is read by boto3: pip install 'mmav[s3]', or boto3") from error
        config = Config(
            connect_timeout=self.timeout,
            read_timeout=self.timeout,
            max_pool_connections=MAX_CONNECTIONS,
            retries=dict(total_max_attempts=1),  # they are counted here
            signature_version=UNSIGNED if self.anonymous else None,
        )
        # boto3's default session is not for several threads
        session = boto3.session.Session(profile_name=self.profile_name, region_name=self.region_name)
        return session.client('s3', endpoint_url=self.endpoint_url, config=config)

    def _read(self, address: str, file: BinaryIO, start: int, length: int | None) -> int:
        bucket, key = _split(address)
        span = {} if length is None else dict(Range=f'bytes={start}-{start + length - 1}')
        with _errors(address):
            answer = self.client.get_object(Bucket=bucket, Key=key, **span)
            with closing(answer['Body']) as body:
                for block in body.iter_chunks(BLOCK):
                    file.write(block)
        if length is None:
            return answer['ContentLength']
        part = answer.get('ContentRange', '')  # bytes <start>-<end>/<size>
        if not part.startswith(f'bytes {start}-'):
            raise OSError(errno.EOPNOTSUPP, 'the server hands out no parts of objects', address)
        return int(part.rpartition('/')[2])

    def _exists(self, address: str) -> bool:
        bucket, key = _split(address)
        try:
            with _errors(address):
                self.client.head_object(Bucket=bucket, Key=key)
        except FileNotFoundError:
            return False
        return True

    def _list(self, address: str) -> tuple[list[str], list[str]]:
        bucket, key = _split(address.rstrip('/') + '/', may_be_root=True)
        folders: list[str] = []
        files: list[str] = []
        with _errors(address):
            pages = self.client.get_paginator('list_objects_v2')
            for page in pages.paginate(Bucket=bucket, Prefix=key, Delimiter='/'):
                folders += [entry['Prefix'] for entry in page.get('CommonPrefixes', ())]
                files += [entry['Key'] for entry in page.get('Contents', ())]
        if not folders and not files:  # folders are no objects: an empty one cannot be told from none
            raise FileNotFoundError(errno.ENOENT, 'nothing lies below it', address)
        names = [name.removeprefix(key) for name in files]
        return [name.removeprefix(key).rstrip('/') for name in folders], [name for name in names if name]


def _split(address: str, may_be_root: bool = False) -> tuple[str, str]:
    """Bucket and key."""
    bucket, _, key = address.partition('://')[2].partition('/')
    if not bucket or not (key or may_be_root):
        raise ValueError(f'{address} is not of the form s3://<bucket>/<key>')
    return bucket, key


@contextmanager
def _errors(address: str) -> Iterator[None]:
    """Tell what may pass from what will not."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        code = error.response['Error']['Code']
        status = error.response['ResponseMetadata'].get('HTTPStatusCode', 0)
        reason = f'the server answers {status} {code}'
        if code == 'NoSuchBucket':
            raise OSError(errno.EIO, 'there is no such bucket', address) from error
        if status == 404:
            raise FileNotFoundError(errno.ENOENT, reason, address) from error
        if status in (401, 403):
            raise PermissionError(errno.EACCES, reason, address) from error
        if status >= 500 or status in _PASSING or code in _PASSING_CODES:
            raise TransientError(reason) from error
        raise OSError(errno.EIO, reason, address) from error
    except (exceptions.SSLError, exceptions.ProxyConnectionError) as error:
        raise OSError(errno.EIO, str(error), address) from error
    except (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        exceptions.FlexibleChecksumError,
    ) as error:
        raise TransientError(str(error)) from error
    except exceptions.BotoCoreError as error:  # no keys, no such profile
        raise OSError(errno.EIO, str(error), address) from error


# a reloaded module registers its own class
_prefixes = ['s3'] if find_spec('petrel_client') is None else None
register_backend('s3', S3Backend, force=True, prefixes=_prefixes)
