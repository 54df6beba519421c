//! What each fault does, and what ends it.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use vedette_e2e::schedule::{Fault, Process, Strike};

use crate::bed::{Bed, readers};
use crate::proxy::Way;

const FILLER: &str = "filler";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Begin,
    End,
}

/// All of them at their times, each until it is over.
pub(crate) async fn strike(bed: &mut Bed, strikes: &[Strike]) {
    let edges = strikes
        .iter()
        .enumerate()
        .flat_map(|(number, strike)| [(strike.at, Edge::Begin, number), (strike.at + strike.lasts, Edge::End, number)]);
    let mut edges: Vec<_> = edges.collect();
    edges.sort_unstable();
    let began = Instant::now();
    for (at, edge, number) in edges {
        bed.tend_for(at.saturating_sub(began.elapsed())).await;
        let Strike { fault, lasts, .. } = strikes[number];
        match edge {
            Edge::Begin => {
                println!("  {:6.1} s  fault {}: {fault:?} {lasts:?}", began.elapsed().as_secs_f64(), number + 1);
                begin(bed, fault).await;
            }
            Edge::End => end(bed, fault).await,
        }
    }
    heal(bed).await;
}

async fn begin(bed: &mut Bed, fault: Fault) {
    match fault {
        Fault::Killed(process) => {
            if process == Process::Generator {
                bed.said += said(bed).await;
            }
            bed.process(process).signal("KILL");
        }
        Fault::Stopped(process) => bed.process(process).signal("STOP"),
        Fault::BrokerKilled(broker) => bed.brokers.signal(broker, "KILL"),
        Fault::BrokerStopped(broker) => bed.brokers.signal(broker, "STOP"),
        Fault::BrokerRestarted(broker) => bed.brokers.signal(broker, "TERM"),
        Fault::BrokerOutOfReach(broker) => bed.brokers.out_of_reach(broker),
        Fault::LeadersMoved => _ = bed.brokers.move_leaders(),
        Fault::Throttled(bytes_a_second) => _ = bed.brokers.throttle(Some(bytes_a_second)),
        Fault::ConnectionsCut => bed.brokers.cut(None),
        Fault::BucketAway => bed.bucket_proxy.cut(Way::Closed),
        Fault::BucketCuts(bytes) => bed.bucket_proxy.cut(Way::Cuts(bytes)),
        Fault::SpoolFull => fill(bed),
        Fault::RetentionPassed(topic) => readers(topic).1.iter().for_each(|process| bed.process(*process).hold()),
    }
}

async fn end(bed: &mut Bed, fault: Fault) {
    match fault {
        Fault::Killed(_) | Fault::LeadersMoved | Fault::ConnectionsCut => {}
        Fault::Stopped(process) => bed.process(process).signal("CONT"),
        Fault::BrokerStopped(broker) => bed.brokers.signal(broker, "CONT"),
        Fault::BrokerKilled(broker) | Fault::BrokerRestarted(broker) => bed.brokers.start(broker),
        Fault::BrokerOutOfReach(broker) => bed.brokers.cut(Some(broker)),
        Fault::Throttled(_) => _ = bed.brokers.throttle(None),
        Fault::BucketAway | Fault::BucketCuts(_) => bed.bucket_proxy.cut(Way::Open),
        Fault::SpoolFull => _ = fs::remove_file(bed.small_disk.join(FILLER)),
        Fault::RetentionPassed(topic) => {
            let (topic, processes, group) = readers(topic);
            // Who looks here is slowed down, too, and no fault ends before it has looked.
            bed.brokers.throttle(None);
            match bed.ledger.delete_unread(topic, group).await {
                Ok(before) => println!("    {topic} begins at {before:?} now"),
                // A broker may be away.
                Err(error) => println!("    {topic} stays as it is: {error}"),
            }
            processes.iter().for_each(|process| bed.process(*process).release());
        }
    }
}

/// What a generator that ends says is in Kafka; nothing where it cannot say.
async fn said(bed: &mut Bed) -> u64 {
    bed.process(Process::Generator).counter("vedette_generator_records_total").await.unwrap_or(0)
}

fn fill(bed: &Bed) {
    let mut filler = File::create(bed.small_disk.join(FILLER)).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
}

/// What could not be ended in time, as a broker was away.
async fn heal(bed: &mut Bed) {
    let began = Instant::now();
    while !bed.brokers.throttle(None) {
        assert!(began.elapsed() < Duration::from_secs(120), "no broker takes a quota back");
        bed.tend_for(Duration::from_secs(1)).await;
    }
}
