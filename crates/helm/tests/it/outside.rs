//! A made-up outside.

use gotemplate::{Certificate, CertificateOrder, Host};

/// Always the same time, and bytes that look random.
pub(crate) struct Outside;

impl Host for Outside {
    fn now(&self) -> Result<(i64, u32), String> {
        Ok((1_700_000_000, 0))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        bytes.iter_mut().zip(0..).for_each(|(byte, at)| *byte = at);
        Ok(())
    }

    fn private_key(&self, kind: &str) -> Result<String, String> {
        Ok(format!("{kind} key"))
    }

    fn certificate(&self, order: &CertificateOrder) -> Result<Certificate, String> {
        Ok(Certificate { cert: format!("certificate of {}", order.common_name), key: "key".into() })
    }
}
