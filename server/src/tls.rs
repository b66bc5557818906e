//! `Tls`: native TLS, with a certificate that may be replaced while the server runs.

pub(crate) mod own;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{info, warn};

/// How often it is looked whether the certificate was replaced: it is renewed weeks before it ends.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Where certificate and key are: PEM, the certificate first and then what it was issued by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// `TLS_CERTIFICATE`.
    pub certificate: PathBuf,
    /// `TLS_PRIVATE_KEY`.
    pub private_key: PathBuf,
}

/// Ends TLS.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

/// Why there can be no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or is no PEM of what it should be.
    #[error("{}: {source}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// They do not fit each other, or this server.
    #[error("certificate and private key: {0}")]
    Pair(#[from] rustls::Error),
}

#[derive(Debug)]
struct Current {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    pair: ArcSwap<CertifiedKey>,
    written: ArcSwap<Option<[SystemTime; 2]>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.current.files).finish()
    }
}

impl Tls {
    /// Reads the files, and looks after them as long as there is a clone of this.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when they are of no use.
    pub fn open(files: TlsFiles) -> Result<Tls, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pair = ArcSwap::from(read(&files, &provider)?);
        let written = ArcSwap::from_pointee(written(&files).ok());
        let current = Arc::new(Current { files, provider, pair, written });
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&current.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = Tls { acceptor: TlsAcceptor::from(Arc::new(config)), current };
        tokio::spawn(look_for_ever(Arc::downgrade(&tls.current)));
        Ok(tls)
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Takes up files that were replaced. Those that are of no use leave what there is.
    pub fn look(&self) {
        self.current.look();
    }
}

impl Current {
    fn look(&self) {
        let now = written(&self.files).ok();
        if now.is_none() || **self.written.load() == now {
            return;
        }
        match read(&self.files, &self.provider) {
            Ok(pair) => {
                self.pair.store(pair);
                info!("the TLS certificate is new");
            }
            Err(error) => warn!(%error, "the TLS certificate was replaced by one that is of no use"),
        }
        self.written.store(Arc::new(now));
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair.load_full())
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let failed = |file: &Path| {
        let file = file.to_owned();
        |source| TlsError::File { file, source }
    };
    let certificates =
        CertificateDer::pem_file_iter(&files.certificate).map_err(failed(&files.certificate))?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(failed(&files.certificate))?;
    if certificates.is_empty() {
        return Err(failed(&files.certificate)(pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(&files.private_key).map_err(failed(&files.private_key))?;
    Ok(Arc::new(CertifiedKey::from_der(certificates, key, provider)?))
}

fn written(files: &TlsFiles) -> io::Result<[SystemTime; 2]> {
    let written = |file: &Path| std::fs::metadata(file)?.modified();
    Ok([written(&files.certificate)?, written(&files.private_key)?])
}

async fn look_for_ever(current: std::sync::Weak<Current>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(current) = current.upgrade() else { return };
        current.look();
    }
}
