//! Threads for work that nobody waits for. The system lets them run when the others leave it time.
//!
//! - N1: what is spawned by a task in the background, and its blocking calls, are in the background too.
//! - N2: these threads end after the object core is closed: it waits for what they commit.

use std::io;

use tokio::runtime::{Builder, EnterGuard, Runtime};

/// The least priority there is ("nice").
const PRIORITY: i32 = 19;
/// Threads that block at a time: reads of indexes, and rows that become files.
const BLOCKING_MAX: usize = 64;

/// A runtime of threads of the least priority.
pub struct Background(Option<Runtime>);

fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, PRIORITY) {
        tracing::warn!(%error, "a thread for background work keeps its priority");
    }
}

impl Background {
    /// Starts the threads: half as many as there are processors.
    pub fn start() -> io::Result<Self> {
        let processors = std::thread::available_parallelism()?.get();
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors.div_ceil(2))
            .max_blocking_threads(BLOCKING_MAX)
            .thread_name("background")
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// While the guard lives, what is spawned is in the background.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.0.as_ref().expect("it is there until it is dropped").enter()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Whoever drops it may be a task, which must not wait.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    #[tokio::test]
    async fn what_is_spawned_in_the_background_has_the_least_priority_and_the_rest_keeps_its_own() {
        let before = priority();
        let background = Background::start().unwrap();
        let spawned = {
            let _in_background = background.enter();
            tokio::spawn(async {
                let blocking = tokio::task::spawn_blocking(priority).await.unwrap();
                let nested = tokio::spawn(async { priority() }).await.unwrap();
                [priority(), blocking, nested]
            })
        };
        assert_eq!(spawned.await.unwrap(), [PRIORITY; 3]);
        assert_eq!(tokio::spawn(async { priority() }).await.unwrap(), before);
    }
}
