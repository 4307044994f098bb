"""How an image's archive is read, and what is found wrong with one; `make image-check` looks at the real ones."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from image.archive import read
from image.checks import complaints

FOLDER, FILE, LINK = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE


def entry(name, kind=FILE, mode=0o644, uid=0):
    made = tarfile.TarInfo(name)
    made.type, made.mode, made.uid = kind, mode, uid
    made.size = 10 if kind == FILE else 0
    return made


def tar(*members):
    """A tar of entries, or of names and contents."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member, io.BytesIO(b"x" * member.size))
            else:
                name, content = member
                made = tarfile.TarInfo(name)
                made.size = len(content)
                archive.addfile(made, io.BytesIO(content))
    return data.getvalue()


@pytest.fixture
def image(tmp_path):
    """A function that makes the archive of an image from its layers, and reads it."""

    def make(*layers, user="65532:65532"):
        history = [{"created_by": f"step {number}"} for number in range(len(layers))]
        config = {"config": {"User": user}, "history": [{"created_by": "ENV", "empty_layer": True}, *history]}
        names = [f"{number}.tar" for number in range(len(layers))]
        manifest = json.dumps([{"Config": "c.json", "Layers": names}]).encode()
        contents = [(name, tar(*layer)) for name, layer in zip(names, layers, strict=True)]
        path = tmp_path / "image.tar"
        path.write_bytes(tar(("manifest.json", manifest), ("c.json", json.dumps(config).encode()), *contents))
        return read(path)

    return make


def test_the_files_are_those_that_all_layers_leave(image):
    below = [entry("etc", FOLDER), entry("etc/a"), entry("etc/b"), entry("opt", FOLDER), entry("opt/c")]
    above = [entry("etc/.wh.a"), entry("opt/.wh..wh..opq"), entry("opt/d")]

    read_back = image(below, above)

    assert set(read_back.files) == {"etc", "etc/b", "opt", "opt/d"}
    assert [(layer.made_by, layer.size) for layer in read_back.layers] == [("step 0", 30), ("step 1", 30)]


def test_an_image_as_it_should_be_has_no_complaints(image):
    files = [
        entry("tmp", FOLDER, mode=0o1777),
        entry("bin", LINK, mode=0o777),
        entry("dev/null", tarfile.CHRTYPE, mode=0o666),
        entry("etc/.pwd.lock"),
        entry("usr/bin/python3", mode=0o755),
        entry("app/bin/runai-operator", mode=0o755),
    ]

    assert list(complaints(image(files))) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry("usr/local/bin/pip3.13", mode=0o755), "/usr/local/bin/pip3.13 is an installer"),
        (entry("usr/bin/uv", mode=0o755), "/usr/bin/uv is an installer"),
        (entry("usr/bin/x86_64-linux-gnu-gcc-14", mode=0o755), "/usr/bin/x86_64-linux-gnu-gcc-14 is a compiler"),
        (entry("usr/lib/python3/dist-packages/pip", FOLDER, mode=0o755), "is an installer's module"),
        (entry("usr/lib/python3.13/ensurepip", FOLDER, mode=0o755), "is an installer's module"),
        (entry("app/.lock"), "/app/.lock is what an installer left"),
        (entry("usr/bin/su", mode=0o4755), "is run with its owner's rights"),
        (entry("usr/sbin/unix_chkpwd", mode=0o2755), "is run with its owner's rights"),
        (entry("etc/motd", mode=0o666), "can be written by everybody"),
        (entry("srv", FOLDER, mode=0o777), "can be written by everybody"),
        (entry("app/lib/a.py", uid=65532), "is code that somebody other than root may write"),
        (entry("app/lib/a.py", mode=0o664), "is code that somebody other than root may write"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else "",
)
def test_what_should_not_be_there_is_named(image, wrong, words):
    (found,) = complaints(image([wrong]))

    assert words in found


@pytest.mark.parametrize("user", ["", "root", "0", "0:0", "operator"])
def test_a_user_that_kubernetes_cannot_tell_from_root_is_named(image, user):
    (found,) = complaints(image([], user=user))

    assert "runAsNonRoot" in found
