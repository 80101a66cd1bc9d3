"""Damaged and foreign files are named with the likely cause."""

import pytest

from mmav.utils.errors import SampleError
from mmav.utils.readers import MAX_XML_SIZE, read_bytes, read_json, read_rows, read_text, read_xml

POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n'


@pytest.mark.parametrize(
    ('content', 'cause'),
    [
        (b'', 'empty'),
        (POINTER, 'Git LFS'),
        ('{"a": 1}'.encode('utf-16'), 'UTF-16'),
        (b'  <!DOCTYPE html><html><body>404</body></html>', 'web page'),
        (b'<html></html>', 'web page'),
        (b'{"a": 1}\0\0\0\0', 'NUL'),
        ('{"a": "Stra\u00dfe"}'.encode('latin-1'), 'UTF-8'),
        (b'{"a": [1, 2', 'truncated'),
        (b'{"a": 1,, "b": 2}', 'line 1 column 9'),
        (b'[' * 100000 + b']' * 100000, 'nested too deeply'),
        (b'{"a": ' + b'9' * 10000 + b'}', 'digits'),
    ],
)
def test_json_names_file_and_cause(tmp_path, content, cause):
    path = tmp_path / 'train.json'
    path.write_bytes(content)
    with pytest.raises(SampleError, match=rf'train\.json: .*{cause}'):
        read_json(str(path))


def test_json_is_read_with_a_byte_order_mark(tmp_path):
    (tmp_path / 'x.json').write_bytes(b'\xef\xbb\xbf' + '{"a": ["Straße", 1.5]}'.encode())
    assert read_json(str(tmp_path / 'x.json')) == {'a': ['Straße', 1.5]}


def test_what_is_no_file(tmp_path):
    with pytest.raises(SampleError, match=r'none\.json: the file is missing'):
        read_text(str(tmp_path / 'none.json'))
    with pytest.raises(SampleError, match='a folder'):
        read_text(str(tmp_path))
    with pytest.raises(SampleError, match=r"'a\\x00b': cannot be read"):
        read_bytes('a\0b')


def test_tables(tmp_path):
    path = tmp_path / 'x.csv'
    path.write_bytes(b'\xef\xbb\xbfname, start\r\n\r\n"a, b",1\r\n,\r\nc,2')
    assert read_rows(str(path)) == [(1, ['name', 'start']), (3, ['a, b', '1']), (5, ['c', '2'])]
    path.write_text('a,' + 'x' * 200000)
    with pytest.raises(SampleError, match=r'x\.csv, line 1: no table'):
        read_rows(str(path))


@pytest.mark.parametrize('number', ['1e400', '9' * 30, '-' + '9' * 20])
def test_json_holds_numbers_that_fit(tmp_path, number):
    (tmp_path / 'x.json').write_text(f'{{"a": {number}}}')
    with pytest.raises(SampleError, match=r'x\.json: no JSON can be read'):
        read_json(str(tmp_path / 'x.json'))
    text = '[18446744073709551615, -9223372036854775808, 0.1234567890123456789, 1e300, 1e-400]'
    (tmp_path / 'x.json').write_text(text)
    assert read_json(str(tmp_path / 'x.json')) == [2**64 - 1, -(2**63), 0.1234567890123456789, 1e300, 0.0]


def test_xml_has_no_entities_of_its_own_and_a_bounded_size(tmp_path):
    path = tmp_path / 'x.xml'
    path.write_text('<a><b>1 &amp; 2</b></a>')
    assert read_xml(str(path)).findtext('b') == '1 & 2'
    for text, cause in (
        ('<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>', 'DOCTYPE'),
        ('<a>' + ' ' * MAX_XML_SIZE + '</a>', 'has 1048583 characters'),
        ('<a><b></a>', 'no readable xml'),
    ):
        path.write_text(text)
        with pytest.raises(SampleError, match=rf'x\.xml: .*{cause}'):
            read_xml(str(path))
