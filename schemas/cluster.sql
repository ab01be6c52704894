-- Several shards of replicas. NOT RUN: there was no server, no Keeper and no cluster where this was made. The tests hold it to
-- the migrations (each table, its columns, its key), let the embedded engine parse every statement, and run those of single
-- nodes with the replication taken out. Read schemas/CLUSTER.md first: most people need one shard of replicas, which needs none
-- of this file, and over shards serve, forget and retention do not work.
--
-- Needed: a cluster in remote_servers, its name in the macro {cluster}, macros {shard} and {replica} on each node, Keeper.
--
-- 1. A plain schema to copy from, on every node, and the databases. First, for each node, so that its tables are there:
--        clickhouse-client --host NODE --query "CREATE DATABASE IF NOT EXISTS tingke_one"
--        CLICKHOUSE_DSN=clickhouse://admin@NODE:9000/tingke_one tingke migrate

CREATE DATABASE IF NOT EXISTS tingke ON CLUSTER '{cluster}';

CREATE DATABASE IF NOT EXISTS tingke_shard ON CLUSTER '{cluster}';

-- 2. What grows with the number of sessions, sharded. Local tables in tingke_shard, one replica each per node of the shard.

CREATE TABLE IF NOT EXISTS tingke_shard.transcripts ON CLUSTER '{cluster}' AS tingke_one.transcripts
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/tingke/transcripts', '{replica}', version) ORDER BY session_id SETTINGS index_granularity = 128, min_compress_block_size = 4096, max_compress_block_size = 16384, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke_shard.analyses ON CLUSTER '{cluster}' AS tingke_one.analyses
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/tingke/analyses', '{replica}', version) ORDER BY (session_id, run_id) SETTINGS index_granularity = 256, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke_shard.rating_rows ON CLUSTER '{cluster}' AS tingke_one.rating_rows
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/tingke/rating_rows', '{replica}', version) ORDER BY session_id SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke_shard.review_events ON CLUSTER '{cluster}' AS tingke_one.review_events
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/tingke/review_events', '{replica}') ORDER BY (session_id, event_id) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke_shard.review_states ON CLUSTER '{cluster}' AS tingke_one.review_states
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/tingke/review_states', '{replica}', version) ORDER BY session_id;

CREATE TABLE IF NOT EXISTS tingke_shard.alert_rows ON CLUSTER '{cluster}' AS tingke_one.alert_rows
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/tingke/alert_rows', '{replica}', version) ORDER BY alert_id;

CREATE TABLE IF NOT EXISTS tingke_shard.order_rows ON CLUSTER '{cluster}' AS tingke_one.order_rows
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/tingke/order_rows', '{replica}', version) ORDER BY order_id SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Over them the tables that the program and the views name. All rows of a session have one session_id and so one shard: what
-- replaces a row meets it, and a flush that reads before it writes asks the shards of its sessions only. Orders and alerts are
-- replaced by their own ids, so these are their keys; what joins them to sessions does so over all shards.

CREATE TABLE IF NOT EXISTS tingke.transcripts ON CLUSTER '{cluster}' AS tingke_one.transcripts
ENGINE = Distributed('{cluster}', 'tingke_shard', 'transcripts', cityHash64(session_id));

CREATE TABLE IF NOT EXISTS tingke.analyses ON CLUSTER '{cluster}' AS tingke_one.analyses
ENGINE = Distributed('{cluster}', 'tingke_shard', 'analyses', cityHash64(session_id));

CREATE TABLE IF NOT EXISTS tingke.rating_rows ON CLUSTER '{cluster}' AS tingke_one.rating_rows
ENGINE = Distributed('{cluster}', 'tingke_shard', 'rating_rows', cityHash64(session_id));

CREATE TABLE IF NOT EXISTS tingke.review_events ON CLUSTER '{cluster}' AS tingke_one.review_events
ENGINE = Distributed('{cluster}', 'tingke_shard', 'review_events', cityHash64(session_id));

CREATE TABLE IF NOT EXISTS tingke.review_states ON CLUSTER '{cluster}' AS tingke_one.review_states
ENGINE = Distributed('{cluster}', 'tingke_shard', 'review_states', cityHash64(session_id));

CREATE TABLE IF NOT EXISTS tingke.alert_rows ON CLUSTER '{cluster}' AS tingke_one.alert_rows
ENGINE = Distributed('{cluster}', 'tingke_shard', 'alert_rows', cityHash64(alert_id));

