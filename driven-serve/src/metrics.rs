//! What the server counts, in Prometheus's text format.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    resource: &'static str,
    status: u16,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Kind, Counter>,
    pub(crate) sent: Counter,
    pub(crate) connections: Gauge<i64, AtomicI64>,
    pub(crate) refused: Counter,
    waiting: Gauge<i64, AtomicI64>,
    pub(crate) patches: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("driven");
        let (requests, connections, waiting) = (Family::default(), Gauge::default(), Gauge::default());
        let (sent, refused, patches) = (Counter::default(), Counter::default(), Counter::default());
        registry.register("requests", "Requests, by what was asked for", requests.clone());
        registry.register_with_unit("sent", "Content in answers", Unit::Bytes, sent.clone());
        registry.register("connections", "Connections that are open", connections.clone());
        registry.register("connections_ended", "Connections ended for taking too long", refused.clone());
        registry.register("waiting", "Requests that wait for news", waiting.clone());
        registry.register("patches_made", "Patches made because they were asked for", patches.clone());
        Metrics { registry, requests, sent, connections, refused, waiting, patches }
    }

    pub(crate) fn count(&self, resource: &'static str, status: u16, bytes: u64) {
        self.requests.get_or_create(&Kind { resource, status }).inc();
        self.sent.inc_by(bytes);
    }

    /// Counts a request that waits, for as long as what it gives lives.
    pub(crate) fn wait(&self) -> impl Drop + use<> {
        self.waiting.inc();
        Waiting(self.waiting.clone())
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes all");
        text
    }
}

struct Waiting(Gauge<i64, AtomicI64>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}
