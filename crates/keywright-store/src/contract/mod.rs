//! What every backend must do: one suite, run against each. A new backend is done when it passes.

pub(crate) mod audit;
mod code;
mod copy;
mod epoch;
pub(crate) mod fixture;
mod job;
mod race;
mod refresh;
mod registry;
mod revocation;
mod session;
mod user;

/// The same cases for every backend.
macro_rules! contract {
    ($($topic:ident { $($case:ident,)* })*) => {
        mod memory {
            $(mod $topic {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let store = std::sync::Arc::new(crate::memory::MemoryStore::new());
                    crate::contract::$topic::$case(store).await;
                })*
            })*
        }

        mod sqlite {
            $(mod $topic {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    let file = folder.path().join("keywright.db");
                    let store = crate::sqlite::SqliteStore::open(&file).unwrap();
                    crate::contract::$topic::$case(std::sync::Arc::new(store)).await;
                })*
            })*
        }

        mod postgres {
            $(mod $topic {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let schema = crate::postgres::tests::empty_schema().await;
                    let store = crate::postgres::tests::open(&schema).await;
                    crate::contract::$topic::$case(std::sync::Arc::new(store)).await;
                })*
            })*
        }
    };
}

contract! {
    audit {
        the_chain_has_no_gap_after_many_tasks,
        each_tenant_has_its_own_chain,
        a_refused_commit_leaves_no_event,
        an_event_is_stored_as_it_was_hashed,
        a_one_time_value_is_spent_once_until_it_expires,
        the_events_of_a_request_are_found,
        the_latest_refusals_are_kept,
    }
    code {
        a_code_is_spent_once,
        a_code_belongs_to_tenant_and_client,
        a_code_expires_without_a_sweeper,
        a_code_dies_with_all_it_depends_on,
        a_code_survives_revocations_of_others,
        a_replayed_assertion_leaves_the_code_alone,
        five_failures_burn_a_code_and_four_do_not,
        a_replayed_code_kills_what_came_of_it_once,
        a_consent_is_stored_as_it_was_judged,
        a_revoked_grant_is_not_brought_back,
        a_code_needs_a_live_session,
    }
    epoch {
        an_epoch_burns_codes_and_spares_sessions,
        an_epoch_revokes_access_tokens_alone,
        an_epoch_leaves_gaps_that_followers_see,
        an_epoch_goes_on_at_a_place_of_its_moment,
        an_epoch_refuses_older_one_time_values,
        a_restored_family_goes_on_from_a_later_token,
        a_restored_family_goes_on_from_its_own_token,
        fifty_adoptions_one_winner,
    }
    job {
        a_sweep_bounds_the_tables,
        a_sweep_keeps_what_matters,
        a_lease_has_one_holder_until_it_ends,
        fifty_nodes_one_holder,
        failures_are_counted_together_or_not_at_all,
        a_closed_store_refuses,
        a_ping_writes,
    }
    race {
        fifty_redemptions_one_winner,
        fifty_rotations_one_winner,
        fifty_assertions_one_winner,
        fifty_names_one_winner,
        a_revocation_beats_rotations_for_good,
    }
    refresh {
        a_rotation_moves_child_and_parent,
        a_used_token_loses,
        a_retry_changes_nothing,
        the_retry_window_has_edges,
        lifetimes_end_without_a_sweeper,
        idle_never_outlives_absolute,
        a_family_belongs_to_tenant_and_client,
        a_family_dies_with_all_it_depends_on,
        a_replayed_assertion_leaves_the_family_alone,
        clocks_that_step_back_bring_nothing_to_life,
    }
    registry {
        clients_are_created_changed_listed_and_deleted,
        a_deleted_client_takes_its_grants_along,
        resources_are_created_replaced_and_deleted,
        tenants_begin_with_the_default_one,
        keys_change_together,
        secrets_are_kept_once,
        every_change_is_logged_in_order,
        nodes_report,
    }
    revocation {
        each_target_has_its_effect_and_its_entry,
        nothing_is_revoked_that_is_not_there,
        revoking_twice_does_no_harm,
        the_log_is_ordered,
        what_a_user_has_ends_whatever_clock_dated_it,
        a_deleted_client_is_revoked_again,
        a_replayed_assertion_revokes_nothing,
        a_token_is_listed_with_its_event_or_not_at_all,
        a_rotation_lists_its_token_once,
    }
    session {
        a_sign_in_starts_a_session,
        the_own_session_goes_on_with_another_cookie,
        another_users_session_ends,
        a_session_lives_as_long_as_its_user,
        logout_spares_offline_families,
        revoking_takes_offline_families_and_grants,
        sessions_are_listed_in_pages,
    }
    user {
        users_are_created_changed_and_listed,
        disabling_kills_what_was_granted,
        a_password_ends_the_other_sessions,
        a_password_ends_what_was_born_in_forgotten_sessions,
    }
}

/// From one store to another.
macro_rules! copies {
    ($($case:ident,)*) => {
        mod sqlite_to_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                let (from, to) = (super::file(&folder, "from"), super::file(&folder, "to"));
                crate::contract::copy::$case(from, to).await;
            })*
        }

        mod sqlite_to_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                let (from, to) = (super::file(&folder, "from"), super::database().await);
                crate::contract::copy::$case(from, to).await;
            })*
        }

        mod postgres_to_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                let (from, to) = (super::database().await, super::file(&folder, "to"));
                crate::contract::copy::$case(from, to).await;
            })*
        }
    };
}

fn file(folder: &tempfile::TempDir, name: &str) -> crate::SharedStore {
    let store = crate::sqlite::SqliteStore::open(&folder.path().join(name)).unwrap();
    std::sync::Arc::new(store)
}

async fn database() -> crate::SharedStore {
    let schema = crate::postgres::tests::empty_schema().await;
    std::sync::Arc::new(crate::postgres::tests::open(&schema).await)
}

copies! {
    a_copy_goes_on_where_the_original_was,
    copies_that_raise_the_epoch_take_different_places,
    an_interrupted_copy_goes_on,
    what_begins_before_a_copy_ends_goes_on_from_it,
    what_changed_behind_a_copy_is_copied_anew,
    a_dump_brings_a_store_back,
    a_dump_that_was_changed_is_refused,
    what_belongs_to_nobody_stays_behind,
}
