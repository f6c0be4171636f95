//! OCI registries: references, credentials, tags, digests.
