"""The differences between two versions."""

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import MODEL, blob_of, commit, make_model, store

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

Told = tuple[str, str, object, object]


async def push(yard: RunningRegistry, files: dict[str, bytes], **fields: object) -> pb.Version:
    await store(yard, *set(files.values()))
    listed = [pb.File(path=path, blob=blob_of(data)) for path, data in files.items()]
    version = pb.Version(files=listed, **fields)  # type: ignore[arg-type]  # fields are for protobuf to check
    return await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version))


async def compare(yard: RunningRegistry, base: str, other: str) -> rpc.CompareVersionsResponse:
    return await yard.registry.CompareVersions(rpc.CompareVersionsRequest(base=base, other=other))


def _plain(value: pb.ParamValue) -> object:
    kind = value.WhichOneof("kind")
    return None if kind is None else getattr(value, kind)


def told(answer: rpc.CompareVersionsResponse) -> list[Told]:
    return [(_section(each), each.name, _plain(each.before), _plain(each.after)) for each in answer.differences]


def _section(difference: rpc.Difference) -> str:
    return rpc.Difference.Section.Name(difference.section).removeprefix("SECTION_")


async def test_every_difference_is_listed_once_and_nothing_else(yard: RunningRegistry) -> None:
    await make_model(yard)
    same, old, new = b"tokenizer", b"weights of old", b"weights"
    base = await push(
        yard,
        {"a.json": same, "model.bin": old},
        params={"lr": pb.ParamValue(double_value=0.1), "big": pb.ParamValue(int_value=2**60), "gone": _text("x")},
        metrics={"auc": 0.91, "loss": 0.2},
        datasets=[pb.Dataset(name="train", role=pb.Dataset.ROLE_TRAINING, digest="md5:1", row_count=10)],
        source=pb.Source(commit="abc", branch="main"),
        environment=pb.Environment(python="3.11", packages={"torch": "2.8", "numpy": "2.0", "six": "1"}),
        format="onnx",
    )
    other = await push(
        yard,
        {"b.json": same, "model.bin": new},
        params={"lr": pb.ParamValue(double_value=0.2), "big": pb.ParamValue(int_value=2**60 + 1)},
        metrics={"auc": 0.94, "loss": 0.2},
        directions={"loss": pb.Evaluation.DIRECTION_LOWER_IS_BETTER},
        datasets=[
            pb.Dataset(name="train", role=pb.Dataset.ROLE_TRAINING, digest="md5:2", row_count=10),
            pb.Dataset(name="valid", role=pb.Dataset.ROLE_VALIDATION),
        ],
        source=pb.Source(commit="def", branch="main"),
        environment=pb.Environment(python="3.11", packages={"torch": "2.9", "numpy": "2.0", "jax": "1"}),
        format="onnx",
    )

    answer = await compare(yard, base.name, other.name)

    assert told(answer) == [
        ("PARAMS", "big", 2**60, 2**60 + 1),
        ("PARAMS", "gone", "x", None),
        ("PARAMS", "lr", 0.1, 0.2),
        ("METRICS", "auc", 0.91, 0.94),
        ("DATASETS", "TRAINING/train.digest", "md5:1", "md5:2"),
        ("DATASETS", "VALIDATION/valid", None, "valid"),
        ("SOURCE", "commit", "abc", "def"),
        ("PACKAGES", "jax", None, "1"),
        ("PACKAGES", "six", "1", None),
        ("PACKAGES", "torch", "2.8", "2.9"),
        ("OTHER", "directions.loss", None, "LOWER_IS_BETTER"),
        ("FILES", "a.json", blob_of(same).digest, None),
        ("FILES", "b.json", None, blob_of(same).digest),
        ("FILES", "model.bin", blob_of(old).digest, blob_of(new).digest),
    ]
    assert (answer.shared_bytes, answer.removed_bytes, answer.added_bytes) == (len(same), len(old), len(new))
    assert (answer.base.number, answer.other.number, answer.truncated) == (1, 2, False)
    assert not answer.base.files


