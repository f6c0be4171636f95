//! Access tokens of AWS, Google Cloud and Azure for registries and Git.
