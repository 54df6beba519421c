use serde_json::json;
use vedette_testing::TestBucket;
use vedette_testing::bucket::BUCKET;

use super::*;

const REQUESTS_PER_HOUR: u64 = 36_000;
const PODS: [&str; 3] = ["detector", "archiver", "notifier"];

/// What each of so many sites wrote so long ago.
fn write(served: &TestBucket, sites: usize, ago: SignedDuration) {
    let (keys, at) = (crate::testing::owner("east").pipeline_name().keys(), Timestamp::now() - ago);
    let put = |key: String, object: serde_json::Value| {
        let path = served.data_directory().join(BUCKET).join(&key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, object.to_string()).unwrap();
        served.age(&key, ago);
    };
    for number in 0..sites {
        let site: Name = format!("site-{number}").parse().unwrap();
        let status = json!({ "site": site, "training": null, "model_version": null, "ready": true, "updated_at": at });
        put(keys.site(&site), status);
        for pod in PODS {
            let health = json!({ "site": site, "pod": pod, "component": pod, "started_at": at, "updated_at": at,
                "topics": [] });
            put(keys.health(&site, pod), health);
        }
    }
}

#[tokio::test]
async fn however_many_sites_there_are_an_hour_has_no_more_requests_than_it_may_have_and_none_is_silent_that_speaks() {
    for sites in [1, 10, 100, 1_000] {
        let (served, metrics) = (TestBucket::serve().await, Metrics::default());
        let (store, reader) = (Store::new(metrics.clone()), Reader::new(served.bucket.clone(), metrics.clone()));
        let site = "site-0".parse().unwrap();
        let settings = PollSettings { namespaces: Vec::new(), site, requests_per_hour: REQUESTS_PER_HOUR };
        let mut poller =
            Poller { settings, reader, discovered: None, pipelines: BTreeMap::new(), trainings: BTreeMap::new() };
        let (mut requests, mut seconds) = (0, 0.0);
        // As the minutes go by, all of them write again, and not all of that is read in one look.
        for minutes in [10, 8, 6, 4, 2, 0] {
            write(&served, sites, SignedDuration::from_mins(minutes));
            let before = poller.reader.requests();
            poller.look(&store, &metrics).await.unwrap();
            let made = poller.reader.requests() - before;
            assert!(made < 1_000, "{sites} sites: {made} requests in one look");
            (requests, seconds) = (requests + made, seconds + pause(made, REQUESTS_PER_HOUR).as_secs_f64());
        }
        let in_an_hour = requests as f64 * 3600.0 / seconds;
        println!("{sites} sites: {in_an_hour:.0} requests to the bucket in an hour, {:.0} s a look", seconds / 6.0);
        assert!(in_an_hour <= REQUESTS_PER_HOUR as f64 + 1.0, "{sites} sites: {in_an_hour}");
        let views = poller.pipelines.iter().flat_map(|(name, known)| known.views(name, Timestamp::now()));
        let silent: Vec<_> = views.filter(|view| view.silent_since_utc.is_some()).map(|view| view.site).collect();
        assert!(silent.is_empty(), "of {sites} sites {} speak and are silent, as {:?}", silent.len(), silent[0]);
    }
}
