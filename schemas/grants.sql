-- Rights on a ClickHouse server, each role with as little as it needs. Run it as an administrator, after the first
-- `tingke migrate` and AGAIN AFTER EVERY UPDATE of Tingke (see "views" below); it may run any number of times:
--
--     clickhouse-client --queries-file schemas/grants.sql
--
-- The database is tingke here; another name: sed 's/tingke\./name./g'. On a cluster whose access rights are not replicated
-- (<user_directories><replicated>), run it on every node.
--
-- What of this has been run: every statement is parsed, and the views are switched to a definer, by the embedded engine in
-- the tests, which also hold the lists to the migrations. The embedded engine has no users: the rights themselves HAVE NOT
-- BEEN TRIED ON A SERVER. Try them on yours before you rely on them.
--
-- Users are yours to make, for instance:
--     CREATE USER tingke_worker IDENTIFIED WITH sha256_hash BY '...' HOST IP '10.0.0.0/8' DEFAULT ROLE tingke_write;
--     CREATE USER tingke_admin  IDENTIFIED WITH sha256_hash BY '...' HOST LOCAL           DEFAULT ROLE tingke_migrate;
--     GRANT tingke_write TO tingke_worker;
-- Their names go into the DSN (clickhouse.dsn), their passwords into clickhouse.password_file: run and serve as tingke_write,
-- migrate as tingke_migrate, forget as tingke_operate. A change of `retention:` needs tingke_migrate and is made by migrate. sql
-- and export ask as whoever the DSN names; people with a ClickHouse client of their own get tingke_data.

CREATE ROLE IF NOT EXISTS tingke_read, tingke_write, tingke_migrate, tingke_operate, tingke_data, tingke_audit, tingke_grafana;

-- Views. ClickHouse runs a view with the rights of whoever asks (SQL SECURITY INVOKER) unless told otherwise: then the data
-- team would need the tables, with every text of every run in them. So the public views run as tingke_views, a user who
-- cannot log in. CREATE OR REPLACE VIEW in a migration takes that back: until this file has run again those views answer
-- ACCESS_DENIED to tingke_data, tingke_audit and tingke_grafana, never more than they should. ClickHouse 24.8 ignored the
-- definer of views with parameters (agent_kpi and its kind; its issue 69210), as newer ones do with enable_analyzer = 0
-- (issue 84472): they, too, then answer ACCESS_DENIED.
CREATE USER IF NOT EXISTS tingke_views NOT IDENTIFIED HOST NONE;

GRANT SELECT ON tingke.* TO tingke_views WITH REPLACE OPTION;

ALTER TABLE tingke.sessions MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.turns MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.mentions MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.hits MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.outcomes MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.scorecard_items MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.scorecards MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.rounds MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.opinions MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.opinion_days MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.orders MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.ratings MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.rule_days MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.rule_precision MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.alerts MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.dead_letters MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.runs MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.lost_ranges MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.kpi_profiles MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.agent_kpi MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.team_kpi MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.shop_kpi MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.channel_kpi MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.reviews MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;
ALTER TABLE tingke.audit MODIFY SQL SECURITY DEFINER DEFINER = tingke_views;

-- What pages and the API read: all of the database, and the sizes of its tables. Not by itself enough for serve, which also
-- writes reviews, the audit log and the copies that pages read.
GRANT SELECT ON tingke.*, SELECT ON system.parts TO tingke_read WITH REPLACE OPTION;

