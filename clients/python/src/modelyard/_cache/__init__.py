"""Pulled models on this machine: content-addressed, verified, shared by all processes of one user, bounded in size.

Only this user and root may be able to change what is in it. In a folder that others can write to too, as a volume of a
cluster, each user has a folder ``user-<uid>`` if nobody else can rename it. A cache that can only be read serves too.

::

    blobs/sha256/ab/<hex>        the bytes, read-only; beside each its stamp, taken after it was verified
    snapshots/<hex>/files/…      a version by its manifest digest: hard links to its blobs
    snapshots/<hex>/record.json  the manifest, and the stamp of every file
    snapshots/<hex>/lock         locked by whoever uses it; its mtime is the last use
    references/<hex>             what a reference meant when the registry was last asked
    staging/<name>, <name>.lock  what a process is about to put in place; its ``lease`` names the process
    staging/use-<hex>-…          a process that uses a version; ``hold-<hex>-…`` where locks were not seen to work
    pins/<hex>                   links of users that keep a version

Everything appears by an atomic rename or link of something finished, and every lock is an flock, which the kernel gives
back when its process dies: kill -9 leaves only files in ``staging`` that the next fetch sweeps. Nothing is fsynced. A
power cut can leave a file short, never long: file systems extend a file only once its data is on disk. Its stamp, and
the checksum of a reference, tell.
"""

from modelyard._cache.cache import Cache
from modelyard._cache.holds import Hold
from modelyard._cache.upkeep import CachedVersion, Upkeep

__all__ = ["Cache", "CachedVersion", "Hold", "Upkeep"]