CREATE TABLE IF NOT EXISTS tingke.order_rows ON CLUSTER '{cluster}' AS tingke_one.order_rows
ENGINE = Distributed('{cluster}', 'tingke_shard', 'order_rows', cityHash64(order_id));

-- 3. What is small and asked by every query: registry of opinions, rules, runs and their switches, agents, settings, those who
-- were forgotten, dead letters, logs. One table with a replica on EVERY node of every shard (no {shard} in the path), so that
-- joins with it stay on each node. insert_quorum = 'auto' is then a majority of all nodes.

CREATE TABLE IF NOT EXISTS tingke.agents ON CLUSTER '{cluster}' AS tingke_one.agents
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/agents', '{shard}-{replica}', imported_at) ORDER BY (agent_id, valid_from);

CREATE TABLE IF NOT EXISTS tingke.alert_events ON CLUSTER '{cluster}' AS tingke_one.alert_events
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/alert_events', '{shard}-{replica}', written_at) ORDER BY (alert_id, event);

CREATE TABLE IF NOT EXISTS tingke.audit_log ON CLUSTER '{cluster}' AS tingke_one.audit_log
ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/tingke/audit_log', '{shard}-{replica}') ORDER BY at;

CREATE TABLE IF NOT EXISTS tingke.dead_letter_rows ON CLUSTER '{cluster}' AS tingke_one.dead_letter_rows
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/dead_letter_rows', '{shard}-{replica}') PRIMARY KEY (topic, partition, offset) ORDER BY (topic, partition, offset, message) TTL toDateTime(written_at) + toIntervalDay(30) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke.forgotten ON CLUSTER '{cluster}' AS tingke_one.forgotten
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/forgotten', '{shard}-{replica}', at) ORDER BY pseudonym SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke.forgotten_sessions ON CLUSTER '{cluster}' AS tingke_one.forgotten_sessions
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/forgotten_sessions', '{shard}-{replica}', at) ORDER BY hash SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke.kpi_profile_rows ON CLUSTER '{cluster}' AS tingke_one.kpi_profile_rows
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/kpi_profile_rows', '{shard}-{replica}', version) ORDER BY profile;

CREATE TABLE IF NOT EXISTS tingke.leases ON CLUSTER '{cluster}' AS tingke_one.leases
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/leases', '{shard}-{replica}', state) ORDER BY holder TTL toDateTime(until) + toIntervalDay(1);

CREATE TABLE IF NOT EXISTS tingke.lost_range_rows ON CLUSTER '{cluster}' AS tingke_one.lost_range_rows
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/lost_range_rows', '{shard}-{replica}', acknowledged) PRIMARY KEY (topic, partition, offset_from) ORDER BY (topic, partition, offset_from, topic_id) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke.opinion_epochs ON CLUSTER '{cluster}' AS tingke_one.opinion_epochs
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/opinion_epochs', '{shard}-{replica}', at) ORDER BY epoch;

CREATE TABLE IF NOT EXISTS tingke.opinion_events ON CLUSTER '{cluster}' AS tingke_one.opinion_events
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/opinion_events', '{shard}-{replica}') ORDER BY event_id;

CREATE TABLE IF NOT EXISTS tingke.rule_packs ON CLUSTER '{cluster}' AS tingke_one.rule_packs
ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/tingke/rule_packs', '{shard}-{replica}') ORDER BY (pack, at);

CREATE TABLE IF NOT EXISTS tingke.run_packs ON CLUSTER '{cluster}' AS tingke_one.run_packs
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/run_packs', '{shard}-{replica}') ORDER BY (run_id, position) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tingke.run_rows ON CLUSTER '{cluster}' AS tingke_one.run_rows
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/run_rows', '{shard}-{replica}', version) ORDER BY run_id;

CREATE TABLE IF NOT EXISTS tingke.run_switches ON CLUSTER '{cluster}' AS tingke_one.run_switches
ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/tingke/run_switches', '{shard}-{replica}') ORDER BY at;

CREATE TABLE IF NOT EXISTS tingke.saved_searches ON CLUSTER '{cluster}' AS tingke_one.saved_searches
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/saved_searches', '{shard}-{replica}', at) ORDER BY search_id;

CREATE TABLE IF NOT EXISTS tingke.schema_locks ON CLUSTER '{cluster}' AS tingke_one.schema_locks
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/schema_locks', '{shard}-{replica}', state) ORDER BY holder TTL toDateTime(at) + toIntervalDay(1);

CREATE TABLE IF NOT EXISTS tingke.schema_migrations ON CLUSTER '{cluster}' AS tingke_one.schema_migrations
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/schema_migrations', '{shard}-{replica}', applied_at) ORDER BY number;

