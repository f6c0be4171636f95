//! Every custom resource as plain types, with its conditions and reasons.
