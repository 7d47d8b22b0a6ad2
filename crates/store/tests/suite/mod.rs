//! What every store promises, written against the traits alone. A store joins by implementing
//! [`Database`] and writing one line: `suite::store_suite!(expression that makes a new one)`.

pub(crate) mod budget;
pub(crate) mod clickmaps;
pub(crate) mod cohorts;
pub(crate) mod completeness;
pub(crate) mod conflicts;
pub(crate) mod connections;
pub(crate) mod definitions;
#[allow(
    dead_code,
    reason = "what is earlier differs from one store to the next"
)]
pub(crate) mod earlier;
pub(crate) mod erasures;
pub(crate) mod evidence;
pub(crate) mod fixtures;
pub(crate) mod following;
pub(crate) mod identities;
pub(crate) mod leases;
pub(crate) mod left_epochs;
pub(crate) mod lists;
pub(crate) mod oracle;
pub(crate) mod pages;
pub(crate) mod persons_reading;
pub(crate) mod product_pageviews;
pub(crate) mod property;
pub(crate) mod purges;
pub(crate) mod remap;
pub(crate) mod removal;
pub(crate) mod runs;
pub(crate) mod snapshots;
pub(crate) mod texts;
pub(crate) mod unlinked;
pub(crate) mod zones;

use std::sync::Arc;

use async_trait::async_trait;
use domain::storage::Store;

/// A database of a test's own, empty at first.
#[async_trait]
pub(crate) trait Database: Send + Sync {
    /// Opens it, as another process or the next start of the program would.
    async fn open(&self) -> Arc<dyn Store>;
}

