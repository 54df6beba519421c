//! Many small objects, each of which is a request of its own.

use futures::future::{BoxFuture, RemoteHandle};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};

/// So many are read at once: with 20 ms for each, 10,000 take 3 s.
const AT_ONCE: usize = 64;

/// What is found at each, in any order: on all cores, as a request that is near costs a client more time than it waits. Those that
/// are under way end when the stream is dropped.
pub(crate) fn each<T: Send + 'static, L: Send + 'static>(
    of: Vec<T>,
    look: impl FnMut(T) -> BoxFuture<'static, L> + Send + 'static,
) -> BoxStream<'static, L> {
    stream::iter(of).map(look).map(spawned).buffer_unordered(AT_ONCE).boxed()
}

/// The handle ends it, and has what it found or how it panicked.
fn spawned<L: Send + 'static>(look: BoxFuture<'static, L>) -> RemoteHandle<L> {
    let (task, handle) = look.remote_handle();
    drop(tokio::spawn(task));
    handle
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Barrier;
    use tokio::task::yield_now;
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn so_many_are_read_at_once_and_never_more() {
        let (all, waiting, most) = (Arc::new(Barrier::new(AT_ONCE)), Arc::<AtomicUsize>::default(), Arc::default());
        let reached = Arc::<AtomicUsize>::clone(&most);
        let look = move |number: usize| {
            let (all, waiting, most) = (Arc::clone(&all), Arc::clone(&waiting), Arc::clone(&reached));
            async move {
                most.fetch_max(waiting.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                // Nobody goes on before as many are here.
                all.wait().await;
                waiting.fetch_sub(1, Ordering::Relaxed);
                number
            }
            .boxed()
        };
        let many = 0..10 * AT_ONCE;
        let mut found: Vec<_> = timeout(PATIENCE, each(many.clone().collect(), look).collect()).await.unwrap();
        found.sort_unstable();
        assert!(found.into_iter().eq(many));
        assert_eq!(most.load(Ordering::Relaxed), AT_ONCE);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends() {
        let held = Arc::new(());
        let for_all = Arc::clone(&held);
        let look = move |number: usize| {
            let held = Arc::clone(&for_all);
            async move {
                if number > 0 {
                    std::future::pending::<()>().await;
                }
                drop(held);
            }
            .boxed()
        };
        let mut looking = each(vec![0, 1, 2], look);
        timeout(PATIENCE, looking.next()).await.unwrap().unwrap();
        drop(looking);
        let gone = async {
            while Arc::strong_count(&held) > 1 {
                yield_now().await;
            }
        };
        timeout(PATIENCE, gone).await.unwrap();
    }
}
