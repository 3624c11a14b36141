//! `driven serve`

use std::path::{Path, PathBuf};
use std::time::Duration;

use driven_serve::{Server, ServerOptions};
use serde_json::json;

use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Serve a tree of packs over HTTP
///
/// Sends packs, patches (also such as are not in the tree yet), listings, `/health` and `/metrics`; tells those who wait
/// when something else is current. Nothing outside the folder is sent. TLS is for a proxy in front of it. Stops on
/// SIGINT and SIGTERM, after the answers that are on their way, or ten seconds, or at a second one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven publish site rules.drv && driven serve site\n  \
                  driven serve site --listen 0.0.0.0:8080 --connections 10000")]
pub(crate) struct Serve {
    /// The folder of the tree, as `driven publish` writes it
    tree: PathBuf,
    /// Where to listen; port 0 takes one that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// How many connections are open at once; others wait
    #[arg(long, value_name = "COUNT", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    connections: u64,
    /// How much of packs and patches stays in memory, in MiB; answers on their way may hold as much again
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    cache: u64,
    /// How long a connection may stand still, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle: u64,
    /// Send the patches that are in the tree, and make none
    #[arg(long)]
    no_patches: bool,
}

impl Serve {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let mut options = ServerOptions::default();
        options.connections = usize::try_from(self.connections).unwrap_or(usize::MAX);
        options.cache = self.cache << 20;
        options.idle = Duration::from_secs(self.idle);
        options.makes_patches = !self.no_patches;
        allow_files(options.connections as u64 + 256);
        let running = Server::open(&self.tree, options)?
            .start(&*self.listen)
            .map_err(|err| Failure::from(err).in_file(Path::new(&self.listen)))?;
        let url = format!("http://{}", running.address());
        let value = json!({ "serving": self.tree.to_string_lossy(), "url": url });
        // Who started it may have no more interest in where it listens.
        output.stream(&value, || format!("serving {} at {url}", self.tree.display()));
        wait_for_signal().map_err(|err| Failure::new("io", format!("signals can't be waited for: {err}")))?;
        output.note("stopping; once more to stop at once");
        std::thread::spawn(|| {
            if wait_for_signal().is_ok() {
                std::process::exit(1);
            }
        });
        running.stop();
        Ok(Exit::Clean)
    }
}

/// Waits for the first signal that asks to stop.
fn wait_for_signal() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::select! {
                pressed = tokio::signal::ctrl_c() => pressed,
                _ = terminate.recv() => Ok(()),
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await
    })
}

/// Asks the system for so many open files, as far as it allows.
fn allow_files(wanted: u64) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current.is_some_and(|current| current < wanted) {
            let current = Some(maximum.map_or(wanted, |maximum| maximum.min(wanted)));
            // Where that fails, fewer connections are open at once.
            let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
        }
    }
    let _ = wanted;
}
