//! One order- and comment-keeping YAML document model, true to go-yaml.
