"""Uploads as messages."""

from modelyard import wire
from modelyard.v1 import artifacts_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.transfers.uploads.values import Upload, UploadState

_UPLOAD_STATES = wire.EnumMapping(artifacts_pb2.Upload.State, UploadState)


def upload_message(upload: Upload) -> artifacts_pb2.Upload:
    return artifacts_pb2.Upload(
        name=str(upload.name),
        blob=pb.Blob(digest=upload.digest, size_bytes=upload.size),
        state=_UPLOAD_STATES.to_proto(upload.state),
        persisted_size=upload.persisted_size,
        rehashed_size=upload.rehashed_size,
        expire_time=wire.timestamp(upload.expire_time),
        create_time=wire.timestamp(upload.create_time),
    )