CREATE TABLE IF NOT EXISTS tingke.settings ON CLUSTER '{cluster}' AS tingke_one.settings
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/tingke/settings', '{shard}-{replica}', at) ORDER BY name;

-- 4. Copies that pages read: each node would have its own. They do not work over shards (schemas/CLUSTER.md) and are here so that
-- everything that names them finds them.

CREATE TABLE IF NOT EXISTS tingke.session_facts ON CLUSTER '{cluster}' AS tingke_one.session_facts
ENGINE = MergeTree PARTITION BY base ORDER BY (day, session_id) SETTINGS allow_nullable_key = 1, index_granularity = 512, min_compress_block_size = 16384, max_compress_block_size = 65536;

CREATE TABLE IF NOT EXISTS tingke.turn_facts ON CLUSTER '{cluster}' AS tingke_one.turn_facts
ENGINE = MergeTree PARTITION BY base ORDER BY (newest, session_id, position);

CREATE TABLE IF NOT EXISTS tingke.session_texts ON CLUSTER '{cluster}' AS tingke_one.session_texts
ENGINE = MergeTree PARTITION BY base ORDER BY session_id SETTINGS index_granularity = 32, min_compress_block_size = 16384, max_compress_block_size = 65536;

CREATE TABLE IF NOT EXISTS tingke.kpi_inputs ON CLUSTER '{cluster}' AS tingke_one.kpi_inputs
ENGINE = MergeTree PARTITION BY base ORDER BY (kpi_since, session_id) SETTINGS index_granularity = 1024;

CREATE TABLE IF NOT EXISTS tingke.opinion_facts ON CLUSTER '{cluster}' AS tingke_one.opinion_facts
ENGINE = MergeTree PARTITION BY base ORDER BY (opinion, day) SETTINGS allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS tingke.kpi_facts ON CLUSTER '{cluster}' AS tingke_one.kpi_facts
ENGINE = MergeTree ORDER BY (profile, day, made, agent_id) TTL made_at + toIntervalDay(7);

CREATE TABLE IF NOT EXISTS tingke.fact_moves ON CLUSTER '{cluster}' AS tingke_one.fact_moves
ENGINE = MergeTree PARTITION BY base ORDER BY (gen, session_id);

CREATE TABLE IF NOT EXISTS tingke.fact_bases ON CLUSTER '{cluster}' AS tingke_one.fact_bases
ENGINE = ReplacingMergeTree(noted_at) ORDER BY base;

-- 5. The program finds the schema as it is, and changes nothing.

INSERT INTO tingke.schema_migrations SELECT * FROM tingke_one.schema_migrations;

INSERT INTO tingke.settings SELECT * FROM tingke_one.settings;

INSERT INTO tingke.kpi_profile_rows SELECT * FROM tingke_one.kpi_profile_rows;

-- 6. The views, unchanged, on every node. They name each other, so let it run until nothing fails (three times at most):
--        clickhouse-client --host NODE --format TSVRaw --query "SELECT replaceAll(replaceOne(create_table_query, 'CREATE VIEW', 'CREATE VIEW IF NOT EXISTS'), 'tingke_one.', 'tingke.') || ';'
--            FROM system.tables WHERE database = 'tingke_one' AND engine = 'View'" | clickhouse-client --host NODE --ignore-error

-- 7. How the program's users ask, after schemas/grants.sql: an insert returns when the shards have it; a view that joins two
-- sharded tables sends the right one to all; a query by session_id goes to its shard only. With clickhouse.replicated: true the
-- program adds insert_quorum = 'auto' and insert_quorum_parallel = 0 to inserts, and select_sequential_consistency = 1 to what it
-- reads before it writes; a Distributed table passes them on to the shards. Give remote_servers a <secret>: then the shards know
-- who asks, and need these rights; without it they are asked as `default`.

CREATE SETTINGS PROFILE IF NOT EXISTS tingke_cluster ON CLUSTER '{cluster}' SETTINGS
    distributed_foreground_insert = 1,
    distributed_product_mode = 'global',
    optimize_skip_unused_shards = 1
TO tingke_read, tingke_write, tingke_migrate, tingke_operate, tingke_views, tingke_data, tingke_audit, tingke_grafana;

GRANT ON CLUSTER '{cluster}' SELECT ON tingke_shard.* TO tingke_read, tingke_views;

GRANT ON CLUSTER '{cluster}' INSERT ON tingke_shard.* TO tingke_write;
