"""The limits of the registry. Tests and GetArtifactLimits read them from here."""

from dataclasses import dataclass

from modelyard.core import limits as shared


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything a caller may ask for. Sizes in bytes, times in seconds."""

    message_bytes: int = 4 << 20
    chunk_bytes: int = 1 << 20
    preferred_chunk_bytes: int = 256 << 10
    """Messages of 1 MiB cost twice the system time: each buffer is then mapped and faulted in anew."""
    batch_bytes: int = 3 << 20
    batch_count: int = 1000
    part_bytes: int = 64 << 20
    part_count: int = 100_000
    version_bytes: int = 7 << 19
    """Of one version's message, files and facts together: half a MiB below what a message may hold."""
    list_bytes: int = 2 << 20
    """A FULL page ends early at about this size."""
    page_size_default: int = shared.DEFAULT_PAGE_SIZE
    page_size_max: int = shared.MAX_PAGE_SIZE
    page_token_ttl: float = 3 * 86_400.0
    label_count: int = shared.MAX_LABELS
    label_key_bytes: int = shared.MAX_LABEL_KEY_BYTES
    label_value_bytes: int = shared.MAX_LABEL_VALUE_BYTES
    display_name_length: int = shared.MAX_DISPLAY_NAME_LENGTH
    owner_length: int = shared.MAX_OWNER_LENGTH
    description_bytes: int = shared.MAX_DESCRIPTION_BYTES
    reason_bytes: int = shared.MAX_REASON_BYTES
    facts_entries: int = shared.MAX_FACTS
    """Of each map or list among the facts."""
    aliases_per_commit: int = shared.MAX_ALIASES_PER_COMMIT
    open_uploads: int = 1000
    """In one namespace."""
    upload_ttl: float = 86_400.0
    writer_stall: float = 10.0
    """A writer of an upload that moved nothing for so long may be taken over from."""
    lease_ttl: float = 3600.0
    """How long a blob that was found, or just written, stays without a version that names it."""
    deployment_ttl: float = shared.DEFAULT_DEPLOYMENT_TTL
    """How long a deployment counts without a heartbeat, unless its consumer asks for another time."""
    deployments: int = 10_000
    """Of one model."""
    deployment_ttl_min: float = shared.MIN_DEPLOYMENT_TTL
    deployment_ttl_max: float = shared.MAX_DEPLOYMENT_TTL
    consumer_bytes: int = shared.MAX_CONSUMER_BYTES
    """Of each of a consumer's service, environment and instance."""
    rollout_differing: int = shared.MAX_ROLLOUT_DIFFERING
    """Deployments that one rollout lists."""
    usage_versions: int = 1000
    """Whose use is counted in memory, until it is stored."""
    request_id_ttl: float = 86_400.0
    purge_after: float = 30 * 86_400.0
    """How long a soft-deleted resource can be restored."""
    unary_deadline: float = 30.0
    stream_idle: float = 60.0
    """A client's stream that sends nothing for so long is ended."""
    event_types: int = 100
    """That one watch may name."""
    watch_progress: float = 30.0
    """A watch that has nothing to tell says so this often."""
    reader_stall: float = 120.0
    """A client that takes nothing of its download for so long is cut off."""
    webhooks: int = 100
    """In one namespace."""
    delivery_ttl: float = 7 * 86_400.0
    """How long the outcome of a delivery is kept."""