def _text(value: str) -> pb.ParamValue:
    return pb.ParamValue(string_value=value)


async def test_a_version_is_like_itself_and_types_count(yard: RunningRegistry) -> None:
    await make_model(yard)
    one = await push(yard, {"a": b"x"}, params={"n": pb.ParamValue(int_value=1)})
    other = await push(yard, {"a": b"x"}, params={"n": pb.ParamValue(bool_value=True)})

    assert told(await compare(yard, one.name, one.name)) == []
    assert told(await compare(yard, one.name, other.name)) == [("PARAMS", "n", 1, True)]


async def test_aliases_are_followed(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"one", aliases=["production"])
    await commit(yard, b"two")

    answer = await compare(yard, f"{MODEL}/versions/production", f"{MODEL}/versions/2")

    assert [each.name for each in answer.differences] == ["model.bin"]


async def test_more_than_a_message_holds_is_cut_and_says_so(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard)
    many = {f"{'deeper/' * 28}{number:05}.bin": b"x" for number in range(9000)}
    await push(yard, many)

    answer = await compare(yard, f"{MODEL}/versions/1", f"{MODEL}/versions/2")

    assert answer.truncated
    assert answer.ByteSize() < 4 << 20


@pytest.mark.parametrize("missing", [f"{MODEL}/versions/9", f"{MODEL}/versions/nobody"])
async def test_what_is_missing_is_not_found(yard: RunningRegistry, missing: str) -> None:
    await make_model(yard)
    await commit(yard)
    got = await refused(compare(yard, f"{MODEL}/versions/1", missing))

    assert got.code is grpc.StatusCode.NOT_FOUND


async def test_both_names_are_checked(yard: RunningRegistry) -> None:
    got = await refused(compare(yard, "", "fraud@7"))

    assert (got.code, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["base", "other"])


async def test_what_was_not_collected_is_listed_and_never_compared(yard: RunningRegistry) -> None:
    await make_model(yard)
    base = await push(
        yard,
        {"a": b"a"},
        source=pb.Source(commit="abc", dirty=True, not_collected={"dirty": "late", "diff_digest": "late"}),
        environment=pb.Environment(python="3.11", not_collected={"packages": "late", "hardware": "slow"}),
    )
    other = await push(
        yard,
        {"a": b"a"},
        source=pb.Source(commit="abc", not_collected={"entry_point": "nameless"}),
        environment=pb.Environment(
            python="3.12", packages={"torch": "2.9"}, hardware={"cpu": "x"}, not_collected={"packages": "cold"}
        ),
    )

    answer = await compare(yard, base.name, other.name)

    assert told(answer) == [("ENVIRONMENT", "python", "3.11", "3.12")]
    section = rpc.Difference.Section.Name
    assert [(section(each.section), each.name, each.before, each.after) for each in answer.not_compared] == [
        ("SECTION_SOURCE", "diff_digest", "late", ""),
        ("SECTION_SOURCE", "dirty", "late", ""),
        ("SECTION_SOURCE", "entry_point", "", "nameless"),
        ("SECTION_ENVIRONMENT", "hardware", "slow", ""),
        ("SECTION_PACKAGES", "packages", "late", "cold"),
    ]
    stored = await yard.registry.GetVersion(rpc.GetVersionRequest(name=base.name))
    assert dict(stored.environment.not_collected) == {"packages": "late", "hardware": "slow"}


async def test_reasons_of_what_was_not_collected_are_checked(yard: RunningRegistry) -> None:
    await make_model(yard)
    wrong = pb.Source(not_collected={"": "", "commit": "x" * 5000})

    got = await refused(push(yard, {"a": b"a"}, source=wrong))

    assert got.code is grpc.StatusCode.INVALID_ARGUMENT
    assert sorted(got.fields) == ["version.source.not_collected", "version.source.not_collected['commit']"]
