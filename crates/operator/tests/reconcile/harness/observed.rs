//! An operator whose writes are seen one by one.

use std::sync::{Arc, Mutex};

use http::{Method, Request};
use kube::client::{Body, ClientBuilder};
use tower::util::MapRequestLayer;

use super::{Corner, Running};

/// A running operator, and what it writes.
pub(crate) struct Observed {
    pub(crate) operator: Running,
    writes: Arc<Mutex<Vec<String>>>,
}

impl Corner {
    /// Starts an operator that is observed.
    pub(crate) fn observe(&self) -> Observed {
        let writes = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&writes);
        let noting = MapRequestLayer::new(move |request: Request<Body>| {
            let path = request.uri().path();
            // Leading goes on whatever there is to do.
            if *request.method() != Method::GET && !path.contains("/leases") {
                let line = format!("{} {path}", request.method());
                log.lock().unwrap().push(line);
            }
            request
        });
        let builder = ClientBuilder::try_from(self.admin.clone()).unwrap();
        let client = builder.with_layer(&noting).build();
        Observed {
            operator: self.operate_as(client),
            writes,
        }
    }
}

impl Observed {
    /// What it has sent to the API server but reads and what keeps it leading: method and path.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.writes.lock().unwrap().clone()
    }
}
