"""The limits of the registry. Tests and GetArtifactLimits read them from here."""

from dataclasses import dataclass

from modelyard.core import limits as shared


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of what a caller may request. Sizes in bytes, times in seconds."""

    message_bytes: int = 4 << 20
    """Most bytes of a request, and of an answer."""
    chunk_bytes: int = 1 << 20
    """Most bytes of data in one message of an upload or a download."""
    preferred_chunk_bytes: int = 256 << 10
    """Bytes of data that a client should put into one message. It takes half the system time of 1 MiB, for which each
    buffer is mapped again."""
    batch_bytes: int = 3 << 20
    """Most bytes of the blobs or files of one batch."""
    batch_count: int = 1000
    """Most blobs, files or sizes of one batch."""
    part_bytes: int = 64 << 20
    """Size of the parts in which clients send a large blob."""
    part_count: int = 100_000
    """Most parts of one blob."""
    version_bytes: int = shared.MAX_VERSION_BYTES
    """Most bytes of a version's message with files and facts: half a MiB less than ``message_bytes``."""
    resource_bytes: int = (4 << 20) - (64 << 10)
    """Most bytes of one resource or event as a message. With the rest of an answer it fits into ``message_bytes``."""
    list_bytes: int = 2 << 20
    """Size at which a page ends early, approximately."""
    page_size_default: int = shared.DEFAULT_PAGE_SIZE
    page_size_max: int = shared.MAX_PAGE_SIZE
    page_token_ttl: float = 3 * 86_400.0
    """How long a page token can be used."""
    label_count: int = shared.MAX_LABELS
    label_key_bytes: int = shared.MAX_LABEL_KEY_BYTES
    label_value_bytes: int = shared.MAX_LABEL_VALUE_BYTES
    display_name_length: int = shared.MAX_DISPLAY_NAME_LENGTH
    owner_length: int = shared.MAX_OWNER_LENGTH
    description_bytes: int = shared.MAX_DESCRIPTION_BYTES
    reason_bytes: int = shared.MAX_REASON_BYTES
    facts_entries: int = shared.MAX_FACTS
    """Most entries of each map or list in the facts."""
    parents: int = shared.MAX_PARENTS
    """Most versions that one version names as those it was made from."""
    aliases_per_commit: int = shared.MAX_ALIASES_PER_COMMIT
    aliases: int = 1000
    """Most aliases of one model."""
    evaluations: int = 1000
    """Most evaluations of one version, with those that were superseded."""
    open_uploads: int = 1000
    """Most open uploads of one namespace."""
    upload_ttl: float = 86_400.0
    """How long an unfinished upload is kept after its last write."""
    writer_stall: float = 10.0
    """Another stream may take over an upload whose writer made no progress for this long."""
    lease_ttl: float = 3600.0
    """How long a blob is kept without a version that uses it, after it was found or written."""
    deployment_ttl: float = shared.DEFAULT_DEPLOYMENT_TTL
    """How long a deployment lives after a heartbeat, unless its consumer requests another time."""
    deployments: int = 10_000
    """Most deployments of one model."""
    deployment_ttl_min: float = shared.MIN_DEPLOYMENT_TTL
    deployment_ttl_max: float = shared.MAX_DEPLOYMENT_TTL
    consumer_bytes: int = shared.MAX_CONSUMER_BYTES
    """Most bytes of each of a consumer's service, environment and instance."""
    rollout_differing: int = 100
    """Most deployments that GetRollout lists."""
    usage_versions: int = 1000
    """Most versions whose uses are counted in memory before they are stored."""
    request_id_ttl: float = 86_400.0
    """How long a retry gets the first answer."""
    purge_after: float = 30 * 86_400.0
    """How long a deleted resource can be restored."""
    unary_deadline: float = 30.0
    """How long a call that is no stream may take."""
    stream_idle: float = 60.0
    """A request stream that receives nothing for this long is ended."""
    event_types: int = 100
    """Most event types that one WatchEvents call may filter by."""
    watch_progress: float = 30.0
    """A watch without events sends a progress message this often."""
    compose_progress: float = 10.0
    """A ComposeBlob sends its progress this often."""
    reader_stall: float = 120.0
    """A download whose client reads nothing for this long is ended."""
    webhooks: int = 100
    """Most webhooks of one namespace."""
    delivery_ttl: float = 7 * 86_400.0
    """How long a delivery is kept after it has ended."""
