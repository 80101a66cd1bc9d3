import json

import pytest

from mmav.utils.files import write_json


def test_a_failed_write_leaves_the_old_file(tmp_path):
    file = tmp_path / 'a.json'
    write_json(file, [1])
    with pytest.raises(TypeError):
        write_json(file, [object()])
    assert json.loads(file.read_text()) == [1]


def test_the_text_is_that_of_json(tmp_path):
    content = dict(a=[1, 2.5], b=None)
    write_json(tmp_path / 'new' / 'a.json', content, indent=1)
    assert (tmp_path / 'new' / 'a.json').read_text() == json.dumps(content, indent=1)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.json']