-- tingke run, serve, batch, rerun, opinions, import, rules publish: rows are added, never changed; only copies are dropped.
-- CREATE TABLE is for the IF NOT EXISTS of every start; what a migration brings needs tingke_migrate.
GRANT
    INSERT ON tingke.settings,
    INSERT ON tingke.transcripts,
    INSERT ON tingke.analyses,
    INSERT ON tingke.order_rows,
    INSERT ON tingke.rating_rows,
    INSERT ON tingke.agents,
    INSERT ON tingke.dead_letter_rows,
    INSERT ON tingke.lost_range_rows,
    INSERT ON tingke.rule_packs,
    INSERT ON tingke.run_rows,
    INSERT ON tingke.run_switches,
    INSERT ON tingke.review_events,
    INSERT ON tingke.opinion_events,
    INSERT ON tingke.alert_rows,
    INSERT ON tingke.audit_log,
    INSERT ON tingke.opinion_epochs,
    INSERT ON tingke.leases,
    INSERT ON tingke.review_states,
    INSERT ON tingke.alert_events,
    INSERT ON tingke.saved_searches,
    INSERT ON tingke.session_facts,
    INSERT ON tingke.turn_facts,
    INSERT ON tingke.session_texts,
    INSERT ON tingke.kpi_inputs,
    INSERT ON tingke.fact_moves,
    INSERT ON tingke.fact_bases,
    INSERT ON tingke.opinion_facts,
    INSERT ON tingke.kpi_facts,
    INSERT ON tingke.run_packs,
    INSERT ON tingke.schema_locks,
    ALTER DELETE ON tingke.session_facts,
    ALTER DELETE ON tingke.turn_facts,
    ALTER DELETE ON tingke.session_texts,
    ALTER DELETE ON tingke.kpi_inputs,
    ALTER DELETE ON tingke.opinion_facts,
    ALTER DELETE ON tingke.fact_moves,
    CREATE TABLE ON tingke.schema_migrations,
    CREATE TABLE ON tingke.schema_locks
TO tingke_write WITH REPLACE OPTION;

GRANT tingke_read TO tingke_write;

-- tingke migrate.
GRANT
    CREATE TABLE, CREATE VIEW, DROP VIEW, ALTER TABLE, ALTER VIEW ON tingke.*,
    INSERT ON tingke.schema_migrations,
    INSERT ON tingke.schema_locks,
    INSERT ON tingke.settings,
    INSERT ON tingke.kpi_profile_rows,
    TRUNCATE ON tingke.session_facts,
    TRUNCATE ON tingke.opinion_facts,
    TRUNCATE ON tingke.fact_moves,
    TRUNCATE ON tingke.fact_bases,
    DROP TABLE ON tingke.session_facts
TO tingke_migrate WITH REPLACE OPTION;

GRANT tingke_read TO tingke_migrate;

-- tingke forget, and retention.
GRANT
    INSERT ON tingke.forgotten,
    INSERT ON tingke.forgotten_sessions,
    ALTER DELETE ON tingke.transcripts,
    ALTER DELETE ON tingke.analyses,
    ALTER DELETE ON tingke.order_rows,
    ALTER DELETE ON tingke.rating_rows,
    ALTER DELETE ON tingke.review_events,
    ALTER DELETE ON tingke.alert_rows,
    ALTER DELETE ON tingke.review_states,
    ALTER DELETE ON tingke.session_facts,
    ALTER DELETE ON tingke.turn_facts,
    ALTER DELETE ON tingke.session_texts,
    ALTER DELETE ON tingke.kpi_inputs,
    ALTER DELETE ON tingke.opinion_facts,
    ALTER DELETE ON tingke.kpi_facts,
    ALTER DELETE ON tingke.fact_moves,
    ALTER DELETE ON tingke.alert_events,
    ALTER DELETE ON tingke.dead_letter_rows,
    ALTER DELETE ON tingke.saved_searches,
    ALTER UPDATE ON tingke.opinion_events,
    ALTER UPDATE ON tingke.audit_log,
    TRUNCATE ON tingke.session_facts,
    TRUNCATE ON tingke.turn_facts,
    TRUNCATE ON tingke.session_texts,
    TRUNCATE ON tingke.kpi_inputs,
    TRUNCATE ON tingke.opinion_facts,
    TRUNCATE ON tingke.fact_moves,
    TRUNCATE ON tingke.fact_bases,
    ALTER TTL ON tingke.transcripts,
    ALTER TTL ON tingke.analyses,
    ALTER TTL ON tingke.turn_facts,
    ALTER TTL ON tingke.session_texts,
    ALTER TTL ON tingke.kpi_inputs,
    ALTER TTL ON tingke.session_facts,
    ALTER TTL ON tingke.opinion_facts,
    ALTER TTL ON tingke.rating_rows,
    ALTER TTL ON tingke.review_events,
    ALTER TTL ON tingke.alert_rows,
    ALTER TTL ON tingke.alert_events,
    ALTER TTL ON tingke.order_rows,
    ALTER TTL ON tingke.dead_letter_rows,
    ALTER TTL ON tingke.audit_log
