//! `notification.toolkit.fluxcd.io`: who is told of what, and who may ask for a reconciliation.

mod alert;
mod provider;
mod receiver;
mod reference;

pub use alert::{Alert, AlertSpec, EventSeverity};
pub use provider::{Provider, ProviderSpec, ProviderType};
pub use receiver::{Receiver, ReceiverSpec, ReceiverStatus, ReceiverType};
pub use reference::CrossNamespaceObjectReference;
