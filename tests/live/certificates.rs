//! An authority for one test, and the certificates that it signs.
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::house::scratch;

/// A folder with `roots.pem`, `chain.pem` and `key.pem`, which goes with the value.
pub(crate) struct Certificates {
    pub(crate) folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = scratch();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let made = Self { folder, authority };
        std::fs::write(made.authority_file(), made.authority.pem()).unwrap();
        made.renew();
        made
    }

    /// A new key, and a certificate for it, in place of those before: the key first, so that nobody sees a pair that
    /// does not fit for longer than a moment.
    pub(crate) fn renew(&self) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.authority).unwrap();
        std::fs::write(self.folder.join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(self.folder.join("chain.pem"), certificate.pem()).unwrap();
    }

    /// A file that is no certificate.
    pub(crate) fn spoil(&self) {
        std::fs::write(self.folder.join("chain.pem"), "half a certi").unwrap();
    }

    pub(crate) fn authority_file(&self) -> PathBuf {
        self.folder.join("roots.pem")
    }

    /// Keys of `[sip]` for a listener on loopback.
    pub(crate) fn settings(&self, srtp: &str) -> String {
        let folder = Path::new(&self.folder).display();
        format!(
            "tls_listen = \"127.0.0.1:0\"\ntls_certificate = \"{folder}/chain.pem\"\ntls_key = \"{folder}/key.pem\"\n\
             tls_check = \"1s\"\nsrtp = \"{srtp}\"\n"
        )
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