TO tingke_operate WITH REPLACE OPTION;

GRANT tingke_write TO tingke_operate;

-- The data team: the public views, without who judged and remarked what. Limits cannot be lifted by the one who asks, but
-- for the time, which tools set themselves. query_plan_optimize_lazy_materialization: a sort with a limit over a view with a
-- join fails with it (26.7).
CREATE SETTINGS PROFILE OR REPLACE tingke_limits SETTINGS
    readonly = 1,
    max_execution_time = 30 MIN 1 MAX 120 CHANGEABLE_IN_READONLY,
    max_memory_usage = 4294967296,
    max_rows_to_read = 1000000000,
    max_bytes_to_read = 100000000000,
    max_result_rows = 1000000,
    max_result_bytes = 268435456,
    result_overflow_mode = 'throw',
    read_overflow_mode = 'throw',
    timeout_overflow_mode = 'throw',
    max_concurrent_queries_for_user = 8,
    allow_introspection_functions = 0,
    query_plan_optimize_lazy_materialization = 0
TO tingke_data, tingke_audit, tingke_grafana;

GRANT
    SELECT ON tingke.sessions,
    SELECT ON tingke.turns,
    SELECT ON tingke.mentions,
    SELECT ON tingke.hits,
    SELECT ON tingke.outcomes,
    SELECT ON tingke.scorecard_items,
    SELECT ON tingke.scorecards,
    SELECT ON tingke.rounds,
    SELECT ON tingke.opinions,
    SELECT ON tingke.opinion_days,
    SELECT ON tingke.orders,
    SELECT ON tingke.ratings,
    SELECT ON tingke.rule_days,
    SELECT ON tingke.rule_precision,
    SELECT ON tingke.alerts,
    SELECT ON tingke.dead_letters,
    SELECT ON tingke.runs,
    SELECT ON tingke.lost_ranges,
    SELECT ON tingke.kpi_profiles,
    SELECT ON tingke.agent_kpi,
    SELECT ON tingke.team_kpi,
    SELECT ON tingke.shop_kpi,
    SELECT ON tingke.channel_kpi
TO tingke_data WITH REPLACE OPTION;

-- Who decided, appealed and did what: people by name. For those who may see that.
GRANT
    SELECT ON tingke.reviews,
    SELECT ON tingke.audit
TO tingke_audit WITH REPLACE OPTION;

-- Grafana: what the board in dashboards/grafana asks.
GRANT
    SELECT ON tingke.sessions,
    SELECT ON tingke.turns,
    SELECT ON tingke.mentions,
    SELECT ON tingke.hits,
    SELECT ON tingke.rounds,
    SELECT ON tingke.opinions,
    SELECT ON tingke.opinion_days,
    SELECT ON tingke.dead_letters,
    SELECT ON tingke.runs,
    SELECT ON tingke.lost_ranges,
    SELECT ON tingke.agent_kpi,
    SELECT ON tingke.team_kpi,
    SELECT ON tingke.shop_kpi,
    SELECT ON tingke.channel_kpi
TO tingke_grafana WITH REPLACE OPTION;
