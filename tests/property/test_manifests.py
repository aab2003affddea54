"""A manifest's digest means one set of files, however they are listed."""

import hashlib
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.property.values import digests, manifests, paths

from modelyard import wire
from modelyard.core.manifest import File, manifest_digest
from modelyard.v1 import resources_pb2 as pb


@given(files=manifests, data=st.data())
def test_the_order_of_files_does_not_change_the_digest(files: list[File], data: st.DataObject) -> None:
    assert manifest_digest(files) == manifest_digest(data.draw(st.permutations(files)))


@given(files=manifests.filter(bool), path=paths, digest=digests, size=st.integers(0, 2**40), data=st.data())
def test_any_change_of_a_file_changes_the_digest(
    files: list[File], path: str, digest: str, size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(files) - 1))
    change: dict[str, str | int] = data.draw(st.sampled_from([{"path": path}, {"digest": digest}, {"size": size}]))
    changed = [*files]
    changed[index] = replace(files[index], **change)  # type: ignore[arg-type]  # one of the three

    assert (manifest_digest(changed) == manifest_digest(files)) == (sorted(changed) == sorted(files))
    assert manifest_digest(files[1:]) != manifest_digest(files)


@given(files=manifests)
def test_the_digest_can_be_computed_from_the_specification(files: list[File]) -> None:
    """RFC 8785: keys sorted, no space, UTF-8; written here without our code."""
    entries = [
        f'{{"path":{json.dumps(file.path, ensure_ascii=False)},"sha256":"{file.digest[7:]}","size":{file.size}}}'
        for file in sorted(files, key=lambda file: file.path)
    ]
    canonical = f"[{','.join(entries)}]".encode()

    assert manifest_digest(files) == f"sha256:{hashlib.sha256(canonical).hexdigest()}"


@given(files=manifests)
def test_files_survive_the_wire(files: list[File]) -> None:
    sent = pb.Version(files=wire.files_to_proto(files)).SerializeToString()

    assert wire.files_from_proto(pb.Version.FromString(sent).files) == tuple(files)
