//! Two data centres, each a kind cluster with its own Apache Kafka, its own bucket and its own release of the chart; the
//! buckets are replicated both ways. What people do there, and what goes wrong there, in one story: each step begins where
//! the one before ended, but for those that have nothing to do with each other and happen at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod console;
mod faults;
mod guest;
mod incidents;
mod models;
mod outages;
mod records;
mod site;
mod story;
mod together;

use std::time::Instant;

use site::Site;
use story::Story;
use together::together;
use vedette_e2e::figure::figure;

// What is done together has threads of its own, and others are there for what they wait for.
#[tokio::test(flavor = "multi_thread")]
async fn two_data_centres_work_as_one() {
    let story = Story { east: Site::connect("east").await, west: Site::connect("west").await };
    let began = Instant::now();
    macro_rules! step {
        ($name:ident $(, $argument:expr)*) => {{
            let step_began = Instant::now();
            let step_name = stringify!($name).replace('_', " ");
            println!("{step_name} ...");
            let result = story.$name($($argument),*).await;
            println!("  {step_name}: took {:.0} s", step_began.elapsed().as_secs_f64());
            result
        }};
    }
    let installed = step!(both_sites_are_installed);
    step!(the_same_manifests_make_both_sites_ready, installed);
    step!(a_topic_of_others_stays_as_it_is_and_grows_where_that_is_asked_for);
    let first = step!(the_first_model_is_learned_from_both_sites_and_rolled_at_both);
    let second = step!(another_model_rolls_at_both, &first);
    step!(the_console_of_each_site_shows_both, &second);
    step!(the_command_line_finds_the_console_of_each_site);
    // The detectors that find the attack go on with the good version.
    together(
        async || step!(an_attack_is_one_incident_and_one_message_and_none_once_it_is_silenced),
        async || step!(a_damaged_version_is_refused_and_one_that_crashes_is_taken_back, &second),
    );
    step!(pinning_goes_back, &first);
    // At west, and at east.
    let (third, ()) = together(
        async || step!(a_training_is_failed_neither_by_a_drain_nor_by_the_end_of_its_job),
        async || step!(a_second_tenant_of_the_same_name_begins),
    );
    step!(unpinning_goes_forth, &first, &third);
    // At east, and at west.
    together(
        async || step!(a_bucket_that_is_away_is_survived),
        async || {
            step!(jobs_that_wait_say_so_and_are_made_anew_once_mended);
            step!(suspension_stops_and_resumption_goes_on);
        },
    );
    step!(the_replication_is_mended);
    step!(a_spec_that_cannot_run_is_not_ready_and_a_version_that_waits_is_not_banned);
    // The model is learned and rolled at west; at east none rolls before the cut is healed.
    let (cut, ()) = together(
        async || step!(a_cut_of_the_replication_is_survived),
        async || step!(scaling_secrets_and_upgrades_roll_while_records_flow),
    );
    step!(a_cut_of_the_replication_is_healed, &cut);
    step!(faults_lose_nothing);
    step!(every_record_is_everywhere_once);
    step!(a_site_is_deleted_and_reinstalled);
    step!(uninstalling_leaves_the_crds_and_the_data);
    figure("the story of two data centres", "s", began.elapsed().as_secs_f64(), 900.0);
}
