//! A Kubernetes-API-compatible server in process.