/// Makes one test of every promise for the database that the expression gives.
macro_rules! store_suite {
    ($new:expr) => {
        $crate::suite::store_suite! { @ $new;
            budget: {
                no_more_requests_run_at_once_than_allowed,
                a_slot_given_back_or_expired_is_free_again,
                slots_that_a_dead_process_left_are_free_again,
                the_minute_and_the_hour_roll,
                a_pause_holds_everybody_and_the_longest_one_wins,
                a_project_throttled_for_long_is_asked_less_by_every_process,
                projects_have_budgets_of_their_own,
                two_handles_share_one_budget,
            }
            clickmaps: {
                any_order_split_and_repetition_ends_in_the_naive_clickmaps,
                a_crash_between_a_page_and_its_clickmaps_loses_no_click,
                a_crash_while_clickmaps_are_made_leaves_them_to_the_next_call,
                other_clickmaps_that_are_given_up_leave_what_is_due_to_those_in_force,
                a_change_of_rules_or_zone_makes_all_clickmaps_anew,
                a_zone_that_comes_back_finds_what_came_meanwhile,
                clickmaps_that_are_switched_off_are_gone_and_come_back_whole,
                only_days_whose_clicks_changed_are_made_anew,
                what_is_stored_of_an_element_is_masked,
                clickmaps_need_the_lease,
                an_erased_persons_texts_are_gone_before_clickmaps_are_made_anew,
                an_erased_persons_texts_are_gone_from_clickmaps_of_another_zone_too,
                an_erasure_while_clickmaps_are_made_leaves_no_text_in_them,
            }
            cohorts: {
                cohorts_are_as_posthog_last_listed_them,
                a_part_that_is_stored_already_changes_nothing,
                a_part_moves_only_who_is_in_its_buckets,
                memberships_of_many_persons_and_cohorts_are_found_at_once,
                what_is_past_retention_is_forgotten_with_both_its_changes,
                a_lost_holder_changes_no_cohort,
                a_purge_takes_cohorts_along,
            }
            completeness: {
                a_later_verdict_replaces_the_earlier_one_of_its_day,
                what_was_proven_of_days_that_retention_cuts_is_forgotten,
                verdicts_need_the_lease,
            }
            conflicts: {
                any_history_lists_the_persons_of_several_customers,
                a_read_of_many_links_lists_conflicts_before_and_after_they_are_looked_for,
            }
            connections: {
                a_first_epoch_serves_at_once_and_another_only_when_told,
                writing_the_same_connection_again_changes_nothing,
                a_deleted_connection_is_not_listed_and_comes_back_with_its_rows,
                connections_are_listed_by_name_and_page_by_page,
                a_check_clears_the_failure,
                what_is_not_there_is_not_found,
                page_token_keys_are_the_same_for_every_process,
                a_store_answers_a_ping,
            }
            definitions: {
                definitions_join_what_is_listed_with_what_is_stored,
            }
            erasures: {
                any_id_of_a_person_erases_all_of_it_and_nobody_else,
                a_person_that_posthog_deleted_first_is_erased_whole,
                an_id_that_moved_on_is_not_erased_with_its_former_person,
                nothing_of_an_erased_person_comes_back,
                followers_of_links_begin_anew_without_the_person,
                an_id_that_comes_to_an_erased_person_is_erased_too,
                an_erased_person_is_in_no_cohort_nor_its_history_and_comes_into_none,
                who_was_merged_into_an_erased_person_is_erased_too,
                an_id_that_is_not_known_yet_is_refused_once_it_comes,
                an_erased_event_counts_until_posthog_no_longer_has_it,
                retention_forgets_erased_events_too,
                tombstones_go_with_the_connection,
                every_epoch_of_a_connection_is_erased_from,
                an_erasure_cut_off_anywhere_goes_on_when_it_is_called_again,
                a_bare_id_means_one_person_or_is_told_to_mean_several,
            }
            evidence: {
                an_event_is_in_order_after_an_earlier_stage_or_before_a_later_one,
                only_the_newest_events_and_their_nearest_neighbours_are_looked_at,
                evidence_is_what_looking_at_every_event_says,
            }
            product_pageviews: {
                the_newest_events_of_a_name_are_counted_by_the_page_that_a_rule_asks_for,
            }
            following: {
                a_follower_that_breaks_off_anywhere_holds_the_links_that_are_listed,
                a_follower_from_before_what_is_forgotten_is_told_so,
                a_link_that_comes_and_goes_is_told_as_it_is_now,
            }
            identities: {
                links_follow_the_events_that_carry_them,
                a_moved_id_ends_one_link_and_begins_another,
                an_unchanged_mapping_writes_nothing,
                a_follower_of_changes_knows_every_persons_ids,
                ids_that_were_asked_for_and_not_answered_have_no_person,
                a_span_covers_exactly_its_ids,
                an_event_shows_the_person_that_its_id_has_now,
                links_are_found_from_every_side,
                links_are_listed_in_one_order_page_by_page,
                links_of_enormous_ids_are_listed_page_by_page,
                persons_of_several_customers_are_listed_in_order,
                the_order_split_and_repetition_of_input_do_not_matter,
                a_changed_property_kind_needs_no_new_events,
            }
            leases: {
                one_holder_at_a_time,
                a_dead_holders_leases_are_given_back_and_nobody_elses,
                an_expired_lease_is_taken_and_its_holder_is_stopped,
                every_write_of_a_lost_holder_is_refused,
                an_expired_lease_that_nobody_took_still_holds,
                a_fence_never_returns,
            }
            lists: {
                events_are_listed_in_order_whatever_the_filter,
                changes_are_told_in_order_page_by_page,
                distinct_ids_are_listed_by_arrival,
                events_of_a_span_are_counted_each_once,
                events_are_counted_by_utc_day,
            }
            pages: {
                a_page_applied_twice_changes_nothing,
                the_greatest_row_of_a_uuid_stays_in_whatever_order,
                a_page_reports_what_it_stored_replaced_and_found_late,
                every_column_comes_back_as_it_was_sent,
                a_page_of_no_open_slice_is_refused_and_stores_nothing,
                connections_do_not_see_each_other,
                what_was_stored_before_a_crash_is_there_after_it,
                two_processes_write_to_one_store,
            }
            persons_reading: {
                a_read_of_all_persons_is_gone_on_with_where_it_was_left,
                an_erased_distinct_id_is_not_kept_as_the_place_of_a_read,
            }
            property: {
                any_order_split_and_repetition_ends_in_the_oracles_state,
            }
            left_epochs: {
                what_was_left_goes_once_the_next_is_complete_for_long_enough,
                whoever_comes_back_in_time_finds_the_rows,
                an_interrupted_removal_is_finished_by_the_next_or_a_purge,
            }
            purges: {
                a_purge_removes_every_epoch_of_its_connection_and_nothing_else,
                a_purge_stops_whoever_is_writing,
                what_lives_or_is_not_due_is_refused_without_harm,
                the_first_deletion_decides_when_rows_are_due,
                purges_are_listed_when_they_are_due_and_page_by_page,
                an_interrupted_purge_is_finished_by_the_next_and_spares_who_came_back,
            }
            removal: {
                a_removed_event_is_gone_from_everything_and_followers_are_told,
                a_removed_event_may_come_back,
                expired_events_are_gone_and_followers_are_not_told,
                links_follow_the_events_that_are_left_of_an_id_of_many,
            }
            remap: {
                a_new_mapping_reaches_every_stored_event,
                a_mapping_in_force_is_not_applied_again,
                an_interrupted_remap_is_finished_by_the_next,
            }
            runs: {
                a_run_is_resumed_where_its_last_page_left_it,
                a_new_run_supersedes_the_open_ones,
                a_split_slice_is_read_in_its_parts_and_in_its_place,
                an_ended_run_keeps_its_record,
                a_complete_backfill_is_noted_in_its_epoch,
                refreshes_of_long_ago_are_forgotten_but_for_the_latest_complete_one,
                totals_can_be_added_outside_pages,
                progress_is_the_share_of_rows,
            }
            snapshots: {
                any_snapshots_end_in_their_members_and_a_history_that_replays_to_them,
            }
            texts: {
                a_nul_is_stored_as_the_replacement_character,
                texts_of_any_length_are_kept_and_found,
                texts_are_ordered_by_their_bytes,
            }
            unlinked: {
                a_person_known_from_events_alone_is_erased_with_all_of_them,
                an_id_that_another_person_has_by_now_is_not_erased_for_its_events,
                an_id_without_a_link_is_erased_alone,
                an_event_that_comes_in_beside_the_erasure_does_not_stay,
                after_any_history_nothing_is_listed_with_the_erased_person,
            }
            zones: {
                counts_are_of_the_days_of_the_zone,
                a_change_of_zone_counts_every_event_anew,
                an_erasure_while_the_counts_of_another_zone_are_built_is_in_them,
            }
        }
    };
    (@ $new:expr; $($module:ident: { $($name:ident,)* })*) => {
        $(mod $module {
            #[allow(unused_imports)]
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = $new;
                $crate::suite::$module::$name(&database).await;
            })*
        })*
    };
}
pub(crate) use store_suite;
